"""t-SNE maps the points it is given and no others; new ones go by their nearest neighbour."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier

from deep_em_bench.core import UserError
from deep_em_bench.methods.tsne_kmeans import TsneKMeans

KIND = np.arange(45) % 3
X = (np.random.default_rng(1).normal(size=(45, 4)) + 50 * np.eye(4)[KIND]).astype(np.float32)
SHORT = {"iterations": 250, "n_init": 1}


@pytest.fixture(scope="module")
def fitted() -> TsneKMeans:
    return TsneKMeans(3, **SHORT).fit(X)


def test_clear_groups_are_found(fitted: TsneKMeans) -> None:
    assert adjusted_rand_score(KIND, fitted.labels_) == 1


def test_a_new_point_takes_the_cluster_of_the_nearest_fitted_one(fitted: TsneKMeans) -> None:
    new = X + np.random.default_rng(0).normal(size=X.shape).astype(np.float32) * 20
    oracle = KNeighborsClassifier(1).fit(X, fitted.labels_)
    np.testing.assert_array_equal(fitted.predict(new), oracle.predict(new))


def test_the_map_of_new_points_is_made_of_them_alone(fitted: TsneKMeans) -> None:
    other = TsneKMeans(3, **SHORT).fit(X[:20] + 1)
    np.testing.assert_array_equal(fitted.transform(X), other.transform(X))
    assert (fitted.transform(X[:30])[:5] != fitted.transform(X)[:5]).any()


def test_equal_points_share_a_cluster_wherever_the_map_has_them() -> None:
    twice = np.concatenate([X, X])
    labels = TsneKMeans(8, **SHORT).fit(twice).labels_
    np.testing.assert_array_equal(labels[: len(X)], labels[len(X) :])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_few_points_and_few_columns_have_a_map_too(n: int, n_components: int) -> None:
    method = TsneKMeans(1, n_components=n_components, **SHORT).fit(X[:n, :2])
    found = method.transform(X[:n, :2])
    assert found.shape == (n, n_components)
    assert np.isfinite(found).all()


def test_points_that_do_not_differ_lie_at_one_place() -> None:
    method = TsneKMeans(1, **SHORT).fit(np.ones((6, 3), dtype=np.float32))
    assert not method.transform(np.ones((4, 3), dtype=np.float32)).any()


def test_what_barnes_hut_cannot_do_is_refused() -> None:
    with pytest.raises(UserError, match="n_components"):
        TsneKMeans(3, n_components=4).fit(X)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="iterations"):
        TsneKMeans(3, iterations=10).fit(X)
