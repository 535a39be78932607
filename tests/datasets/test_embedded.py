from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deep_em_bench import datasets
from deep_em_bench.core import ConfigError


def test_digits_are_all_there() -> None:
    digits = datasets.load("digits")
    assert digits.X.shape == (1797, 1, 8, 8)
    assert digits.X.dtype == np.float32
    assert np.bincount(digits.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert set(np.unique(digits.X * 16)) == set(range(17))  # exact: binary fractions
    assert digits.X_test is None
    assert digits.class_names == tuple("0123456789")
    # The first image is a nought: ink in a ring, none in its middle.
    assert digits.y[0] == 0
    assert digits.X[0, 0, 2:6, 3:5].sum() < 1.5 < digits.X[0, 0, 2:6, 2].sum()


def test_irises_are_all_there() -> None:
    iris = datasets.load("iris")
    assert iris.X.shape == (150, 4)
    assert np.bincount(iris.y).tolist() == [50, 50, 50]
    assert iris.class_names == ("setosa", "versicolor", "virginica")
    np.testing.assert_allclose(iris.X[0], [5.1, 3.5, 1.4, 0.2], rtol=1e-6)


def test_moons_lie_on_their_half_circles() -> None:
    moons = datasets.load("moons", noise=0.0, n_samples=400)
    upper, lower = moons.X[moons.y == 0], moons.X[moons.y == 1]
    np.testing.assert_allclose(np.linalg.norm(upper, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(lower - [1, 0.5], axis=1), 1, rtol=1e-5)
    assert upper[:, 1].min() > -1e-6
    assert lower[:, 1].max() < 0.5 + 1e-6


def test_blobs_have_the_said_centres_in_both_splits() -> None:
    blobs = datasets.load("blobs", centers=4, cluster_std=0.1, n_features=3, n_samples=2000)
    assert blobs.X.shape == (2000, 3)
    assert blobs.n_classes == 4
    assert blobs.X_test is not None
    for k in range(4):
        train, test = blobs.X[blobs.y == k], blobs.X_test[blobs.y_test == k]
        np.testing.assert_allclose(train.mean(axis=0), test.mean(axis=0), atol=0.03)
        np.testing.assert_allclose(train.std(axis=0), 0.1, rtol=0.15)
        assert np.abs(train.mean(axis=0)).max() <= 10.1


@pytest.mark.parametrize("name", ["moons", "blobs"])
def test_drawn_data_follow_the_seed_and_nothing_else(name: str) -> None:
    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    first = datasets.load(name, seed=5)
    state = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    again = datasets.load(name, seed=5)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # type: ignore[index]  # noqa: NPY002
    other = datasets.load(name, seed=6)
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.y, again.y)
    np.testing.assert_array_equal(first.X_test, again.X_test)
    assert not np.array_equal(first.X, other.X)
    assert first.X_test is not None
    assert len(first.X_test) == len(first.X) == 1000
    together = np.concatenate([first.X, first.X_test])
    assert len(np.unique(together, axis=0)) == 2000  # no point is in both splits


@pytest.mark.parametrize(
    ("name", "words", "sentence"),
    [
        ("moons", {"n_samples": 1}, "n_samples is 1; expected a whole number of at least 2"),
        ("moons", {"n_samples": 10.0}, "n_samples is 10.0; expected a whole"),
        ("moons", {"n_samples": True}, "n_samples is True; expected a whole"),
        ("moons", {"noise": -0.1}, "noise is -0.1; expected a finite number of at least 0"),
        ("moons", {"noise": float("nan")}, "noise is nan"),
        ("moons", {"noise": "much"}, "noise is 'much'"),
        ("blobs", {"centers": 0}, "centers is 0; expected a whole number of at least 1"),
        ("blobs", {"centers": 8, "n_samples": 7}, "n_samples is 7; .* at least 8"),
        ("blobs", {"n_features": 0}, "n_features is 0"),
        ("blobs", {"cluster_std": float("inf")}, "cluster_std is inf"),
    ],
)
def test_words_out_of_range_are_refused(name: str, words: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        datasets.load(name, **words)
