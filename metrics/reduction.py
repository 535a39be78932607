"""Features against classes: how much of the classes a reduction keeps."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from deep_em_bench.core import DataError
from deep_em_bench.metrics.base import names, register, registry

__all__ = ["score_reduction"]

NEIGHBOURS = 5


def score_reduction(y: np.ndarray, features: np.ndarray) -> dict[str, float]:
    """Every registered reduction metric of ``features`` against the classes ``y``, by name.

    ``features`` is ``(N, k)``, ``y`` is ``(N,)`` integers, with at least six points. Raises
    :class:`DataError` for anything else, and for NaN or infinity.
    """
    y, features = np.asarray(y), np.asarray(features, dtype=np.float32)
    if features.ndim != 2 or y.shape != (len(features),) or len(y) <= NEIGHBOURS:
        raise DataError(
            f"features have shape {features.shape} and y {y.shape}; expected (N, k) and (N,) with "
            f"N > {NEIGHBOURS}"
        )
    if not np.isfinite(features).all():
        raise DataError("features have NaN or infinity; expected finite numbers")
    return {name: float(registry.get(name).value(y, features)) for name in names("reduction")}


@register(
    "knn_accuracy",
    title="k-NN accuracy",
    kind="reduction",
    direction="higher",
    bounds=(0.0, 1.0),
    source="defined here: 5 nearest neighbours, each point left out in its turn; of a run's first "
    "5,000 points, whose features it keeps",
)
def knn_accuracy(y: np.ndarray, features: np.ndarray) -> float:
    """Share of points whose class is the majority of their five nearest other points.

    Ties go to the class with the nearer neighbours.
    """
    index = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(features)
    near = index.kneighbors(return_distance=False)  # of each fitted point, without itself
    votes = np.zeros((len(y), int(y.max()) + 1))
    # A nearer neighbour counts a little more; all these amounts together are less than a vote.
    for rank, column in enumerate(near.T):
        votes[np.arange(len(y)), y[column]] += 1 - rank * 0.01
    return float(np.mean(votes.argmax(axis=1) == y))
