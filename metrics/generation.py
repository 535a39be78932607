r"""Samples against data: inception scores, Fréchet and kernel distances in a net's feature space.

A :class:`Summary` collects features batch by batch, one of the real and one of the generated
images; every metric is computed from the two. :mod:`metrics.features` computes the features; this
module does not import torch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from deep_em_bench.metrics.base import info, names, register, registry
from deep_em_bench.metrics.kernel import kernel_distance, kernel_distance_spread
from deep_em_bench.metrics.moments import Moments, checked_features, frechet_distance
from deep_em_bench.metrics.predictions import Predictions

__all__ = [
    "Comparison",
    "Summary",
    "fid",
    "score_generation",
]

KEPT = 10_000
"""Rows that are kept for the kernel distance, a random sample of all."""

IS_SOURCE = "Salimans et al. 2016, section 4, as exp(H(mean p) - mean H(p)); 10 splits"
FID_SOURCE = "Heusel et al. 2017, Eq. 6"
KID_SOURCE = "Binkowski et al. 2018, section 4; all pairs"


class Summary:
    """Everything that the metrics need of one set of images; memory does not grow with n.

    Moments and predictions are of all rows. For the kernel distance at most ``kept`` rows are
    kept, each with the same probability (Vitter 1985, algorithm R).
    """

    def __init__(
        self, d: int, n_classes: int | None = None, *, kept: int = KEPT, seed: int = 0
    ) -> None:
        self.moments = Moments(d)
        self.predictions = None if n_classes is None else Predictions(n_classes, seed=seed)
        self._kept = kept
        self._rows = np.zeros((0, d), np.float32)
        self._rng = np.random.default_rng(seed)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.moments.n

    @property
    def rows(self) -> np.ndarray:
        """The kept features, float32 ``(min(n, kept), d)``."""
        return self._rows

    def known_predictions(self) -> Predictions:
        """The predictions; raises ``ValueError`` if the extractor has no classes."""
        if self.predictions is None:
            raise ValueError("an inception score needs an extractor with classes; it has none")
        return self.predictions

    def add(self, features: np.ndarray, probabilities: np.ndarray | None = None) -> Summary:
        """Add features ``(n, d)`` and, if there are classes, probabilities; returns self.

        Raises ``ValueError`` as :class:`Moments` and :class:`Predictions`.
        """
        if (probabilities is None) != (self.predictions is None) or (
            probabilities is not None and len(probabilities) != len(features)
        ):
            raise ValueError(
                f"{len(features)} features have "
                f"{'no' if probabilities is None else len(probabilities)} class probabilities; "
                f"expected {'none' if self.predictions is None else 'as many'}"
            )
        before = self.n
        self.moments.add(features)
        if self.predictions is not None and probabilities is not None:
            self.predictions.add(probabilities)
        self._keep(np.asarray(features, np.float32), before)
        return self

    def _keep(self, rows: np.ndarray, before: int) -> None:
        room = self._kept - len(self._rows)
        if room > 0:
            self._rows = np.concatenate([self._rows, rows[:room]])
            rows, before = rows[room:], before + min(room, len(rows))
        seen = np.arange(before + 1, before + len(rows) + 1)
        place = self._rng.integers(0, seen)
        self._rows[place[place < self._kept]] = rows[place < self._kept]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Real and generated images in one extractor's feature space: a generation metric's input."""

    extractor: str
    """The extractor's name, with which the metrics' names end."""
    real: Summary
    fake: Summary
    components: tuple[tuple[Summary, Summary], ...] = ()
    """For each component the real images that a method assigns to it, and its samples."""


def score_generation(
    comparison: Comparison, wanted: Collection[str] | None = None
) -> dict[str, float]:
    """Every registered metric of the comparison's extractor, or those ``wanted``, by name.

    Metrics that need classes or components are left out if there are none, and wanted ones of
    another extractor too. Raises ``ValueError`` for too few images (two for an FID, four for a
    KID's spread, ten for an inception score) and ``ConfigError`` for an unknown name.
    """
    present = {
        "classes": comparison.fake.predictions is not None,
        "components": bool(comparison.components),
    }
    return {
        name: float(registry.get(name).value(comparison))
        for name in (names("generation") if wanted is None else wanted)
        if all(present[need] for need in info(name).needs)
        and name.endswith(f"_{comparison.extractor}")
    }


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """The Fréchet distance of features ``real`` ``(m, d)`` and ``fake`` ``(n, d)``.

    >>> fid(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]]))
    9.0
    """
    d = checked_features("real features", real).shape[1]
    return frechet_distance(Moments(d).add(real), Moments(d).add(fake))


@register(
    "is_lenet",
    "is_squeezenet",
    "is_inception",
    title="IS",
    direction="higher",
    bounds=(1.0, None),
    source=IS_SOURCE,
    kind="generation",
    needs=("classes",),
)
def inception_mean(comparison: Comparison) -> float:
    """Inception score of the generated images: from 1 (collapse) to the number of classes."""
    return comparison.fake.known_predictions().score()[0]


@register(
    "is_std_lenet",
    "is_std_squeezenet",
    "is_std_inception",
    title="IS, std of splits",
    direction="none",
    bounds=(0.0, None),
    source=IS_SOURCE,
    kind="generation",
    needs=("classes",),
)
def inception_std(comparison: Comparison) -> float:
    """Standard deviation (ddof 0) of the inception score over its splits."""
    return comparison.fake.known_predictions().score()[1]


@register(
    "fid_lenet",
    "fid_squeezenet",
    "fid_inception",
    title="FID",
    direction="lower",
    bounds=(0.0, None),
    source=FID_SOURCE,
    kind="generation",
)
def frechet(comparison: Comparison) -> float:
    """Squared Fréchet distance of real and generated features; biased upwards at small n."""
    return frechet_distance(comparison.real.moments, comparison.fake.moments)


@register(
    "kid_lenet",
    "kid_squeezenet",
    "kid_inception",
    title="KID",
    direction="lower",
    bounds=(None, None),
    source=KID_SOURCE,
    kind="generation",
)
def kernel_mean(comparison: Comparison) -> float:
    """Unbiased kernel distance of real and generated features; about 0 between equals."""
    return kernel_distance(comparison.real.rows, comparison.fake.rows)


@register(
    "kid_std_lenet",
    "kid_std_squeezenet",
    "kid_std_inception",
    title="KID, std of subsets",
    direction="none",
    bounds=(0.0, None),
    source=KID_SOURCE,
    kind="generation",
)
def kernel_std(comparison: Comparison) -> float:
    """Standard deviation of the kernel distance over 20 subsets of up to 1,000 images."""
    return kernel_distance_spread(comparison.real.rows, comparison.fake.rows)
