"""The Gaussian mixture: scikit-learn's own, what it draws, and the PCA in front of it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from deep_em_bench.methods.gmm import Gmm

Covariance = Literal["full", "tied", "diag"]
COVARIANCES: tuple[Covariance, ...] = ("full", "tied", "diag")
EVERY_TYPE = pytest.mark.parametrize("covariance_type", COVARIANCES)

KIND = np.arange(600) % 3
SLANTED = np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 2.0]])


def blobs() -> np.ndarray:
    """Three clear blobs in three dimensions, slanted and each of another width."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0], [20, 0, 5], [0, 20, -5]])
    width = np.array([1.0, 1.5, 0.5])[KIND, None]
    return (centres[KIND] + width * (rng.normal(size=(600, 3)) @ SLANTED)).astype(np.float32)


def oracle(X: np.ndarray, **params: Any) -> GaussianMixture:
    settings = {"reg_covar": 1e-3, "random_state": 0}
    return GaussianMixture(3, **{**settings, **params}).fit(X.astype(np.float64))


def covariances(method: Gmm) -> np.ndarray:
    """Of every component, ``(K, d, d)``."""
    learnt = method._mixture.covariances_
    if method.covariance_type == "tied":
        return np.stack([learnt] * 3)
    return np.stack([np.diag(S) for S in learnt]) if learnt.ndim == 2 else learnt


@EVERY_TYPE
def test_posteriors_are_scikit_learns(covariance_type: Covariance) -> None:
    X = blobs()
    method = Gmm(standardise=False, n_clusters=3, covariance_type=covariance_type).fit(X)
    expected = oracle(X, covariance_type=covariance_type)
    assert adjusted_rand_score(KIND, method.labels_) == 1
    between = np.random.default_rng(1).uniform(-5, 25, size=(200, 3)).astype(np.float32)
    for rows in (X, between):
        p = expected.predict_proba(rows.astype(np.float64))
        np.testing.assert_allclose(method.predict_proba(rows), p, atol=1e-6)
    assert [row["lower_bound"] for row in method.history_] == expected.lower_bounds_
    assert (method.n_iter_, method.converged_) == (expected.n_iter_, expected.converged_)


def test_parameters_reach_the_mixture() -> None:
    X = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)  # starts differ
    given: dict[str, Any] = {"reg_covar": 0.5, "n_init": 4, "max_iter": 3, "tol": 0.0}
    method = Gmm(standardise=False, n_clusters=3, **given, random_state=5).fit(X)
    with pytest.warns(UserWarning, match="did not converge"):
        expected = oracle(X, **given, random_state=5)
    np.testing.assert_allclose(covariances(method), expected.covariances_, rtol=1e-10)
    assert (method.n_iter_, method.converged_) == (3, False)


@EVERY_TYPE
def test_draws_have_the_moments_of_their_components(covariance_type: Covariance) -> None:
    method = Gmm(standardise=False, n_clusters=3, covariance_type=covariance_type).fit(blobs())
    for i, S in enumerate(covariances(method)):
        drawn, component = method.sample(20_000, component=i)
        assert (component == i).all()
        width = np.sqrt(np.diag(S))
        off = (drawn.mean(axis=0) - method._mixture.means_[i]) / width
        assert np.abs(off).max() < 0.03
        gap = (np.cov(drawn, rowvar=False) - S) / np.outer(width, width)
        assert np.abs(gap).max() < 0.05


def test_components_are_drawn_by_their_weights() -> None:
    X = np.concatenate([blobs()[KIND == 0], blobs()[KIND == 1][:50]])
    method = Gmm(standardise=False, n_clusters=2).fit(X)
    counts = np.bincount(method.sample(20_000)[1], minlength=2)
    shares = np.bincount(method.labels_, minlength=2) / len(X)
    assert sorted(shares) == pytest.approx([0.2, 0.8])
    assert counts / 20_000 == pytest.approx(shares, abs=0.02)


class TestPca:
    def test_posteriors_are_those_of_the_projected_data(self) -> None:
        X = blobs()
        method = Gmm(standardise=False, n_clusters=3, n_pca=2).fit(X)
        pca = PCA(2, random_state=0).fit(X.astype(np.float64))
        expected = oracle(pca.transform(X.astype(np.float64)))
        new = X[:50] + 3
        p = expected.predict_proba(pca.transform(new.astype(np.float64)))
        np.testing.assert_allclose(method.predict_proba(new), p, atol=1e-6)
        assert adjusted_rand_score(KIND, method.labels_) == 1

    def test_samples_are_back_in_the_space_of_the_data(self) -> None:
        X = blobs() + 100
        method = Gmm(standardise=False, n_clusters=3, n_pca=2).fit(X)
        for i in range(3):
            own = X[method.labels_ == i]
            drawn, _ = method.sample(5000, component=i)
            assert drawn.shape == (5000, 3)
            np.testing.assert_allclose(drawn.mean(axis=0), own.mean(axis=0), atol=0.3)
        pca = PCA(2).fit(X.astype(np.float64))
        drawn = method.sample(100)[0]
        np.testing.assert_allclose(pca.inverse_transform(pca.transform(drawn)), drawn, atol=1e-3)

    def test_more_components_than_there_are_change_no_posterior(self) -> None:
        X = blobs()
        whole = Gmm(standardise=False, n_clusters=3, n_pca=50, reg_covar=0.0).fit(X)
        assert whole.axes_.shape == (3, 3)
        plain = Gmm(standardise=False, n_clusters=3, reg_covar=0.0).fit(
            X
        )  # a mixture does not mind a rotation
        new = X[:50] + 3
        order = [int(plain.labels_[whole.labels_ == i][0]) for i in range(3)]
        np.testing.assert_allclose(
            whole.predict_proba(new), plain.predict_proba(new)[:, order], atol=1e-4
        )


def test_images_stay_images() -> None:
    X = np.random.default_rng(0).random((60, 1, 4, 4), dtype=np.float32)
    for n_pca in (None, 5):
        drawn, _ = (
            Gmm(standardise=False, n_clusters=2, n_pca=n_pca, reg_covar=1.0).fit(X).sample(50)
        )
        assert drawn.shape == (50, 1, 4, 4)
        assert (drawn.min(), drawn.max()) == (0, 1)  # so wide a mixture is clipped at both ends


def test_parameters_are_counted_once() -> None:
    X = blobs()
    counts = {
        kind: Gmm(standardise=False, n_clusters=3, covariance_type=kind).fit(X).n_parameters()
        for kind in COVARIANCES
    }
    assert counts == {"full": 3 + 9 + 27, "tied": 3 + 9 + 9, "diag": 3 + 9 + 9}
    assert (
        Gmm(standardise=False, n_clusters=3, n_pca=2).fit(X).n_parameters() == 3 + 6 + 12 + 3 + 6
    )  # mean and axes of the PCA
