"""K-means, the baseline that every table carries."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.metrics import pairwise_distances_argmin

from deep_em_bench.methods.base import Method, Preset, register
from deep_em_bench.methods.parameters import NonNegative, Positive, hyperparameters, parameter

__all__ = ["KMeans"]

PRESETS = {
    "default": Preset(source="scikit-learn's Lloyd iterations, k-means++ starts, best of 10"),
}


@register("kmeans", title="K-means", version=1, presets=PRESETS)
@hyperparameters
class KMeans(Method):
    """K-means (Lloyd, 1982) with k-means++ starts; responsibilities are one-hot.

    Example:
        >>> X = np.array([[0.0], [0.1], [5.0], [5.1]], dtype=np.float32)
        >>> labels = KMeans(n_clusters=2).fit(X).labels_
        >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
        True
    """

    n_init: Positive = parameter(10, "independent starts; the one of lowest inertia is kept")
    max_iter: Positive = parameter(300, "Lloyd iterations a start")
    tol: NonNegative = parameter(
        1e-4, "relative movement of the centres at which a start has converged"
    )

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Place K centres on ``X``; ``y`` is ignored."""
        X = self._fitting(X)
        inner = SklearnKMeans(
            self.n_clusters,
            n_init=self.n_init,
            max_iter=self.max_iter,
            tol=self.tol,
            random_state=self.random_state,
            algorithm="lloyd",
        ).fit(X.reshape(len(X), -1))
        self.cluster_centers_ = inner.cluster_centers_
        self.labels_ = inner.labels_.astype(np.int64)
        self.n_iter_ = int(inner.n_iter_)
        self.converged_ = self.n_iter_ < self.max_iter
        self.history_ = [{"iteration": self.n_iter_, "inertia": float(inner.inertia_)}]
        if self.callback is not None:
            self.callback(self.history_[-1])
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The nearest centre of each row, ``(N,)`` int64."""
        X = self._checked(X)
        nearest = pairwise_distances_argmin(X.reshape(len(X), -1), self.cluster_centers_)
        return nearest.astype(np.int64)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """One-hot responsibilities ``(N, K)``."""
        return np.eye(self.n_clusters, dtype=np.float32)[self.predict(X)]
