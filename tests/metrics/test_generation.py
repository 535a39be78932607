from __future__ import annotations

import numpy as np
import pytest

from deep_em_bench import metrics
from deep_em_bench.core import ConfigError
from deep_em_bench.metrics.generation import Comparison, Summary, fid, score_generation
from deep_em_bench.metrics.kernel import kernel_distance, kernel_distance_spread
from deep_em_bench.metrics.predictions import inception_score

EXTRACTORS = ("lenet", "squeezenet", "inception")


def drawn(n: int, seed: int, *, d: int = 6, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, size=(n, d)).astype(np.float32), rng.dirichlet(np.ones(4), size=n)


def summary(*parts: tuple[np.ndarray, np.ndarray], kept: int = 10_000) -> Summary:
    found = Summary(parts[0][0].shape[1], parts[0][1].shape[1], kept=kept)
    for features, probabilities in parts:
        found.add(features, probabilities)
    return found


def test_every_metric_of_an_extractor_and_of_no_other() -> None:
    real, fake = drawn(200, 0), drawn(150, 1, shift=0.5)
    for extractor in EXTRACTORS:
        scores = score_generation(
            Comparison(extractor=extractor, real=summary(real), fake=summary(fake))
        )
        mean, std = inception_score(fake[1])
        assert scores == pytest.approx(
            {
                f"is_{extractor}": mean,
                f"is_std_{extractor}": std,
                f"fid_{extractor}": fid(real[0], fake[0]),
                f"kid_{extractor}": kernel_distance(real[0], fake[0]),
                f"kid_std_{extractor}": kernel_distance_spread(real[0], fake[0]),
            }
        )


def test_wanted_metrics_alone() -> None:
    comparison = Comparison(
        extractor="lenet", real=summary(drawn(50, 0)), fake=summary(drawn(50, 1))
    )
    everything = score_generation(comparison)
    found = score_generation(comparison, ["fid_lenet", "is_lenet", "fid_inception"])
    assert found == {name: everything[name] for name in ("fid_lenet", "is_lenet")}
    with pytest.raises(ConfigError, match="did you mean 'fid_lenet'"):
        score_generation(comparison, ["fid_lenett"])


def test_directions_and_bounds() -> None:
    directions = {name: metrics.info(name).direction for name in metrics.names("generation")}
    for extractor in EXTRACTORS:
        assert directions[f"is_{extractor}"] == "higher"
        assert directions[f"fid_{extractor}"] == "lower"
        assert directions[f"kid_{extractor}"] == "lower"
        assert metrics.info(f"kid_{extractor}").bounds == (None, None)  # unbiased: negative too
        assert metrics.info(f"is_{extractor}").needs == ("classes",)
    for name in metrics.names("generation"):
        assert name.rsplit("_", 1)[1] in EXTRACTORS


def test_without_classes_there_is_no_inception_score() -> None:
    sides = [Summary(6).add(drawn(50, seed)[0]) for seed in (0, 1)]
    comparison = Comparison(extractor="squeezenet", real=sides[0], fake=sides[1])
    expected = {"fid_squeezenet", "kid_squeezenet", "kid_std_squeezenet"}
    assert set(score_generation(comparison)) == expected
    with pytest.raises(ValueError, match="an extractor with classes"):
        metrics.registry.get("is_squeezenet").value(comparison)


def test_a_copy_of_the_data_is_at_the_floor_and_a_collapse_far_above() -> None:
    real = drawn(400, 0)
    copy = score_generation(Comparison(extractor="lenet", real=summary(real), fake=summary(real)))
    assert copy["fid_lenet"] < 1e-9
    assert copy["kid_lenet"] < 0  # unbiased: a copy is nearer than an independent draw
    one = real[0][:1].repeat(400, axis=0), np.eye(4)[:1].repeat(400, axis=0)
    collapsed = score_generation(
        Comparison(extractor="lenet", real=summary(real), fake=summary(one))
    )
    assert collapsed["is_lenet"] == 1
    assert collapsed["is_std_lenet"] == 0
    assert collapsed["fid_lenet"] > 5
    assert all(np.isfinite(value) for value in collapsed.values())


def test_kept_rows_are_an_even_draw_in_bounded_memory() -> None:
    times = np.zeros(60)
    for seed in range(400):
        found = Summary(1, kept=20, seed=seed)
        for part in np.split(np.arange(60.0)[:, None], [13, 15, 41]):
            found.add(part)
        assert found.rows.shape == (20, 1)
        assert len(np.unique(found.rows)) == 20
        times[found.rows[:, 0].astype(int)] += 1
    # Each row stays with probability 1/3: 133 of 400, standard deviation 9.4.
    assert np.abs(times - 400 / 3).max() < 4 * 9.4


def test_features_and_probabilities_come_together() -> None:
    features, p = drawn(5, 0)
    with pytest.raises(ValueError, match="5 features have no class probabilities"):
        Summary(6, 4).add(features)
    with pytest.raises(ValueError, match="5 features have 4 class probabilities; expected"):
        Summary(6, 4).add(features, p[:4])
    with pytest.raises(ValueError, match="5 class probabilities; expected none"):
        Summary(6).add(features, p)


def test_features_of_both_sets_have_one_width() -> None:
    x, y = drawn(100, 0, d=4)[0], drawn(80, 1, d=4)[0]
    with pytest.raises(ValueError, match=r"have shape \(80, 3\); expected \(n, 4\)"):
        fid(x, y[:, :3])
