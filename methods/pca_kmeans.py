"""K-means on principal components, the baseline of every reduction."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin

from deep_em_bench.methods.base import Method, Preset, Reducer, register
from deep_em_bench.methods.parameters import NonNegative, Positive, hyperparameters, parameter

__all__ = ["PcaKMeans"]

PRESETS = {
    "default": Preset(source="scikit-learn: PCA without whitening, then K-means, best of 10"),
}


@register("pca_kmeans", title="PCA + K-means", version=1, presets=PRESETS)
@hyperparameters
class PcaKMeans(Method, Reducer):
    """PCA (Pearson, 1901), then K-means on the components; responsibilities are one-hot."""

    n_components: Positive = parameter(
        2, "of the reduction, at most min(N, D): further ones are constantly 0"
    )
    n_init: Positive = parameter(
        10, "independent starts of K-means; the one of lowest inertia is kept"
    )
    max_iter: Positive = parameter(300, "Lloyd iterations a start")
    tol: NonNegative = parameter(
        1e-4, "relative movement of the centres at which a start has converged"
    )

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Find axes and centres in ``X``; ``y`` is ignored."""
        X = self._fitting(X)
        flat = X.reshape(len(X), -1).astype(np.float64)
        found = PCA(min(self.n_components, *flat.shape), random_state=self.random_state).fit(flat)
        self.mean_ = found.mean_
        self.axes_ = np.zeros((self.n_components, flat.shape[1]))
        self.axes_[: len(found.components_)] = found.components_
        inner = SklearnKMeans(
            self.n_clusters,
            n_init=self.n_init,
            max_iter=self.max_iter,
            tol=self.tol,
            random_state=self.random_state,
        ).fit(self.transform(X))
        self.cluster_centers_ = inner.cluster_centers_
        self.labels_ = self.predict(X)
        self.n_iter_ = int(inner.n_iter_)
        self.converged_ = self.n_iter_ < self.max_iter
        self.history_ = [{"iteration": self.n_iter_, "inertia": float(inner.inertia_)}]
        if self.callback is not None:
            self.callback(self.history_[-1])
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Principal components ``(N, n_components)`` float32."""
        X = self._checked(X)
        return ((X.reshape(len(X), -1) - self.mean_) @ self.axes_.T).astype(np.float32)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The nearest centre of each row, ``(N,)`` int64."""
        nearest = pairwise_distances_argmin(self.transform(X), self.cluster_centers_)
        return nearest.astype(np.int64)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """One-hot responsibilities ``(N, K)``."""
        return np.eye(self.n_clusters, dtype=np.float32)[self.predict(X)]
