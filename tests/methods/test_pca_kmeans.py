"""PCA and K-means in a row are scikit-learn's two, parameter by parameter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from deep_em_bench.methods.pca_kmeans import PcaKMeans

WIDTH = np.array([6, 5, 4, 1, 1, 1], dtype=np.float32)
X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32) * WIDTH + 10
NEW = np.random.default_rng(1).normal(size=(100, 6)).astype(np.float32) * WIDTH + 10


@pytest.mark.parametrize("n_components", [1, 2, 3])
@pytest.mark.parametrize(
    "params",
    [
        {"n_init": 1, "random_state": 0},
        {"n_init": 5, "random_state": 7},
        {"n_init": 1, "random_state": 7, "max_iter": 2},
        {"n_init": 1, "random_state": 7, "tol": 0.1},
    ],
)
def test_it_is_k_means_of_the_components(n_components: int, params: dict[str, Any]) -> None:
    method = PcaKMeans(8, n_components=n_components, **params).fit(X)
    pca = PCA(n_components, random_state=params["random_state"]).fit(X.astype(np.float64))
    Z, Z_new = (pca.transform(rows.astype(np.float64)).astype(np.float32) for rows in (X, NEW))
    expected = KMeans(8, **params).fit(Z)
    np.testing.assert_allclose(method.transform(NEW), Z_new, atol=1e-5)
    np.testing.assert_array_equal(method.labels_, expected.labels_)
    np.testing.assert_array_equal(method.predict(NEW), expected.predict(Z_new))
    assert method.n_iter_ == expected.n_iter_
    assert method.history_[-1]["inertia"] == pytest.approx(expected.inertia_, rel=1e-5)


def test_axes_are_orthonormal_and_of_falling_variance() -> None:
    method = PcaKMeans(3, n_components=3, n_init=1).fit(X)
    np.testing.assert_allclose(method.axes_ @ method.axes_.T, np.eye(3), atol=1e-6)
    variance = method.transform(X).var(axis=0)
    assert (np.diff(variance) < 0).all()
    assert variance == pytest.approx(WIDTH[:3] ** 2, rel=0.2)  # not whitened


def test_components_beyond_the_data_are_0() -> None:
    features = PcaKMeans(2, n_components=8, n_init=1).fit(X).transform(NEW)
    assert features.shape == (100, 8)
    assert features[:, :6].std(axis=0).min() > 0
    assert not features[:, 6:].any()
