"""The statistics of comparison tables: every row against the best, and the average ranks of all.

Rows are compared over the seeds that both ended well on; a seed that is left out is counted. What
no outcome could make significant at 5 % is not tested but called underpowered.

Seeds of one data set are reruns, not data sets: ranks over them tell which method does better on
this data set again, and are said to be "over seeds of one data set". Ranks over data sets, which
speak of data sets like these, take the mean over the seeds on each (Demšar 2006, Section 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_em_bench.reports import statistics
from deep_em_bench.reports.summary import Block, direction
from deep_em_bench.reports.text import letter, named_seeds

__all__ = ["Comparison", "Difference", "Ranking", "compared", "ranked", "ranked_over_data"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One row against the best one, the row's score minus the best row's."""

    label: str
    n: int
    """Pairs: seeds on which both have a score."""
    left_out: int
    """Seeds that either was run on, without a pair."""
    mean: float | None
    """None without a pair, and of the best row itself."""
    interval: tuple[float, float] | None
    """Bootstrap, 95 %; None for fewer than two pairs."""
    p: float | None
    """Of Wilcoxon's test, after Holm; None where it is not tested."""
    family: int
    """Rows that were tested along."""

    @property
    def underpowered(self) -> str:
        """Why there is no p, as the tables print it; empty where there is, or without a pair."""
        if self.p is not None or self.mean is None:
            return ""
        crowd = f", Holm over {self.family}" if _testable(self.n) else ""
        return f"underpowered (n={self.n}{crowd})"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All rows of a table against its best row, by one metric on one split."""

    metric: str
    split: str
    best: str
    """Label of the rated row with the best mean."""
    rows: tuple[Difference, ...]
    """In the table's order, the best row included."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Average ranks of rows by one metric on one split, over seeds or over data sets."""

    metric: str
    split: str
    over: str
    """What was ranked on, as in "seeds 0–9 of one data set", "data sets digits, mnist"."""
    labels: tuple[str, ...]
    """Best first."""
    average: tuple[float, ...]
    """Average rank of each, 1 the best possible."""
    n: int
    """Blocks: seeds, or data sets, on which all these rows have a score."""
    left_out: tuple[str, ...]
    """Labels of the rows that are not ranked."""
    seeds_left_out: int
    """Those on which a ranked row has no score; over data sets 0."""
    chi2: float | None
    """Friedman's, corrected for ties; this and the next two are None where underpowered."""
    p: float | None
    """Of Friedman's test."""
    critical: float | None
    """Nemenyi's critical difference."""

    @property
    def groups(self) -> list[tuple[int, int]]:
        """First and last place of each group of rows that are not told apart.

        All rows where Friedman's test finds no difference, none where it is underpowered.
        """
        if self.critical is None or self.p is None:
            return []
        if self.p > statistics.ALPHA:
            return [(0, len(self.labels) - 1)]
        return statistics.groups(np.array(self.average), self.critical)

    @property
    def letters(self) -> dict[str, str]:
        """Of each row the letters of its groups: rows with one in common are not told apart."""
        letters = dict.fromkeys(self.labels, "")
        for i, (first, last) in enumerate(self.groups):
            for label in self.labels[first : last + 1]:
                letters[label] += letter(i)
        return letters


def compared(block: Block, split: str, metric: str) -> Comparison | None:
    """Every row against the one with the best mean of those that :attr:`Block.rated` has.

    None where the metric has no better direction, fewer than two rows have a number, or no rated
    one does. Holm's family are the rows that are tested by this metric on this split.
    """
    scores = _scores(block, split, metric)
    rated = {row.label: scores[row.label] for row in block.rated if row.label in scores}
    if len(scores) < 2 or not rated:
        return None
    means = {label: sum(found.values()) / len(found) for label, found in rated.items()}
    pick = min if direction(metric) == "lower" else max
    best = pick(means, key=lambda label: means[label])
    seeds = {row.label: set(row.seeds) for row in block.rows}
    pairs = {
        row.label: _paired(scores.get(row.label, {}), scores[best])
        for row in block.rows
        if row.label != best
    }
    p, family = _tested(pairs), sum(_testable(len(found)) for found in pairs.values())
    rows = []
    for row in block.rows:
        found = pairs.get(row.label, np.empty(0))
        n = len(scores[best]) if row.label == best else len(found)
        rows.append(
            Difference(
                label=row.label,
                n=n,
                left_out=len(seeds[row.label] | seeds[best]) - n,
                mean=float(found.mean()) if len(found) else None,
                interval=statistics.bootstrap_interval(found) if len(found) > 1 else None,
                p=p.get(row.label),
                family=family,
            )
        )
    return Comparison(metric=metric, split=split, best=best, rows=tuple(rows))


def ranked(block: Block, split: str, metric: str) -> Ranking | None:
    """Average ranks over the seeds of one table's data set.

    A row that is not rated is left out, then each seed on which a row that is left has no score.
    None where the metric has no better direction, or no two rows or no seed is left.
    """
    scores = _scores(block, split, metric)
    kept = {row.label: scores[row.label] for row in block.rated if row.label in scores}
    seeds = [seed for seed in block.seeds if all(seed in found for found in kept.values())]
    if len(kept) < 2 or not seeds:
        return None
    values = np.array([[found[seed] for found in kept.values()] for seed in seeds])
    return _ranking(
        list(kept),
        statistics.ranks(values, higher=direction(metric) == "higher"),
        metric=metric,
        split=split,
        over=f"{named_seeds(seeds)} of one data set",
        left_out=tuple(row.label for row in block.rows if row.label not in kept),
        seeds_left_out=len(block.seeds) - len(seeds),
    )


def ranked_over_data(blocks: Sequence[Block], split: str, metric: str) -> Ranking | None:
    """Average ranks over the data sets of one suite and profile, each by the rows' means there.

    Several tables of one data set, with other words or numbers of clusters, are not independent:
    the average ranks in them are that data set's scores. A row that one of the tables has no
    number of, or does not rate, is left out. None where the metric has no better direction, and
    for fewer than two data sets or rows.
    """
    found = {
        i: {row.label: s.mean for row in block.rated if (s := row.statistic(split, metric))}
        for i, block in enumerate(blocks)
        if direction(metric) != "none" and split in block.splits([metric])
    }
    names = {i: blocks[i].records[0].dataset.name for i in found}
    every = dict.fromkeys(label for means in found.values() for label in means)
    kept = [label for label in every if all(label in means for means in found.values())]
    data = sorted(set(names.values()))
    if len(data) < 2 or len(kept) < 2:
        return None
    values = np.array([[means[label] for label in kept] for means in found.values()])
    each = statistics.ranks(values, higher=direction(metric) == "higher")
    of = np.array([data.index(name) for name in names.values()])
    average = np.array([each[of == i].mean(axis=0) for i in range(len(data))])
    labels = dict.fromkeys(row.label for block in blocks for row in block.rows)
    return _ranking(
        kept,
        statistics.ranks(average, higher=False),
        metric=metric,
        split=split,
        over=f"data sets {', '.join(data)}",
        left_out=tuple(label for label in labels if label not in kept),
        seeds_left_out=0,
    )


def _scores(block: Block, split: str, metric: str) -> dict[str, dict[int, float]]:
    """Of each row that has a number in the table, its score by seed; empty without a direction.

    Runs of one seed, where versions were mixed, count once, with their mean.
    """
    if direction(metric) == "none":
        return {}
    scores = {}
    for row in block.rows:
        if row.statistic(split, metric) is not None:
            values: dict[int, list[float]] = {}
            for record in row.ok:
                values.setdefault(record.seed, []).append(getattr(record.metrics, split)[metric])
            scores[row.label] = {seed: sum(each) / len(each) for seed, each in values.items()}
    return scores


def _paired(scores: Mapping[int, float], best: Mapping[int, float]) -> np.ndarray:
    return np.array([scores[seed] - best[seed] for seed in sorted(scores) if seed in best])


def _testable(n: int) -> bool:
    return statistics.wilcoxon_least(n) <= statistics.ALPHA


def _tested(pairs: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Wilcoxon's p after Holm of the rows that could reach 5 %, were all differences of one sign.

    The family are all rows with pairs enough for a test alone: which they are is settled before
    any score is known.
    """
    family = {label: found for label, found in pairs.items() if _testable(len(found))}
    least = statistics.holm(np.array([statistics.wilcoxon_least(len(d)) for d in family.values()]))
    p = statistics.holm(np.array([statistics.wilcoxon(d) for d in family.values()]))
    reached = least <= statistics.ALPHA
    return {label: float(p[i]) for i, label in enumerate(family) if reached[i]}


def _ranking(labels: Sequence[str], ranks: np.ndarray, **said: Any) -> Ranking:
    """The average of ``ranks`` ``(N, k)``, best first, tested where that can reach 5 %."""
    n, k = ranks.shape
    placed = sorted(
        zip(ranks.mean(axis=0).tolist(), labels, strict=True), key=lambda pair: pair[0]
    )
    reaches = statistics.friedman_reaches(n, k)
    chi2, p = statistics.friedman(ranks) if reaches else (None, None)
    return Ranking(
        labels=tuple(label for _, label in placed),
        average=tuple(average for average, _ in placed),
        n=n,
        chi2=chi2,
        p=p,
        critical=statistics.critical_difference(n, k) if reaches else None,
        **said,
    )
