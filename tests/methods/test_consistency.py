"""Neighbour distances, virtual adversarial directions and the information loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from deep_em_bench.methods.nets import consistency
from deep_em_bench.methods.nets.consistency import (
    InformationWeights,
    information_loss,
    information_terms,
    neighbour_distance,
    virtual_adversarial_divergence,
)
from deep_em_bench.methods.nets.networks import encoder, initialise


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def exact(X: np.ndarray, k: int) -> np.ndarray:
    """Distance to the k-th nearest other row."""
    flat = X.reshape(len(X), -1).astype(np.float64)
    found = NearestNeighbors(n_neighbors=k).fit(flat)
    return found.kneighbors()[0][:, -1]  # of the fitted rows, each without itself


@pytest.mark.parametrize("shape", [(3,), (1, 4, 4)])
def test_neighbour_distance_is_scikit_learns(shape: tuple[int, ...]) -> None:
    n = consistency.CHUNK + 300  # more than one chunk
    X = np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)
    for k in (1, 10):
        found = neighbour_distance(torch.from_numpy(X), stream(), k)
        np.testing.assert_allclose(found.numpy(), exact(X, k), rtol=1e-3)


def test_few_rows_give_the_farthest_there_is() -> None:
    X = torch.tensor([[0.0], [1.0], [3.0]])
    assert neighbour_distance(X, stream()).tolist() == [3.0, 2.0, 3.0]
    assert neighbour_distance(X[:1], stream()).tolist() == [0.0]


def test_duplicates_count_as_neighbours() -> None:
    X = torch.tensor([[0.0], [0.0], [0.0], [5.0], [5.0]])
    assert neighbour_distance(X, stream(), 2).tolist() == [0.0, 0.0, 0.0, 5.0, 5.0]


@pytest.mark.parametrize("times", [2, 6])  # 6: 60,000 rows against 10,000
def test_a_subsample_keeps_the_distance(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr(consistency, "REFERENCE_ROWS", 1000)
    X = np.random.default_rng(0).random((1000 * times, 2)).astype(np.float32)
    expected = exact(X, 10)
    found = neighbour_distance(torch.from_numpy(X), stream()).numpy()
    assert found.shape == expected.shape
    assert found.mean() == pytest.approx(expected.mean(), rel=0.15)
    assert np.corrcoef(found, expected)[0, 1] > 0.3
    again = neighbour_distance(torch.from_numpy(X), stream()).numpy()
    np.testing.assert_array_equal(found, again)


@pytest.fixture
def net() -> nn.Module:
    """A small net whose outputs differ clearly from point to point."""
    with torch.device("meta"):
        laid_out = encoder("mlp", (10,), 4, hidden=(32, 32), width=1.0, batch_norm=False)
    return initialise(laid_out, stream(1), torch.device("cpu"), std=0.3)


def watch(net: nn.Module) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    """The net, and a list of the inputs that it is called with."""
    seen: list[Tensor] = []

    def watched(inputs: Tensor) -> Tensor:
        seen.append(inputs.detach())
        return net(inputs)

    return watched, seen


def divergence(net: nn.Module, x: Tensor, r: Tensor) -> Tensor:
    """KL(p(x) || p(x + r)) of each row, written out."""
    p, q = net(x).log_softmax(dim=1), net(x + r).log_softmax(dim=1)
    return (p.exp() * (p - q)).sum(dim=1)


@pytest.mark.parametrize("radius", [0.1, 1.0])
def test_the_adversarial_direction_is_worse_than_random_ones(
    net: nn.Module, radius: float
) -> None:
    x = torch.randn(200, 10, generator=stream(2))
    found = virtual_adversarial_divergence(net, x, net(x), torch.full((200,), radius), stream(3))
    directions = torch.randn(20, 200, 10, generator=stream(4))
    at_random = [
        divergence(net, x, radius * F.normalize(r, dim=1)).mean().item() for r in directions
    ]
    assert found.item() > 1.5 * max(at_random)


def test_the_step_is_as_long_as_the_radius(net: nn.Module) -> None:
    x = torch.randn(6, 10, generator=stream(2))
    radius = torch.tensor([0.0, 0.1, 0.5, 1.0, 2.0, 7.0])
    watched, seen = watch(net)
    virtual_adversarial_divergence(watched, x, net(x), radius, stream())
    assert len(seen) == 2  # the random start and the worst direction
    for inputs in seen:
        torch.testing.assert_close((inputs - x).norm(dim=1), radius, atol=1e-5, rtol=1e-5)


def test_the_divergence_is_the_written_out_one(net: nn.Module) -> None:
    x = torch.randn(6, 10, generator=stream(2))
    watched, seen = watch(net)
    found = virtual_adversarial_divergence(watched, x, net(x), torch.ones(6), stream())
    torch.testing.assert_close(found, divergence(net, x, seen[-1] - x).mean())


def test_a_probe_of_its_own_length(net: nn.Module) -> None:
    x = torch.randn(6, 10, generator=stream(2))
    watched, seen = watch(net)
    virtual_adversarial_divergence(watched, x, net(x), torch.full((6,), 0.5), stream(), probe=3.0)
    lengths = [(inputs - x).norm(dim=1) for inputs in seen]
    torch.testing.assert_close(lengths, [torch.full((6,), 3.0), torch.full((6,), 0.5)])


def test_a_zero_radius_gives_zero(net: nn.Module) -> None:
    x = torch.randn(50, 10, generator=stream(2))
    found = virtual_adversarial_divergence(net, x, net(x), torch.zeros(50), stream())
    found.backward()
    assert found.item() == pytest.approx(0, abs=1e-6)
    assert all(p.grad is not None and p.grad.abs().max() < 1e-5 for p in net.parameters())


def test_images_are_perturbed_as_vectors() -> None:
    x = torch.rand(5, 1, 4, 4, generator=stream())
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    watched, seen = watch(net)
    virtual_adversarial_divergence(watched, x, net(x), torch.full((5,), 0.7), stream())
    lengths = (seen[-1] - x).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((5,), 0.7), atol=1e-5, rtol=1e-5)


def test_the_clean_prediction_is_a_target_without_gradient(net: nn.Module) -> None:
    x = torch.randn(5, 10, generator=stream())
    logits = net(x)
    found = virtual_adversarial_divergence(net, x, logits, torch.ones(5), stream())
    found.backward()
    assert logits.grad_fn is not None
    assert not x.requires_grad
    other = torch.randn(5, 4, generator=stream(), requires_grad=True)
    (gradient,) = torch.autograd.grad(
        virtual_adversarial_divergence(net, x, other, torch.ones(5), stream()),
        other,
        allow_unused=True,
    )
    assert gradient is None


def loss_of(logits: Tensor, consistency: float, marginal: float, conditional: float) -> Tensor:
    """The information loss of a classifier that says ``logits`` whatever it sees."""
    weights = InformationWeights(
        consistency=consistency, marginal_entropy=marginal, conditional_entropy=conditional
    )
    x = torch.zeros(len(logits), 1)
    loss, seen = information_loss(
        lambda x: logits + 0 * x, x, torch.ones(len(logits)), weights, stream()
    )
    assert float(seen) == pytest.approx(0, abs=1e-6)
    assert not seen.requires_grad
    return loss


def test_information_loss_by_hand() -> None:
    # p = (1/2 1/2) and (3/4 1/4): their mean is (5/8 3/8).
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])
    marginal = -(5 / 8 * math.log(5 / 8) + 3 / 8 * math.log(3 / 8))
    conditional = (math.log(2) - (3 / 4 * math.log(3 / 4) + 1 / 4 * math.log(1 / 4))) / 2
    assert float(loss_of(logits, 1, 0, 0)) == pytest.approx(0, abs=1e-6)
    assert float(loss_of(logits, 0, 1, 0)) == pytest.approx(-marginal)
    assert float(loss_of(logits, 0, 0, 1)) == pytest.approx(conditional)
    assert float(loss_of(logits, 5, 2, 3)) == pytest.approx(3 * conditional - 2 * marginal)


def test_terms_join_to_the_loss(net: nn.Module) -> None:
    x, radius = torch.randn(9, 10, generator=stream(2)), torch.ones(9)
    weights = InformationWeights(consistency=2, marginal_entropy=3, conditional_entropy=5)
    loss, divergence = information_loss(net, x, radius, weights, stream(4))
    terms = information_terms(net, x, radius, stream(4))
    joined = 2 * terms.divergence - 3 * terms.marginal_entropy + 5 * terms.conditional_entropy
    assert joined.item() == pytest.approx(loss.item())
    assert terms.divergence.item() == divergence.item()


def test_perturbed_points_alone_go_through_the_net_given_for_them(net: nn.Module) -> None:
    x = torch.randn(9, 10, generator=stream(2))
    watched, seen = watch(net)
    terms = information_terms(watched, x, torch.ones(9), stream(), perturbed=lambda x: 0 * net(x))
    assert len(seen) == 1
    assert torch.equal(seen[0], x)
    p = net(x).softmax(dim=1)
    against_uniform = math.log(4) + (p * p.log()).sum(dim=1).mean()
    torch.testing.assert_close(terms.divergence, against_uniform)


def test_sure_and_balanced_is_the_optimum() -> None:
    sure = 50 * torch.eye(4)
    assert float(loss_of(sure, 1, 1, 1)) == pytest.approx(-math.log(4), abs=1e-5)
    assert float(loss_of(sure[:1].expand(4, 4), 1, 1, 1)) == pytest.approx(0, abs=1e-5)
    assert float(loss_of(torch.zeros(4, 4), 1, 1, 1)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_entropy_and_its_gradient_are_finite_at_probability_zero(size: float) -> None:
    logits = (size * torch.eye(3)).requires_grad_()
    assert (logits.softmax(dim=1) == torch.eye(3)).all()
    loss = loss_of(logits, 1, 1, 1)
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(3), abs=1e-6)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
