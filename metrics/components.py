r"""Generation metrics of single components and of all together.

An inception score is a product: how much the components differ from each other, times how much the
images of one component differ. If the components are the classes, the second factor is 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from deep_em_bench.metrics.base import register
from deep_em_bench.metrics.generation import Comparison, Summary
from deep_em_bench.metrics.moments import frechet_distance
from deep_em_bench.metrics.predictions import Predictions

__all__ = ["ComponentRow", "component_table", "split_inception_score"]

IS_SOURCE = "Benny et al. 2021 (IJCV), BCIS and WCIS; over all rows, no splits"
FID_SOURCE = "Benny et al. 2021 (IJCV), WCFID, with clusters for classes"


@dataclass(frozen=True, kw_only=True)
class ComponentRow:
    """One component of a per-component table."""

    component: int
    n: int
    """Number of generated images."""
    n_real: int
    """Number of real images that the method assigns to the component."""
    inception_score: float | None
    """Score of its samples alone: 1 if they are of one class; None without samples or classes."""
    fid: float | None
    """FID to the real images assigned to it, or to all if those are fewer than two; None for fewer
    than two samples."""


def component_table(comparison: Comparison) -> list[ComponentRow]:
    """Inception score and FID of each component's samples, by component.

    The fewer the images, the larger is FID's upward bias: compare rows with similar counts. Raises
    ``ValueError`` for fewer than two real images in all.
    """
    return [
        ComponentRow(
            component=k,
            n=fake.n,
            n_real=real.n,
            inception_score=None
            if fake.predictions is None or not fake.n
            else split_inception_score([fake.predictions])[1],
            fid=_own_distance(comparison.real, real, fake) if fake.n >= 2 else None,
        )
        for k, (real, fake) in enumerate(comparison.components)
    ]


def split_inception_score(parts: Sequence[Predictions]) -> tuple[float, float]:
    r"""The inception scores between and within components; their product is the whole score.

    .. math:: \exp \Big( H(\bar p) - \sum_k w_k H(\bar p_k) \Big), \quad
              \exp \Big( \sum_k w_k \big( H(\bar p_k) - \overline{H(p)}_k \big) \Big)

    with :math:`w_k` the share of component k in the rows, which are one split. Both are at least
    1. Raises ``ValueError`` if there are no rows.
    """
    filled = [part for part in parts if part.n]
    total = sum(part.n for part in filled)
    if not total:
        raise ValueError(f"{len(parts)} components without a row; expected at least one row")
    weights = np.array([part.n / total for part in filled])
    means = np.stack([part.mean for part in filled])  # (K, n_classes)
    of_means = float(weights @ entr(means).sum(axis=1))
    of_rows = float(weights @ [part.mean_entropy for part in filled])
    between = float(entr(weights @ means).sum()) - of_means
    return max(math.exp(between), 1.0), max(math.exp(of_means - of_rows), 1.0)


@register(
    "is_between_lenet",
    "is_between_squeezenet",
    "is_between_inception",
    title="IS between",
    direction="higher",
    bounds=(1.0, None),
    source=IS_SOURCE,
    kind="generation",
    needs=("classes", "components"),
)
def inception_between(comparison: Comparison) -> float:
    """Inception score of the components' mean predictions: how many classes they cover."""
    return _split_score(comparison)[0]


@register(
    "is_within_lenet",
    "is_within_squeezenet",
    "is_within_inception",
    title="IS within",
    direction="lower",
    bounds=(1.0, None),
    source=IS_SOURCE,
    kind="generation",
    needs=("classes", "components"),
)
def inception_within(comparison: Comparison) -> float:
    """Inception score within a component, over all components: 1 if each is one class."""
    return _split_score(comparison)[1]


@register(
    "fid_within_lenet",
    "fid_within_squeezenet",
    "fid_within_inception",
    title="FID within",
    direction="lower",
    bounds=(0.0, None),
    source=FID_SOURCE,
    kind="generation",
    needs=("components",),
)
def frechet_within(comparison: Comparison) -> float:
    """FID of a component's samples to its real images, averaged over the samples.

    Raises ``ValueError`` if no component has two samples.
    """
    rows = [(row.n, row.fid) for row in component_table(comparison) if row.fid is not None]
    if not rows:
        raise ValueError(
            f"none of {len(comparison.components)} components has two samples; generate more"
        )
    return sum(n * fid for n, fid in rows) / sum(n for n, _ in rows)


def _split_score(comparison: Comparison) -> tuple[float, float]:
    return split_inception_score([fake.known_predictions() for _, fake in comparison.components])


def _own_distance(everything: Summary, real: Summary, fake: Summary) -> float:
    # All images stand in for a component without images: to leave it out would reward it.
    reference = real if real.n >= 2 else everything
    return frechet_distance(reference.moments, fake.moments)
