"""The Fréchet distance of this package, and the usual one by ``scipy.linalg.sqrtm``.

Both start from the features: moments, then the trace of the root.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from deep_em_bench.benchmarks.speed.timing import timed
from deep_em_bench.metrics.generation import fid as fast_fid

__all__ = ["FidComparison", "fid", "rendered", "usual_fid"]


@dataclass(frozen=True, kw_only=True)
class FidComparison:
    """Ours against the reference for one number of images."""

    n: int
    """Images on each side."""
    d: int
    seconds: float
    """Of ours; the median over rounds."""
    reference_seconds: float
    ratio: float
    """Speed as a multiple of the reference's; the median over rounds of pairs run in turn."""
    difference: float
    """Relative difference of the two results."""


def fid(
    *, d: int = 2048, sizes: Sequence[int] = (5000, 1024), rounds: int = 3
) -> list[FidComparison]:
    """Both ways at each number of images, ``rounds`` times after one that warms up ours."""
    return [_compared(*_features(n, d), rounds=rounds) for n in sizes]


def rendered(rows: Sequence[FidComparison]) -> str:
    """The comparison as a table of fixed width."""
    lines = [f"{'n':>6} {'d':>5} {'ours s':>8} {'sqrtm s':>8} {'x sqrtm':>8}  differ by"]
    lines += [
        f"{row.n:6} {row.d:5} {row.seconds:8.2f} {row.reference_seconds:8.2f} "
        f"{row.ratio:8.1f}  {row.difference:.1e}"
        for row in rows
    ]
    return "\n".join(lines)


def usual_fid(real: np.ndarray, fake: np.ndarray) -> float:
    """The distance by the root of the product of covariances, an unsymmetric matrix."""
    S1, S2 = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    gap = real.mean(axis=0) - fake.mean(axis=0)
    root = np.trace(linalg.sqrtm(S1 @ S2)).real
    return float(gap @ gap + np.trace(S1) + np.trace(S2) - 2 * root)


def _compared(real: np.ndarray, fake: np.ndarray, *, rounds: int) -> FidComparison:
    fast_fid(real, fake)
    ours, theirs = [], []
    difference = 0.0
    for _ in range(rounds):
        reference, seconds = timed(lambda: usual_fid(real, fake))
        theirs.append(seconds)
        distance, seconds = timed(lambda: fast_fid(real, fake))
        ours.append(seconds)
        difference = max(difference, abs(distance / reference - 1))
    return FidComparison(
        n=len(real),
        d=real.shape[1],
        seconds=statistics.median(ours),
        reference_seconds=statistics.median(theirs),
        ratio=statistics.median(t / o for t, o in zip(theirs, ours, strict=True)),
        difference=difference,
    )


def _features(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of correlated, half-sided features with a falling spectrum, as deep nets have."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(d, d)) * (np.exp(-np.arange(d) / (d / 7)) / np.sqrt(d))
    real = np.maximum(rng.normal(size=(n, d)) @ mixing.T + 0.1, 0)
    fake = np.maximum(1.1 * rng.normal(size=(n, d)) @ mixing.T + 0.15, 0)
    return real, fake
