r"""Generation metrics of the components, one by one and all together.

An inception score is the product of two: of how far the components differ from each other, and of
how far the images of one component do. A method whose components are the classes has all of it in
the first factor and 1 in the second.
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
    """Generated images."""
    n_real: int
    """Real images that the method gives to the component."""
    inception_score: float | None
    """Of its samples alone: 1 where they are one class; None without samples or classes."""
    fid: float | None
    """To the real images given to it, or to all of them where those are fewer than two; None for
    fewer than two samples."""


def component_table(comparison: Comparison) -> list[ComponentRow]:
    """Inception score and FID of each component's samples, by component.

    FIDs are biased upwards the more the fewer images there are: compare rows of like counts.
    Raises ``ValueError`` where fewer than two real images were given in all.
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
    r"""The inception score between components and within them; their product is that of all.

    .. math:: \exp \Big( H(\bar p) - \sum_k w_k H(\bar p_k) \Big), \quad
              \exp \Big( \sum_k w_k \big( H(\bar p_k) - \overline{H(p)}_k \big) \Big)

    with :math:`w_k` the share of component k among the rows, which are taken as one split. Both
    are at least 1. Raises ``ValueError`` where no row was given.
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
    direction="lower",
    bounds=(1.0, None),
    source=IS_SOURCE,
    kind="generation",
    needs=("classes", "components"),
)
def inception_within(comparison: Comparison) -> float:
    """Inception score within a component, over all components: 1 where each is one class."""
    return _split_score(comparison)[1]


@register(
    "fid_within_lenet",
    "fid_within_squeezenet",
    "fid_within_inception",
    direction="lower",
    bounds=(0.0, None),
    source=FID_SOURCE,
    kind="generation",
    needs=("components",),
)
def frechet_within(comparison: Comparison) -> float:
    """FID of a component's samples to the real images given to it, averaged over the samples.

    Raises ``ValueError`` where no component has two samples.
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
    # A component that no image is given to would else be left out, and so be rewarded.
    reference = real if real.n >= 2 else everything
    return frechet_distance(reference.moments, fake.moments)
