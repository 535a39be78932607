"""Metrics: a registry of all, and one function for each kind of result."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from deep_em_bench.core.plugins import files_of
from deep_em_bench.metrics.base import Direction, Kind, Metric, info, names, register, registry

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "VERSION",
    "Direction",
    "Kind",
    "Metric",
    "info",
    "names",
    "register",
    "registry",
    "score_classification",
    "score_clustering",
    "score_reduction",
    "version",
]

VERSION = "1"
"""Raised when a metric's result changes for the same input."""


def version() -> str:
    """:data:`VERSION`, with a digest of the plugins that metrics come from: part of every record.

    >>> version()
    '1'
    """
    files: set[tuple[str, str]] = set()
    for name, declared in registry.declarations().items():
        if not declared.module.startswith("deep_em_bench."):
            files |= set(files_of(registry.get(name).value.__module__).items())
    if not files:
        return VERSION
    digest = hashlib.sha256(repr(sorted(files)).encode()).hexdigest()
    return f"{VERSION}+sha:{digest[:8]}"


def score_clustering(
    y: np.ndarray,
    labels: np.ndarray,
    *,
    n_clusters: int,
    fitted_on: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, float]:
    """Every registered clustering metric of ``labels`` against the classes ``y``.

    See :func:`metrics.clustering.score_clustering`, which is imported on the first call.
    """
    from deep_em_bench.metrics import clustering

    return clustering.score_clustering(y, labels, n_clusters=n_clusters, fitted_on=fitted_on)


def score_classification(
    y: np.ndarray, labels: np.ndarray, *, n_clusters: int
) -> dict[str, float]:
    """Every registered classification metric of ``labels`` against the classes ``y``.

    See :func:`metrics.classification.score_classification`, imported on the first call.
    """
    from deep_em_bench.metrics import classification

    return classification.score_classification(y, labels, n_clusters=n_clusters)


def score_reduction(y: np.ndarray, features: np.ndarray) -> dict[str, float]:
    """Every registered reduction metric of ``features`` against the classes ``y``.

    See :func:`metrics.reduction.score_reduction`, which is imported on the first call.
    """
    from deep_em_bench.metrics import reduction

    return reduction.score_reduction(y, features)
