r"""Clusters against classes: all metrics are computed from one contingency table.

Notation: :math:`n_{ck}` is the number of points of class c in cluster k, :math:`n_{c\cdot}` and
:math:`n_{\cdot k}` are the margins, N is the total. Counts are float64 and exact. All metrics
together cost one pass over the points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import entr

from deep_em_bench.core import DataError
from deep_em_bench.metrics.base import names, register, registry
from deep_em_bench.metrics.contingency import Contingency, checked, contingency, count

__all__ = [
    "ClusterRow",
    "cluster_table",
    "match_clusters",
    "score_clustering",
]


def score_clustering(
    y: np.ndarray,
    labels: np.ndarray,
    *,
    n_clusters: int,
    fitted_on: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, float]:
    """Every registered clustering metric of ``labels`` against the classes ``y``, by name.

    ``fitted_on`` is ``(y_train, labels_train)``, on which ``error_rate_majority`` fits its map; by
    default the scored split. Arguments and errors are as in :func:`contingency`.

    >>> y, labels = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 1])
    >>> score_clustering(y, labels, n_clusters=2)["error_rate"]
    0.25
    """
    table = contingency(y, labels, n_clusters=n_clusters, fitted_on=fitted_on)
    return {name: float(registry.get(name).value(table)) for name in names("clustering")}


@dataclass(frozen=True, kw_only=True)
class ClusterRow:
    """One cluster of a per-cluster table."""

    cluster: int
    size: int
    majority_class: int | None
    """The most frequent class, the first of equals; None for an empty cluster."""
    purity: float
    """Share of that class in the cluster; 0 for an empty one, as in the GANMM paper."""


def cluster_table(y: np.ndarray, labels: np.ndarray, *, n_clusters: int) -> list[ClusterRow]:
    """Size, majority class and purity of each cluster (GANMM, Table 2), by cluster."""
    table = contingency(y, labels, n_clusters=n_clusters)
    return [
        ClusterRow(
            cluster=k,
            size=int(size),
            majority_class=int(column.argmax()) if size else None,
            purity=float(column.max() / size) if size else 0.0,
        )
        for k, (size, column) in enumerate(zip(table.clusters, table.counts.T, strict=True))
    ]


def match_clusters(
    y: np.ndarray, labels: np.ndarray, *, n_clusters: int, n_classes: int
) -> np.ndarray:
    """The class of each cluster, ``(n_clusters,)`` int64, by the Hungarian algorithm.

    No class is used twice; if there are more clusters than classes, clusters without one get -1.
    Raises :class:`DataError` as :func:`contingency`, and for classes >= n_classes.
    """
    y, labels = checked(y, labels, n_clusters)
    if y.max() >= n_classes:
        raise DataError(f"y runs to {y.max()}, expected classes in [0, {n_classes})")
    counts = count(y, labels, n_classes=n_classes, n_clusters=n_clusters)
    classes, clusters = linear_sum_assignment(counts, maximize=True)
    matched = np.full(n_clusters, -1, dtype=np.int64)
    matched[clusters] = classes
    return matched


@register(
    "error_rate",
    title="Error",
    direction="lower",
    bounds=(0.0, 1.0),
    source="Xie et al. 2016 (DEC), Eq. 10; GAN-EM, Eq. 20",
)
def error_rate(table: Contingency) -> float:
    r"""One minus the accuracy under the best one-to-one map of clusters to classes.

    .. math:: 1 - \frac1N \max_\pi \sum_k n_{\pi(k) k}

    The Hungarian algorithm finds the map. With more clusters than classes the points of unmatched
    clusters are errors; with fewer, those of unmatched classes.
    """
    matched = linear_sum_assignment(table.counts, maximize=True)
    return 1 - table.counts[matched].sum() / table.total


@register(
    "accuracy",
    title="Accuracy",
    direction="higher",
    bounds=(0.0, 1.0),
    source="1 - error_rate: Xie et al. 2016 (DEC), Eq. 10",
)
def accuracy(table: Contingency) -> float:
    """The share of points in the class of their cluster under the best one-to-one map."""
    return 1 - error_rate(table)


@register(
    "error_rate_majority",
    title="Error (many-to-one)",
    direction="lower",
    bounds=(0.0, 1.0),
    source="defined here, after the many-to-one scores of CatGAN, AAE and PixelGAN (2016-2017)",
)
def error_rate_majority(table: Contingency) -> float:
    r"""One minus the accuracy where each cluster stands for its majority class, many-to-one.

    .. math:: 1 - \frac1N \sum_k n_{m(k) k}, \quad m(k) = \arg\max_c n^{\text{fit}}_{ck}

    The map m is fitted on one split and applied to another; on a single split this is 1 - purity.
    Points in clusters that were empty in the first split are errors; ties go to the first class.
    """
    majority = table.fit_counts.argmax(axis=0)
    known = table.fit_counts.any(axis=0)
    right = table.counts[majority, np.arange(len(majority))]
    return 1 - right[known].sum() / table.total


@register(
    "error_rate_class_mode",
    title="Error (class mode)",
    direction="lower",
    rated=False,
    bounds=(0.0, 1.0),
    source="the evaluation in the released code of GAN-EM; no error rate, for comparison only",
)
def error_rate_class_mode(table: Contingency) -> float:
    r"""One minus the share of points in the most frequent cluster of their own class.

    .. math:: 1 - \frac1N \sum_c \max_k n_{ck}

    Several classes may share one cluster: all points in a single cluster score a perfect 0.
    """
    return 1 - table.counts.max(axis=1).sum() / table.total


@register(
    "purity",
    title="Purity",
    direction="higher",
    bounds=(0.0, 1.0),
    source="Manning et al. 2008, Introduction to Information Retrieval, 16.3; GANMM, section 4",
)
def purity(table: Contingency) -> float:
    r"""Share of points in the majority class of their cluster; more clusters never lower it.

    .. math:: \frac1N \sum_k \max_c n_{ck}
    """
    return table.counts.max(axis=0).sum() / table.total


@register(
    "ari",
    title="ARI",
    direction="higher",
    bounds=(-0.5, 1.0),
    source="Hubert and Arabie 1985, Eq. 5; lower bound: Chacon and Rastrojo 2023",
)
def ari(table: Contingency) -> float:
    r"""Adjusted Rand index: pairs that agree, scaled to 0 at random and 1 at equality.

    .. math:: \frac{S - A B / P}{(A + B) / 2 - A B / P}

    with :math:`S = \sum_{ck} \binom{n_{ck}}2, A = \sum_c \binom{n_{c\cdot}}2,
    B = \sum_k \binom{n_{\cdot k}}2, P = \binom N2`. Where both partitions are trivial and equal
    (one group, or N of them) the fraction is 0/0 and the index 1.
    """
    both, in_class, in_cluster, pairs = _pair_counts(table)
    if both == in_class == in_cluster:
        return 1.0
    expected = in_class * in_cluster / pairs
    return (both - expected) / ((in_class + in_cluster) / 2 - expected)


@register(
    "rand_index",
    title="Rand",
    direction="higher",
    rated=False,
    bounds=(0.0, 1.0),
    source="Rand 1971; the formula that the GANMM paper prints as ARI",
)
def rand_index(table: Contingency) -> float:
    r"""Share of pairs on which classes and clusters agree: together in both, or apart in both.

    .. math:: \frac{P + 2 S - A - B}{P}

    in the terms of :func:`ari`. Not adjusted for chance: a random ten-way partition of ten equal
    classes has about .82. A single point agrees with itself: 1.
    """
    both, in_class, in_cluster, pairs = _pair_counts(table)
    return (pairs + 2 * both - in_class - in_cluster) / pairs if pairs else 1.0


@register(
    "nmi",
    title="NMI",
    direction="higher",
    bounds=(0.0, 1.0),
    source="Strehl and Ghosh 2002, Eq. 2; what the released code of GANMM computes",
)
def nmi(table: Contingency) -> float:
    r"""Mutual information over the geometric mean of the entropies of classes and clusters.

    .. math:: \frac{H(C) + H(K) - H(C, K)}{\sqrt{H(C) H(K)}}

    One class in one cluster is agreement (1); any other single group has no information (0).
    """
    information, of_classes, of_clusters = _information(table)
    if of_classes == of_clusters == 0:
        return 1.0
    return _normalised(information, math.sqrt(of_classes * of_clusters))


@register(
    "nmi_arithmetic",
    title="NMI (arithmetic)",
    direction="higher",
    rated=False,
    bounds=(0.0, 1.0),
    source="Fred and Jain 2003; the default of scikit-learn since 0.22",
)
def nmi_arithmetic(table: Contingency) -> float:
    r"""Mutual information over the arithmetic mean of the entropies of classes and clusters.

    .. math:: \frac{H(C) + H(K) - H(C, K)}{(H(C) + H(K)) / 2}

    Never above :func:`nmi`; special cases are as there.
    """
    information, of_classes, of_clusters = _information(table)
    if of_classes == of_clusters == 0:
        return 1.0
    return _normalised(information, (of_classes + of_clusters) / 2)


@register(
    "active_clusters",
    title="Clusters",
    direction="none",
    bounds=(1.0, None),
    source="defined here",
)
def active_clusters(table: Contingency) -> float:
    """Number of clusters with at least one point of the split."""
    return float(np.count_nonzero(table.clusters))


@register(
    "min_cluster_share",
    title="Smallest share",
    direction="none",
    bounds=(0.0, 1.0),
    source="defined here",
)
def min_cluster_share(table: Contingency) -> float:
    r"""Share of the points in the smallest cluster, :math:`\min_k n_{\cdot k} / N`; 0: empty."""
    return table.clusters.min() / table.total


def _pair_counts(table: Contingency) -> tuple[float, float, float, float]:
    """Numbers of pairs: together in both, in a class, in a cluster, and all pairs."""
    pairs = table.total * (table.total - 1) / 2
    both, in_class, in_cluster = (
        float((n * (n - 1)).sum() / 2) for n in (table.counts, table.classes, table.clusters)
    )
    return both, in_class, in_cluster, pairs


def _information(table: Contingency) -> tuple[float, float, float]:
    """Mutual information and the entropies of classes and of clusters, in nats."""
    of_classes, of_clusters, joint = (
        entr(n / table.total).sum() for n in (table.classes, table.clusters, table.counts)
    )
    return of_classes + of_clusters - joint, of_classes, of_clusters


def _normalised(information: float, scale: float) -> float:
    if scale == 0:
        return 0.0
    return min(max(information / scale, 0.0), 1.0)  # only rounding leaves the interval
