"""K-means on the data, on principal components and on a t-SNE: the baselines of every table."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances_argmin
from threadpoolctl import threadpool_limits

from deep_em_bench.methods.base import Method, Preset, Reducer, register
from deep_em_bench.methods.columns import StandardisedColumns
from deep_em_bench.methods.parameters import (
    NonNegative,
    Positive,
    Range,
    hyperparameters,
    parameter,
)

__all__ = ["KMeans", "PcaKMeans", "TsneKMeans"]

KMEANS_PRESETS = {
    "default": Preset(
        title="K-means",
        source="scikit-learn's Lloyd iterations, k-means++ starts, best of 10",
    ),
}
PCA_PRESETS = {
    "default": Preset(
        title="PCA + K-means",
        source="scikit-learn: PCA without whitening, then K-means, best of 10",
    ),
}
TSNE_PRESETS = {
    "default": Preset(
        title="t-SNE + K-means",
        source="scikit-learn: Barnes-Hut t-SNE, then K-means, best of 10",
    ),
}


@hyperparameters
class _OneHot(StandardisedColumns, Method):
    """A method that ends in K-means with k-means++ starts; its responsibilities are one-hot."""

    n_init: Positive = parameter(10, "independent starts of K-means; the lowest inertia is kept")

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """One-hot responsibilities ``(N, K)``."""
        return np.eye(self.n_clusters, dtype=np.float32)[self.predict(X)]

    def _k_means(self, points: np.ndarray, **settings: Any) -> SklearnKMeans:
        return SklearnKMeans(
            self.n_clusters, n_init=self.n_init, random_state=self.random_state, **settings
        ).fit(points)

    def _record(self, row: dict[str, Any]) -> None:
        self.history_ = [row]
        if self.callback is not None:
            self.callback(row)


@register("kmeans", title="K-means", version=2, presets=KMEANS_PRESETS)
@hyperparameters
class KMeans(_OneHot):
    """K-means (Lloyd, 1982) with k-means++ starts; responsibilities are one-hot.

    Example:
        >>> X = np.array([[0.0], [0.1], [5.0], [5.1]], dtype=np.float32)
        >>> labels = KMeans(n_clusters=2).fit(X).labels_
        >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
        True
    """

    max_iter: Positive = parameter(300, "maximum number of Lloyd iterations of a start")
    tol: NonNegative = parameter(1e-4, "relative movement of the centres that ends a start")

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Place K centres on ``X``; ``y`` is ignored."""
        self._place_centers(self._learn_columns(self._fitting(X)))
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The nearest centre of each row, ``(N,)`` int64."""
        X = self._checked(X)
        return _nearest(self._points(X), self.cluster_centers_)

    def _place_centers(self, points: np.ndarray) -> None:
        """K-means of ``points``, ``(N, d)``, with all that a fit keeps of it."""
        k_means = self._k_means(points, max_iter=self.max_iter, tol=self.tol)
        self.cluster_centers_ = k_means.cluster_centers_
        self.labels_ = k_means.labels_.astype(np.int64)
        self.n_iter_ = int(k_means.n_iter_)
        self.converged_ = self.n_iter_ < self.max_iter
        self._record({"iteration": self.n_iter_, "inertia": float(k_means.inertia_)})


@register("pca_kmeans", title="PCA + K-means", version=2, presets=PCA_PRESETS)
@hyperparameters
class PcaKMeans(KMeans, Reducer):
    """PCA (Pearson, 1901), then K-means on the components; responsibilities are one-hot."""

    n_components: Positive = parameter(2, "components; those beyond min(N, D) are constantly 0")

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Find axes and centres in ``X``; ``y`` is ignored."""
        flat = self._learn_columns(self._fitting(X)).astype(np.float64)
        pca = PCA(min(self.n_components, *flat.shape), random_state=self.random_state).fit(flat)
        self.mean_ = pca.mean_
        self.axes_ = np.zeros((self.n_components, flat.shape[1]))
        self.axes_[: len(pca.components_)] = pca.components_
        self._place_centers(self.transform(X))
        self.labels_ = self.predict(X)  # in float64, unlike scikit-learn's own
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Principal components ``(N, n_components)`` float32."""
        X = self._checked(X)
        return ((self._points(X) - self.mean_) @ self.axes_.T).astype(np.float32)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The nearest centre of each row, ``(N,)`` int64."""
        return _nearest(self.transform(X), self.cluster_centers_)


@register("tsne_kmeans", title="t-SNE + K-means", version=2, presets=TSNE_PRESETS)
@hyperparameters
class TsneKMeans(_OneHot, Reducer):
    """t-SNE (van der Maaten and Hinton, 2008), then K-means on its map; one-hot responsibilities.

    t-SNE is TRANSDUCTIVE: it places the fitted points and learns no map for others. A new point
    takes the cluster of its nearest fitted point in X, and :meth:`transform` makes a new map of
    the points that it is given. Unlike the features of any other reducer, those of t-SNE are
    learnt on the very points that are scored; labels are never seen.
    """

    n_components: Literal[1, 2, 3] = parameter(2, "dimensions of the map")
    perplexity: Annotated[float, Range(1.0)] = parameter(
        30.0, "effective number of neighbours, at most a third of the number of points"
    )
    iterations: Annotated[int, Range(250)] = parameter(
        1000, "maximum number of gradient steps; 300 without progress end it too"
    )

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Map the points of ``X`` and find centres in the map; ``y`` is ignored."""
        flat = self._learn_columns(self._fitting(X))
        embedded, self.n_iter_, divergence = self._map(flat)
        k_means = self._k_means(embedded)
        # Equal points may lie apart in the map: all of them take the cluster of the first one.
        self.points_, first = np.unique(flat, axis=0, return_index=True)
        self.clusters_ = k_means.labels_[first].astype(np.int64)
        self.labels_ = self.predict(X)
        self.converged_ = self.n_iter_ < self.iterations
        row = {"iteration": self.n_iter_, "kl_divergence": divergence}
        self._record(row | {"inertia": float(k_means.inertia_)})
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """A new map of these points alone, ``(N, n_components)`` float32.

        The coordinates of a point depend on the other points in ``X``.
        """
        X = self._checked(X)
        return self._map(self._points(X))[0]

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The cluster of the nearest fitted point of each row, ``(N,)`` int64."""
        X = self._checked(X)
        return self.clusters_[_nearest(self._points(X), self.points_)]

    def _map(self, flat: np.ndarray) -> tuple[np.ndarray, int, float]:
        """The map of ``flat`` (N, D), its iterations, and its divergence from the data."""
        n, spread = len(flat), np.ptp(flat, axis=0).any()
        if n < 2 or not spread:  # all points are equal
            return np.zeros((n, self.n_components), dtype=np.float32), 1, 0.0
        tsne = TSNE(
            self.n_components,
            perplexity=min(self.perplexity, max(1.0, (n - 1) / 3)),
            max_iter=self.iterations,
            init="pca" if min(flat.shape) > self.n_components else "random",
            random_state=self.random_state,
        )
        with threadpool_limits(1, "openmp"):  # several threads add forces in no fixed order
            embedded = tsne.fit_transform(flat)
        return embedded.astype(np.float32), int(tsne.n_iter_) + 1, float(tsne.kl_divergence_)


def _nearest(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Index of the nearest centre of each point, ``(N,)`` int64."""
    return pairwise_distances_argmin(points, centers).astype(np.int64)
