r"""Predicted against true classes, without matching, for methods that see some of the classes."""

from __future__ import annotations

import numpy as np

from deep_em_bench.metrics.base import names, register, registry
from deep_em_bench.metrics.contingency import checked

__all__ = ["score_classification"]


def score_classification(
    y: np.ndarray, labels: np.ndarray, *, n_clusters: int
) -> dict[str, float]:
    """Every registered classification metric of ``labels`` against the classes ``y``, by name.

    Arguments and errors are as in :func:`checked`.

    >>> score_classification(np.array([0, 1, 1]), np.array([1, 1, 1]), n_clusters=2)
    {'error_rate_classes': 0.3333333333333333}
    """
    y, labels = checked(y, labels, n_clusters)
    return {name: float(registry.get(name).value(y, labels)) for name in names("classification")}


@register(
    "error_rate_classes",
    title="Error (classes)",
    kind="classification",
    direction="lower",
    bounds=(0.0, 1.0),
    source="GAN-EM, section 5.3: with labels, components carry the class ids",
)
def error_rate_classes(y: np.ndarray, labels: np.ndarray) -> float:
    r"""Classification error: the share of points whose component is not their class.

    .. math:: 1 - \frac1N \sum_i [\hat y_i = y_i]

    Never below ``error_rate``, which uses all labels to match components to classes.
    """
    return float(np.mean(y != labels))
