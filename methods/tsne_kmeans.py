"""K-means on a t-SNE of the pixels, the baseline of every picture of a reduction."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances_argmin
from threadpoolctl import threadpool_limits

from deep_em_bench.methods.base import Method, Preset, Reducer, register
from deep_em_bench.methods.parameters import Positive, Range, hyperparameters, parameter

__all__ = ["TsneKMeans"]

PRESETS = {
    "default": Preset(source="scikit-learn: Barnes-Hut t-SNE, then K-means, best of 10"),
}


@register("tsne_kmeans", title="t-SNE + K-means", version=1, presets=PRESETS)
@hyperparameters
class TsneKMeans(Method, Reducer):
    """t-SNE (van der Maaten and Hinton, 2008), then K-means on its map; one-hot responsibilities.

    t-SNE is TRANSDUCTIVE: it places the points it is given and learns no map for others. So the
    clusters are those of the fitted points' map, a new point takes the cluster of the fitted point
    that is nearest to it in X, and :meth:`transform` makes a new map of the points in its hands.
    Its features have thus seen the very points that are scored, as those of no other reducer have,
    though never their labels.
    """

    n_components: Literal[1, 2, 3] = parameter(2, "dimensions of the map")
    perplexity: Annotated[float, Range(1.0)] = parameter(
        30.0, "effective number of neighbours; of few points a third of their number"
    )
    iterations: Annotated[int, Range(250)] = parameter(
        1000, "of gradient descent, at most; it also stops after 300 without progress"
    )
    n_init: Positive = parameter(
        10, "independent starts of K-means; the one of lowest inertia is kept"
    )

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Map the points of ``X`` and find centres in the map; ``y`` is ignored."""
        X = self._fitting(X)
        flat = X.reshape(len(X), -1)
        embedded, self.n_iter_, divergence = self._map(flat)
        inner = SklearnKMeans(self.n_clusters, n_init=self.n_init, random_state=self.random_state)
        found = inner.fit_predict(embedded)
        # Equal points may lie apart in the map; the first one speaks for all.
        self.points_, first = np.unique(flat, axis=0, return_index=True)
        self.clusters_ = found[first].astype(np.int64)
        self.labels_ = self.predict(X)
        self.converged_ = self.n_iter_ < self.iterations
        row = {"iteration": self.n_iter_, "kl_divergence": divergence}
        self.history_ = [row | {"inertia": float(inner.inertia_)}]
        if self.callback is not None:
            self.callback(self.history_[-1])
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """A map of these points alone, ``(N, n_components)`` float32: none is placed by the fit.

        The coordinates of a point depend on the others given with it.
        """
        X = self._checked(X)
        return self._map(X.reshape(len(X), -1))[0]

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The cluster of the nearest fitted point of each row, ``(N,)`` int64."""
        X = self._checked(X)
        nearest = pairwise_distances_argmin(X.reshape(len(X), -1), self.points_)
        return self.clusters_[nearest]

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """One-hot responsibilities ``(N, K)``."""
        return np.eye(self.n_clusters, dtype=np.float32)[self.predict(X)]

    def _map(self, flat: np.ndarray) -> tuple[np.ndarray, int, float]:
        """The map of ``flat`` (N, D), the iterations it took, and its divergence from the data."""
        n, spread = len(flat), np.ptp(flat, axis=0).any()
        if n < 2 or not spread:  # nothing lies apart
            return np.zeros((n, self.n_components), dtype=np.float32), 1, 0.0
        tsne = TSNE(
            self.n_components,
            perplexity=min(self.perplexity, max(1.0, (n - 1) / 3)),
            max_iter=self.iterations,
            init="pca" if min(flat.shape) > self.n_components else "random",
            random_state=self.random_state,
        )
        with threadpool_limits(1, "openmp"):  # threads add the forces up in no fixed order
            embedded = tsne.fit_transform(flat)
        return embedded.astype(np.float32), int(tsne.n_iter_) + 1, float(tsne.kl_divergence_)
