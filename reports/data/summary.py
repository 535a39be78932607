"""The summary of one number over the runs of a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Statistic", "statistic"]


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """One number over the runs of a row that succeeded."""

    n: int
    mean: float
    std: float | None
    """With n - 1 in the denominator; None for a single run."""
    median: float


def statistic(values: Sequence[float | None]) -> Statistic | None:
    """Of these values; None where there are none, or one is missing or not finite."""
    known = sorted(value for value in values if value is not None and math.isfinite(value))
    n = len(known)  # mostly a few: for so few numpy would take ten times as long
    if n == 0 or n < len(values):
        return None
    mean = math.fsum(known) / n
    squares = math.fsum((value - mean) ** 2 for value in known)
    return Statistic(
        n=n,
        mean=mean,
        std=math.sqrt(squares / (n - 1)) if n > 1 else None,
        median=(known[(n - 1) // 2] + known[n // 2]) / 2,
    )
