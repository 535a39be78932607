"""K-means is scikit-learn's, parameter by parameter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans as SklearnKMeans

from deep_em_bench.methods.kmeans import KMeans

X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
NEW = np.random.default_rng(1).normal(size=(100, 6)).astype(np.float32)


@pytest.mark.parametrize(
    "params",
    [
        {"n_init": 1, "random_state": 0},
        {"n_init": 1, "random_state": 7},
        {"n_init": 5, "random_state": 7},
        {"n_init": 1, "random_state": 7, "max_iter": 2},
        {"n_init": 1, "random_state": 7, "tol": 0.1},
    ],
)
def test_labels_centres_and_inertia_are_scikit_learns(params: dict[str, Any]) -> None:
    method, expected = KMeans(8, **params).fit(X), SklearnKMeans(8, **params).fit(X)
    np.testing.assert_array_equal(method.labels_, expected.labels_)
    np.testing.assert_array_equal(method.cluster_centers_, expected.cluster_centers_)
    np.testing.assert_array_equal(method.predict(NEW), expected.predict(NEW))
    assert method.history_ == [{"iteration": expected.n_iter_, "inertia": expected.inertia_}]
    assert method.converged_ == (expected.n_iter_ < params.get("max_iter", 300))


def test_inertia_is_the_squared_distance_to_the_nearest_centre() -> None:
    method = KMeans(8, n_init=1).fit(X)
    squared = ((X[:, None] - method.cluster_centers_) ** 2).sum(axis=2)  # (N, K)
    assert method.history_[-1]["inertia"] == pytest.approx(squared.min(axis=1).sum(), rel=1e-5)
    assert method.labels_.tolist() == squared.argmin(axis=1).tolist()


def test_more_starts_are_no_worse() -> None:
    inertia = [KMeans(8, n_init=n).fit(X).history_[-1]["inertia"] for n in (1, 10)]
    assert inertia[1] < inertia[0]


def test_images_are_rows_of_pixels() -> None:
    images = np.random.default_rng(2).random((60, 1, 4, 4), dtype=np.float32)
    flat = KMeans(5, n_init=1).fit(images.reshape(60, 16))
    assert KMeans(5, n_init=1).fit(images).labels_.tolist() == flat.labels_.tolist()
