"""The contingency table of clustering metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deep_em_bench.core import DataError

__all__ = ["Contingency", "checked", "contingency", "count"]

MAX_CELLS = 10**8
"""Largest size of a table (0.8 GB); real ones have some hundred cells."""


@dataclass(frozen=True, kw_only=True)
class Contingency:
    """Numbers of points of one split by class and cluster.

    ``counts`` is float64 ``(classes, clusters)``, exact up to 2**53; an empty cluster keeps its
    column. ``fit_counts`` has the same of the split on which a map from clusters to classes is
    fitted, which may be the scored one.
    """

    counts: np.ndarray
    fit_counts: np.ndarray

    @property
    def total(self) -> float:
        """N, the number of scored points."""
        return self.counts.sum()

    @property
    def classes(self) -> np.ndarray:
        """Size of each class, ``(classes,)``."""
        return self.counts.sum(axis=1)

    @property
    def clusters(self) -> np.ndarray:
        """Size of each cluster, ``(clusters,)``."""
        return self.counts.sum(axis=0)


def contingency(
    y: np.ndarray,
    labels: np.ndarray,
    *,
    n_clusters: int,
    fitted_on: tuple[np.ndarray, np.ndarray] | None = None,
) -> Contingency:
    """The table of integer ``labels`` in [0, n_clusters) against integer classes ``y`` >= 0.

    Both are ``(N,)`` with N >= 1; ``fitted_on`` is such a pair too. Raises :class:`DataError` for
    anything else, such as responsibilities.
    """
    pairs = [checked(y, labels, n_clusters)]
    if fitted_on is not None:
        pairs.append(checked(*fitted_on, n_clusters))
    n_classes = max(int(classes.max()) for classes, _ in pairs) + 1
    tables = [count(*pair, n_classes=n_classes, n_clusters=n_clusters) for pair in pairs]
    return Contingency(counts=tables[0], fit_counts=tables[-1])


def count(y: np.ndarray, labels: np.ndarray, *, n_classes: int, n_clusters: int) -> np.ndarray:
    """Points of each class in each cluster, float64 ``(n_classes, n_clusters)``.

    ``y`` and ``labels`` are as :func:`checked` returns them, and y < n_classes.
    """
    if n_classes * n_clusters > MAX_CELLS:
        raise DataError(
            f"{n_classes} classes and {n_clusters} clusters are too many for one table; "
            f"number classes and clusters from 0 without gaps"
        )
    flat = np.bincount(y * n_clusters + labels, minlength=n_classes * n_clusters)
    return flat.reshape(n_classes, n_clusters).astype(np.float64)


def checked(y: np.ndarray, labels: np.ndarray, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Both as int64 ``(N,)``: N >= 1, classes >= 0, clusters in [0, n_clusters).

    Raises :class:`DataError` for anything else.
    """
    y, labels = _integers("y", y), _integers("labels", labels)
    if len(y) != len(labels):
        raise DataError(
            f"y has {len(y)} entries, labels has {len(labels)}; expected equal numbers"
        )
    if not len(y):
        raise DataError("y and labels are empty; expected at least one point")
    if y.min() < 0:
        raise DataError(
            f"y has the value {y.min()}; expected classes >= 0: drop unlabelled points"
        )
    if labels.min() < 0 or labels.max() >= n_clusters:
        raise DataError(
            f"labels run from {labels.min()} to {labels.max()}; "
            f"expected clusters in [0, {n_clusters})"
        )
    return y, labels


def _integers(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise DataError(
            f"{name} has shape {values.shape} and type {values.dtype}; expected integers (N,): "
            f"take responsibilities.argmax(axis=1), or cast floats that are labels"
        )
    return values.astype(np.int64, copy=False)
