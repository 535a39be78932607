"""The stacked auto-encoder: what it learns, and what its training does with its streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deep_em_bench.methods import DivergenceError
from deep_em_bench.methods.nets.autoencoder import RECIPES, Recipe, StackedAutoencoder
from tests.methods.cases import global_random_state

SHORT = Recipe(layer_steps=30, finetune_steps=60, optimizer="adam", lr=0.01, batch_size=32)


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def on_a_plane(n: int = 200) -> Tensor:
    """Points of a two-dimensional plane in six dimensions, of mean square 9."""
    z = torch.randn(n, 2, generator=stream(0))
    x = z @ torch.randn(2, 6, generator=stream(1))
    return 3 * x / x.square().mean().sqrt()


def net(*sizes: int, seed: int = 2) -> StackedAutoencoder:
    return StackedAutoencoder(sizes, generator=stream(seed))


def fitted(x: Tensor, *sizes: int, recipe: Recipe = SHORT, **more: Any) -> StackedAutoencoder:
    return net(*sizes).fit(x, recipe, generator=stream(3), **more)


def test_two_features_are_enough_for_a_plane_and_one_is_not() -> None:
    x = on_a_plane()
    recipe = Recipe(layer_steps=0, finetune_steps=400, optimizer="adam", lr=0.02, decay_every=300)
    linear = fitted(x, 6, 2, recipe=recipe)
    assert linear.reconstruction_error(x) < 1e-4
    # With one linear feature the best that can be done is PCA's.
    one = fitted(x, 6, 1, recipe=recipe)
    centred = x - x.mean(dim=0)
    left = torch.linalg.svdvals(centred)[1].square() / x.square().sum()
    assert one.reconstruction_error(x) == pytest.approx(float(left), rel=0.02)


def test_shapes_and_layers_are_those_of_the_sizes() -> None:
    images = torch.rand(20, 1, 4, 4, generator=stream(0))
    made = fitted(images, 16, 8, 12, 3)
    assert made.encode(images).shape == (20, 3)
    assert made.encode(images).dtype == torch.float32
    assert made.decoder(made.encode(images)).shape == (20, 16)
    widths = [
        (part.in_features, part.out_features)
        for part in [*made.encoder, *made.decoder]
        if isinstance(part, torch.nn.Linear)
    ]
    assert widths == [(16, 8), (8, 12), (12, 3), (3, 12), (12, 8), (8, 16)]
    assert made.encode(images).min() < 0  # features are not cut off by a ReLU


@pytest.mark.parametrize("sizes", [(6,), (6, 0, 2)])
def test_sizes_that_make_no_net_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"sizes are .* expected at least two positive"):
        net(*sizes)


@pytest.mark.parametrize("corruption", [-0.1, 1.0, float("nan")])
def test_a_corruption_that_leaves_nothing_is_refused(corruption: float) -> None:
    with pytest.raises(ValueError, match="corruption is"):
        Recipe(layer_steps=1, finetune_steps=1, corruption=corruption)


def test_the_scale_of_the_data_does_not_matter() -> None:
    x = on_a_plane()
    small, large = fitted(x / 1000, 6, 8, 2), fitted(x * 1000, 6, 8, 2)
    torch.testing.assert_close(
        small.encode(x / 1000), large.encode(x * 1000), rtol=1e-3, atol=1e-3
    )
    zero = fitted(torch.zeros(40, 6), 6, 8, 2)
    assert zero.encode(torch.zeros(2, 6)).isfinite().all()


def test_features_keep_their_scale_through_the_untrained_net() -> None:
    # He's weights: neither vanishing nor exploding, or DEC could not start from random weights.
    made = fitted(on_a_plane(), 6, 50, 50, 50, 10, recipe=Recipe(layer_steps=0, finetune_steps=0))
    assert 0.1 < made.encode(on_a_plane()).std() < 10


def test_a_seed_determines_everything_and_global_state_is_untouched() -> None:
    x = on_a_plane()
    before = global_random_state()
    first = fitted(x, 6, 8, 2).encode(x)
    torch.testing.assert_close(fitted(x, 6, 8, 2).encode(x), first, rtol=0, atol=0)
    assert global_random_state() == before
    other = net(6, 8, 2, seed=9).fit(x, SHORT, generator=stream(3))
    assert (other.encode(x) != first).any()


def test_layers_are_trained_one_after_the_other_then_together() -> None:
    x, seen = on_a_plane(), []
    recipe = Recipe(layer_steps=120, finetune_steps=7, optimizer="adam", lr=0.01, batch_size=16)
    fitted(x, 6, 8, 2, recipe=recipe, report=lambda row: seen.append(dict(row)))
    assert [(row["stage"], row["step"], row["steps"]) for row in seen] == [
        ("layer 1 of 2", 100, 120),
        ("layer 1 of 2", 120, 120),
        ("layer 2 of 2", 100, 120),
        ("layer 2 of 2", 120, 120),
        ("fine-tuning", 7, 7),
    ]
    assert all(np.isfinite(row["loss"]) for row in seen)


def test_training_a_layer_leaves_the_others_alone() -> None:
    x = on_a_plane()
    start = [p.clone() for p in net(6, 8, 4, 2).encoder.parameters()]
    recipe = Recipe(layer_steps=5, finetune_steps=0, lr=0.01)
    seen: list[str] = []
    made = net(6, 8, 4, 2)

    def check(row: Any) -> None:
        seen.append(row["stage"])
        layer = len(seen)
        for i, (now, then) in enumerate(zip(made.encoder.parameters(), start, strict=True)):
            assert torch.equal(now, then) == (i // 2 >= layer)

    made.fit(x, recipe, generator=stream(3), report=check)
    assert len(seen) == 3


def test_layer_wise_training_helps_a_short_fine_tuning() -> None:
    x = on_a_plane()
    errors = [
        fitted(
            x, 6, 32, 32, 2, recipe=Recipe(layer_steps=steps, finetune_steps=20, lr=0.05)
        ).reconstruction_error(x)
        for steps in (0, 300)
    ]
    assert errors[1] < errors[0] < 1.5


def test_dropout_keeps_the_expectation() -> None:
    from deep_em_bench.methods.nets.autoencoder import _Dropout

    dropped = _Dropout(0.2, stream(0))(torch.ones(200_000))
    values, counts = dropped.unique(return_counts=True)
    assert values.tolist() == [0.0, 1.25]
    # 200,000 draws of probability .2: standard deviation 179.
    assert abs(int(counts[0]) - 40_000) < 5 * 179
    assert torch.equal(_Dropout(0.0, stream(0))(dropped), dropped)


def test_fewer_rows_than_a_batch() -> None:
    x = on_a_plane(5)
    assert fitted(x, 6, 4, 2).encode(x).isfinite().all()


def test_divergence_is_said() -> None:
    recipe = Recipe(layer_steps=0, finetune_steps=100, lr=1e6)
    with pytest.raises(DivergenceError, match=r"loss became .* in fine-tuning, update 100; lower"):
        fitted(on_a_plane(), 6, 16, 2, recipe=recipe)


def test_the_learning_rate_falls_to_a_tenth() -> None:
    x = on_a_plane()

    def moved(decay_every: int) -> Tensor:
        recipe = Recipe(layer_steps=0, finetune_steps=4, lr=0.1, decay_every=decay_every)
        return fitted(x, 6, 2, recipe=recipe).encode(x)

    assert torch.equal(moved(4), moved(99))
    assert not torch.equal(moved(2), moved(99))


def test_the_full_recipe_is_the_papers() -> None:
    paper = RECIPES["full"]
    assert (paper.layer_steps, paper.finetune_steps, paper.batch_size) == (50_000, 100_000, 256)
    assert (paper.optimizer, paper.lr, paper.decay_every) == ("sgd", 0.1, 20_000)
    assert paper.corruption == 0.2
