"""K-means, PCA + K-means and t-SNE + K-means against scikit-learn, parameter by parameter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier

from deep_em_bench.core import UserError
from deep_em_bench.methods.kmeans import KMeans, PcaKMeans, TsneKMeans

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
    method, expected = (
        KMeans(standardise=False, n_clusters=8, **params).fit(X),
        SklearnKMeans(8, **params).fit(X),
    )
    np.testing.assert_array_equal(method.labels_, expected.labels_)
    np.testing.assert_array_equal(method.cluster_centers_, expected.cluster_centers_)
    np.testing.assert_array_equal(method.predict(NEW), expected.predict(NEW))
    assert method.history_ == [{"iteration": expected.n_iter_, "inertia": expected.inertia_}]
    assert method.converged_ == (expected.n_iter_ < params.get("max_iter", 300))


def test_inertia_is_the_squared_distance_to_the_nearest_centre() -> None:
    method = KMeans(standardise=False, n_clusters=8, n_init=1).fit(X)
    squared = ((X[:, None] - method.cluster_centers_) ** 2).sum(axis=2)  # (N, K)
    assert method.history_[-1]["inertia"] == pytest.approx(squared.min(axis=1).sum(), rel=1e-5)
    assert method.labels_.tolist() == squared.argmin(axis=1).tolist()


def test_more_starts_are_no_worse() -> None:
    inertia = [
        KMeans(standardise=False, n_clusters=8, n_init=n).fit(X).history_[-1]["inertia"]
        for n in (1, 10)
    ]
    assert inertia[1] < inertia[0]


def test_images_are_rows_of_pixels() -> None:
    images = np.random.default_rng(2).random((60, 1, 4, 4), dtype=np.float32)
    flat = KMeans(standardise=False, n_clusters=5, n_init=1).fit(images.reshape(60, 16))
    assert (
        KMeans(standardise=False, n_clusters=5, n_init=1).fit(images).labels_.tolist()
        == flat.labels_.tolist()
    )


WIDTH = np.array([6, 5, 4, 1, 1, 1], dtype=np.float32)
WIDE = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32) * WIDTH + 10
WIDE_NEW = np.random.default_rng(1).normal(size=(100, 6)).astype(np.float32) * WIDTH + 10


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
    method = PcaKMeans(standardise=False, n_clusters=8, n_components=n_components, **params).fit(
        WIDE
    )
    pca = PCA(n_components, random_state=params["random_state"]).fit(WIDE.astype(np.float64))
    Z, Z_new = (
        pca.transform(rows.astype(np.float64)).astype(np.float32) for rows in (WIDE, WIDE_NEW)
    )
    expected = SklearnKMeans(8, **params).fit(Z)
    np.testing.assert_allclose(method.transform(WIDE_NEW), Z_new, atol=1e-5)
    np.testing.assert_array_equal(method.labels_, expected.labels_)
    np.testing.assert_array_equal(method.predict(WIDE_NEW), expected.predict(Z_new))
    assert method.n_iter_ == expected.n_iter_
    assert method.history_[-1]["inertia"] == pytest.approx(expected.inertia_, rel=1e-5)


def test_axes_are_orthonormal_and_of_falling_variance() -> None:
    method = PcaKMeans(standardise=False, n_clusters=3, n_components=3, n_init=1).fit(WIDE)
    np.testing.assert_allclose(method.axes_ @ method.axes_.T, np.eye(3), atol=1e-6)
    variance = method.transform(WIDE).var(axis=0)
    assert (np.diff(variance) < 0).all()
    assert variance == pytest.approx(WIDTH[:3] ** 2, rel=0.2)  # not whitened


def test_components_beyond_the_data_are_0() -> None:
    features = (
        PcaKMeans(standardise=False, n_clusters=2, n_components=8, n_init=1)
        .fit(WIDE)
        .transform(WIDE_NEW)
    )
    assert features.shape == (100, 8)
    assert features[:, :6].std(axis=0).min() > 0
    assert not features[:, 6:].any()


KIND = np.arange(45) % 3
GROUPS = (np.random.default_rng(1).normal(size=(45, 4)) + 50 * np.eye(4)[KIND]).astype(np.float32)
SHORT = {"iterations": 250, "n_init": 1}


@pytest.fixture(scope="module")
def fitted() -> TsneKMeans:
    return TsneKMeans(standardise=False, n_clusters=3, **SHORT).fit(GROUPS)


def test_clear_groups_are_found(fitted: TsneKMeans) -> None:
    assert adjusted_rand_score(KIND, fitted.labels_) == 1


def test_a_new_point_takes_the_cluster_of_the_nearest_fitted_one(fitted: TsneKMeans) -> None:
    new = GROUPS + np.random.default_rng(0).normal(size=GROUPS.shape).astype(np.float32) * 20
    oracle = KNeighborsClassifier(1).fit(GROUPS, fitted.labels_)
    np.testing.assert_array_equal(fitted.predict(new), oracle.predict(new))


def test_the_map_of_new_points_is_made_of_them_alone(fitted: TsneKMeans) -> None:
    other = TsneKMeans(standardise=False, n_clusters=3, **SHORT).fit(GROUPS[:20] + 1)
    np.testing.assert_array_equal(fitted.transform(GROUPS), other.transform(GROUPS))
    assert (fitted.transform(GROUPS[:30])[:5] != fitted.transform(GROUPS)[:5]).any()


def test_equal_points_share_a_cluster_wherever_the_map_has_them() -> None:
    twice = np.concatenate([GROUPS, GROUPS])
    labels = TsneKMeans(standardise=False, n_clusters=8, **SHORT).fit(twice).labels_
    np.testing.assert_array_equal(labels[: len(GROUPS)], labels[len(GROUPS) :])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_few_points_and_few_columns_have_a_map_too(n: int, n_components: int) -> None:
    method = TsneKMeans(standardise=False, n_clusters=1, n_components=n_components, **SHORT).fit(
        GROUPS[:n, :2]
    )
    found = method.transform(GROUPS[:n, :2])
    assert found.shape == (n, n_components)
    assert np.isfinite(found).all()


def test_points_that_do_not_differ_lie_at_one_place() -> None:
    method = TsneKMeans(standardise=False, n_clusters=1, **SHORT).fit(
        np.ones((6, 3), dtype=np.float32)
    )
    assert not method.transform(np.ones((4, 3), dtype=np.float32)).any()


def test_what_barnes_hut_cannot_do_is_refused() -> None:
    with pytest.raises(UserError, match="n_components"):
        TsneKMeans(standardise=False, n_clusters=3, n_components=4).fit(GROUPS)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="iterations"):
        TsneKMeans(standardise=False, n_clusters=3, iterations=10).fit(GROUPS)
