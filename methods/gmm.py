"""The Gaussian mixture model, on the data or on their principal components: a baseline."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from deep_em_bench.methods.base import Generative, Method, Preset, check_draw, register
from deep_em_bench.methods.columns import StandardisedColumns
from deep_em_bench.methods.parameters import NonNegative, Positive, hyperparameters, parameter

__all__ = ["Gmm"]

PRESETS = {
    "full": Preset(
        title="GMM, full covariances",
        source="full covariances, 1e-3 on their diagonals, k-means start",
    ),
    "pca_full": Preset(
        title="PCA + GMM",
        source="PCA to 20 dimensions, then full covariances, 1e-3 on their diagonals",
        params={"n_pca": 20},
    ),
}

LEARNT = ("weights_", "means_", "covariances_", "precisions_cholesky_")


@register("gmm", title="GMM", version=2, presets=PRESETS)
@hyperparameters
class Gmm(StandardisedColumns, Method, Generative):
    r"""Gaussian mixture fitted by EM (Dempster et al., 1977).

    .. math:: p(x) = \sum_i \phi_i \, \mathcal{N}(x \mid \mu_i, \Sigma_i)

    Pixels that are constant within a component make the likelihood unbounded without
    ``reg_covar``.
    """

    covariance_type: Literal["full", "tied", "diag"] = parameter(
        "full", "full: a matrix per component; tied: one for all; diag: diagonal matrices"
    )
    reg_covar: NonNegative = parameter(
        1e-3, "added to the diagonal of every covariance, in squared units of the columns"
    )
    n_pca: Positive | None = parameter(
        None, "principal components to fit, at most min(N, D); None: the data as they are"
    )
    n_init: Positive = parameter(1, "independent starts; the highest bound is kept")
    max_iter: Positive = parameter(100, "maximum number of EM iterations of a start")
    tol: NonNegative = parameter(1e-3, "change of the mean log-likelihood bound that ends a start")

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Fit the mixture to ``X``; ``y`` is ignored."""
        points = self._fitting(X)
        flat = self._learn_columns(points).astype(np.float64)
        if self.n_pca is not None:
            pca = PCA(min(self.n_pca, *flat.shape), random_state=self.random_state).fit(flat)
            self.mean_, self.axes_ = pca.mean_, pca.components_
        mixture = GaussianMixture(
            self.n_clusters,
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            n_init=self.n_init,
            max_iter=self.max_iter,
            tol=self.tol,
            init_params="kmeans",
            random_state=self.random_state,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # converged_ says it
            mixture.fit(self._project(points))
        self._keep(mixture)
        self.labels_ = self.predict(X)
        self.n_iter_, self.converged_ = int(mixture.n_iter_), bool(mixture.converged_)
        self.history_ = [
            {"iteration": i + 1, "lower_bound": float(bound)}
            for i, bound in enumerate(mixture.lower_bounds_)
        ]
        if self.callback is not None:
            for row in self.history_:
                self.callback(row)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Posterior of each component, ``(N, K)`` float32."""
        X = self._checked(X)
        return self._mixture.predict_proba(self._project(X)).astype(np.float32)

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws from the mixture, or from one component; images are clipped to [0, 1]."""
        check_is_fitted(self)
        check_draw(n, component, self.n_clusters)
        rng = np.random.default_rng(random_state)
        K = self.n_clusters
        components = (
            rng.choice(K, size=n, p=self._mixture.weights_)
            if component is None
            else np.full(n, component)
        )
        X = np.empty((n, self._mixture.means_.shape[1]))
        for i in np.unique(components):
            rows = components == i
            X[rows] = rng.multivariate_normal(
                self._mixture.means_[i], self._covariance(i), size=rows.sum(), method="cholesky"
            )
        if self.n_pca is not None:
            X = X @ self.axes_ + self.mean_
        X = self._unstandardised(X).reshape(n, *self.shape_)
        if len(self.shape_) == 3:
            X = X.clip(0, 1)
        return self._outgoing(X.astype(np.float32)), components.astype(np.int64)

    def _project(self, X: np.ndarray) -> np.ndarray:
        flat = self._points(X).astype(np.float64)
        return flat if self.n_pca is None else (flat - self.mean_) @ self.axes_.T

    def _covariance(self, i: int) -> np.ndarray:
        covariances = self._mixture.covariances_
        if self.covariance_type == "tied":
            return covariances
        return np.diag(covariances[i]) if self.covariance_type == "diag" else covariances[i]

    def _keep(self, mixture: GaussianMixture) -> None:
        self._mixture = mixture
        for name in LEARNT:
            setattr(self, name, getattr(mixture, name))

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        mixture = GaussianMixture(self.n_clusters, covariance_type=self.covariance_type)
        for name in LEARNT:
            setattr(mixture, name, arrays[name])
        self._keep(mixture)

    def n_parameters(self) -> int:
        """Weights, means and covariances, and the PCA where there is one."""
        return super().n_parameters() - self._mixture.precisions_cholesky_.size
