r"""Paired comparisons on plain arrays: bootstrap interval, Wilcoxon, Holm, Friedman and Nemenyi.

Nothing here knows of records. All is exact or drawn from a generator of its own with a fixed seed:
the same numbers give the same statistics, whatever else is compared. From :data:`LARGE` pairs or
blocks on, tests take their asymptotic distributions, which are then as good and cost nothing.

Sources: Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets" (JMLR 7, 2006);
Hesterberg, "What Teachers Should Know about the Bootstrap" (The American Statistician 69, 2015).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2, norm, rankdata, studentized_range, t

__all__ = [
    "ALPHA",
    "LARGE",
    "RESAMPLES",
    "bootstrap_interval",
    "coverage_bound",
    "critical_difference",
    "friedman",
    "friedman_reaches",
    "groups",
    "holm",
    "nemenyi",
    "ranks",
    "tail",
    "wilcoxon",
    "wilcoxon_least",
]

ALPHA = 0.05

RESAMPLES = 10_000
"""Of the bootstrap, and shuffles of Friedman's test."""

SEED = 20060101

DECIMALS = 12
"""Differences of scores are equal up to here: .3 - .2 and .2 - .1 are a tie."""

CHUNK, DRAWN = 2**22, 2**16
"""Ranks that are shuffled, and pairs that are drawn, at once: these so few for the cache."""

LARGE = 200
"""Pairs and blocks beyond which no distribution is counted out."""


def bootstrap_interval(differences: np.ndarray) -> tuple[float, float]:
    r"""Limits of the 95 % interval of the mean of paired differences ``(n,)``, n of 2 or more.

    The percentile interval, on levels that undo its narrowness for few pairs (Hesterberg 2015,
    "expanded percentile"):

    .. math:: \alpha' / 2 = \Phi(-\sqrt{n / (n - 1)}\; t_{\alpha / 2,\, n - 1})

    so that for normal differences it covers what it says, about as Student's interval does, and
    without its symmetry. Never outside the range of the differences: see :func:`coverage_bound`.

    >>> bootstrap_interval(np.array([0.1, 0.1, 0.1]))
    (0.1, 0.1)
    """
    return _interval(np.asarray(differences, dtype=np.float64).tobytes())


def coverage_bound(n: int) -> float:
    """The most that any interval within the range of ``n`` differences can cover of their mean.

    One minus the chance that all of them fall on one side of it.

    >>> coverage_bound(3), coverage_bound(5), coverage_bound(6)
    (0.75, 0.9375, 0.96875)
    """
    return 1 - wilcoxon_least(n)


def wilcoxon(differences: np.ndarray) -> float:
    """Two-sided p of the signed-rank test of paired differences ``(n,)``, ties and all.

    Exact up to :data:`LARGE` pairs, else of the normal distribution with the same variance.

    The chance, over all signs of the differences as they are, of rank sums as uneven as these.
    Equal sizes share their mean rank; zeros are ranked and then have no sign (Pratt, "Remarks on
    Zeros and Ties in the Wilcoxon Signed Rank Procedures", JASA 54, 1959). All zeros give 1.

    >>> wilcoxon(np.array([1.0, 2, 3, 4, 5, 6]))
    0.03125
    """
    differences = np.round(differences, DECIMALS)
    doubled = np.rint(2 * rankdata(np.abs(differences))).astype(np.int64)  # mean ranks are halves
    positive = int(doubled[differences > 0].sum())
    negative = int(doubled[differences < 0].sum())
    if len(differences) > LARGE:
        deviation = math.sqrt(float((doubled[differences != 0] ** 2).sum())) or 1.0
        return min(1.0, 2 * float(norm.cdf(-abs(positive - negative) / deviation)))
    below = _below(tuple(sorted(doubled[differences != 0].tolist())))
    return min(1.0, 2 * float(below[min(positive, negative)]))


def wilcoxon_least(n: int) -> float:
    """The least p that ``n`` pairs can have: all differences of one sign, none of them zero.

    >>> wilcoxon_least(5), wilcoxon_least(6)
    (0.0625, 0.03125)
    """
    return 2.0 ** (1 - n)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of the p-values ``(m,)`` of one family, at most 1 each.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (Scand. J. Statistics 6, 1979).

    >>> holm(np.array([0.04, 0.01, 0.03])).tolist()
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * np.asarray(p)[order]))
    return adjusted


def ranks(values: np.ndarray, *, higher: bool) -> np.ndarray:
    """Ranks within each block of ``values`` ``(N, k)``, 1 the best; equals share their mean.

    ``higher`` says which values are better.
    """
    return rankdata(np.round(-values if higher else values, DECIMALS), axis=1)


def friedman(ranked: np.ndarray) -> tuple[float, float]:
    """Friedman's chi-squared of ranks ``(N, k)``, corrected for ties, and its p.

    p is the share of at least so large a value among 10,000 random orders within the blocks, this
    one counted (Phipson and Smyth, 2010): the chi-squared and F approximations need more blocks
    than there mostly are seeds; beyond :data:`LARGE` blocks it is that of chi-squared. All tied
    gives 0 and 1.
    """
    n, k = ranked.shape
    spread = float((ranked**2).sum()) - n * k * (k + 1) ** 2 / 4
    if spread <= 0:
        return 0.0, 1.0
    statistic = (k - 1) * float(((ranked.sum(axis=0) - n * (k + 1) / 2) ** 2).sum()) / spread
    if n > LARGE:
        return statistic, float(chi2.sf(statistic, k - 1))
    doubled = np.rint(2 * ranked).astype(np.int64)
    given = np.sort(doubled, axis=1)
    chance = _shuffled(given[np.lexsort(given.T)].tobytes(), n, k)
    reached = int((chance >= (doubled.sum(axis=0) ** 2).sum()).sum())
    return statistic, (1 + reached) / (1 + RESAMPLES)


def friedman_reaches(n: int, k: int) -> bool:
    """Whether ``n`` blocks that agree on one order of ``k`` rows are significant at 5 %.

    Both for Friedman's test, exactly, and for Nemenyi's of the first row against the last.
    """
    if n < 1 or k < 2:
        return False
    least = math.exp((1 - n) * math.lgamma(k + 1))  # (k!)^(1 - n)
    return least <= ALPHA and critical_difference(n, k) <= k - 1


@functools.cache
def critical_difference(n: int, k: int) -> float:
    r"""Nemenyi's critical difference at 5 % of the average ranks of ``k`` rows over ``n`` blocks.

    .. math:: CD = q_\alpha \sqrt{k (k + 1) / (6 n)}

    with the quantile of the studentized range, over the root of 2 (Demšar 2006, Section 3.2.2).

    >>> round(critical_difference(14, 4), 2)
    1.25
    """
    q = studentized_range.ppf(1 - ALPHA, k, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(k * (k + 1) / (6 * n)))


@functools.cache
def nemenyi(difference: float, n: int, k: int) -> float:
    """p of a difference of average ranks of ``k`` rows over ``n`` blocks, by Nemenyi's test.

    >>> round(nemenyi(critical_difference(10, 4), 10, 4), 3)
    0.05
    """
    q = difference / math.sqrt(k * (k + 1) / (6 * n)) * math.sqrt(2)
    return float(studentized_range.sf(q, k, np.inf))


def groups(average: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """First and last place of each largest run of sorted average ranks ``(k,)`` not told apart.

    Two are told apart when they lie at least the critical ``difference`` from each other.

    >>> groups(np.array([1.0, 1.5, 2.4, 4.0]), 1.0)
    [(0, 1), (1, 2)]
    """
    gap = round(difference, DECIMALS)
    last = np.searchsorted(average, np.round(average + gap, DECIMALS), side="left") - 1
    return [
        (first, int(end))
        for first, end in enumerate(last)
        if end > first and (first == 0 or end > last[first - 1])
    ]


@functools.lru_cache(maxsize=64)
def _below(doubled: tuple[int, ...]) -> np.ndarray:
    """The chance of at most each sum of the ranks with a positive sign, all signs alike.

    Without ties and zeros these are the same for all differences of so many pairs.
    """
    chances = np.zeros(sum(doubled) + 1)
    chances[0] = 1
    for rank in doubled:
        chances[rank:] += chances[:-rank].copy()
        chances /= 2
    return chances.cumsum()


@functools.lru_cache(maxsize=2**14)
def _interval(differences: bytes) -> tuple[float, float]:
    """Kept, since every format of a report asks for the same ones."""
    values = np.frombuffer(differences)
    outside = tail(len(values))
    low, high = _quantiles(_means(values), (outside, 1 - outside))
    return round(low, DECIMALS), round(high, DECIMALS)


def _quantiles(values: np.ndarray, levels: Sequence[float]) -> list[float]:
    """Linear ones, as numpy's, in a fifth of its time: it is asked for by every row."""
    places = [level * (len(values) - 1) for level in levels]
    ends = [(math.floor(place), math.ceil(place)) for place in places]
    found = np.partition(values, sorted({end for pair in ends for end in pair}))
    return [
        float(found[low] + (found[high] - found[low]) * (place - low))
        for place, (low, high) in zip(places, ends, strict=True)
    ]


@functools.cache
def tail(n: int) -> float:
    """Share of resampled means that the interval of ``n`` pairs leaves out on each side."""
    return float(norm.cdf(-math.sqrt(n / (n - 1)) * t.isf(ALPHA / 2, n - 1)))


def _means(values: np.ndarray) -> np.ndarray:
    """Of the resamples, ``(RESAMPLES,)``."""
    n = len(values)
    if n <= LARGE:
        return _resampling(n) @ values
    rng, step = np.random.default_rng(SEED), max(1, DRAWN // n)
    sizes = (min(step, RESAMPLES - first) for first in range(0, RESAMPLES, step))
    drawn = (rng.integers(n, size=(m, n), dtype=np.int32) for m in sizes)
    return np.concatenate([values.take(places).mean(axis=1) for places in drawn])


@functools.lru_cache(maxsize=16)
def _resampling(n: int) -> np.ndarray:
    """Share of each of ``n`` pairs in each resample, ``(RESAMPLES, n)``."""
    drawn = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
    drawn.setflags(write=False)
    return drawn


@functools.lru_cache(maxsize=64)
def _shuffled(doubled: bytes, n: int, k: int) -> np.ndarray:
    """Sums of squared rank sums, ``(RESAMPLES,)``, when each block deals its ranks out anew.

    Without ties these are the same for all ranks of ``k`` rows in ``n`` blocks.
    """
    ranked = np.frombuffer(doubled, dtype=np.int64).reshape(n, k)
    rng, step = np.random.default_rng(SEED), max(1, CHUNK // (n * k))
    sums = []
    for first in range(0, RESAMPLES, step):
        many = min(step, RESAMPLES - first)
        dealt = rng.permuted(np.broadcast_to(ranked, (many, n, k)), axis=2)
        sums.append((dealt.sum(axis=1) ** 2).sum(axis=1))
    return np.concatenate(sums)
