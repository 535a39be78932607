"""One test a table: which rows are told apart from the best, by how much, at what average rank.

Wilcoxon's signed-rank test of every row against one reference, after Holm, or, asked for,
Friedman's test with Nemenyi's of all pairs. Bold type, p values, letters and the bars of the
diagram all come from the same :class:`Comparison`. Over one data set the blocks of the test are
its seeds, which are reruns; over several they are the data sets, each with its mean over the
seeds (Demšar, JMLR 7, 2006, Section 3.2).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deep_em_bench.core import UserError, unknown_name
from deep_em_bench.reports.data import statistics
from deep_em_bench.reports.data.blocks import Block, Row
from deep_em_bench.reports.data.titles import metric_info, named_seeds, rated_metric

__all__ = ["Comparison", "Difference", "Procedure", "Test", "compare", "compare_over_data"]

Test = Literal["wilcoxon", "nemenyi"]


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """How rows are compared."""

    test: Test = "wilcoxon"
    against: str | None = None
    """The label or method that all rows are compared with; None: the row with the best mean."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One row against the reference: the row's score minus the reference's, paired."""

    values: np.ndarray
    """One a pair."""
    left_out: int
    """Seeds that either was run on, without a pair."""
    p: float | None
    """After adjustment; None where it is not tested."""

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """None without a pair."""
        return float(self.values.mean()) if self.n else None

    @functools.cached_property
    def interval(self) -> tuple[float, float] | None:
        """Of the mean, by bootstrap, 95 %; None where so few pairs cannot cover as much."""
        if statistics.wilcoxon_least(self.n) > statistics.ALPHA:
            return None
        return statistics.bootstrap_interval(self.values)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All rows by one column of the frame."""

    column: str
    over: str
    """What the test's blocks are, as in "seeds 0–9" or "data sets digits, mnist"."""
    n: int
    """Blocks on which all ranked rows have a score."""
    procedure: Procedure
    best: str
    """Label of the rated row with the best mean."""
    reference: str
    """Label of the row that the others are compared with."""
    differences: Mapping[str, Difference]
    """By label, of every row but the reference."""
    ranks: Mapping[str, float]
    """Average rank by label, best first, of the rows that are ranked; 1 is the best possible."""
    equals: tuple[tuple[str, ...], ...]
    """Groups of rows that are not told apart; none where no test can be borne."""
    chi2: float | None = None
    """Friedman's, and its p; of Nemenyi's test alone."""
    p: float | None = None
    critical: float | None = None
    """Nemenyi's critical difference of average ranks."""

    @property
    def tested(self) -> bool:
        """Whether so many blocks and rows can bear the test."""
        return self.critical is not None or any(d.p is not None for d in self.differences.values())

    @property
    def bold(self) -> set[str]:
        """The best row and those not told apart from it; the best alone without a test."""
        group = next((each for each in self.equals if self.best in each), ())
        return {self.best, *(label for label in group)}

    @property
    def letters(self) -> dict[str, str]:
        """Of each row the letters of its groups: rows with one in common are not told apart."""
        letters = dict.fromkeys(self.ranks, "")
        for i, group in enumerate(self.equals):
            for label in group:
                letters[label] = letters.get(label, "") + chr(ord("a") + i % 26)
        return letters

    @property
    def unborne(self) -> str:
        """The one line in the place of statistics that cannot be; empty where they can."""
        if self.tested:
            return ""
        k = len(self.ranks)
        what = "Nemenyi's test" if self.procedure.test == "nemenyi" else "a test after Holm"
        return f"{self.over[:1].upper()}{self.over[1:]}: too few for {what} of {k} rows at 5 %."


def compare(block: Block, column: str, procedure: Procedure = Procedure()) -> Comparison | None:
    """The rows of a block by a column of the frame, over the seeds.

    None where no value of the column may be called best, fewer than two rows have a number, or no
    row with one is rated. Raises :class:`UserError` for a reference that the block lacks.
    """
    metric = column.partition("/")[2] or column
    known = [i for i, found in enumerate(block.statistics(column)) if found is not None]
    if not rated_metric(metric) or len(known) < 2 or not any(block.rated[i] for i in known):
        return None
    rows = [block.rows[i] for i in known]
    seeds = {row.label: row.seeds for row in rows}
    return _compared(
        block.scores(column)[known],
        rows,
        column=column,
        rated=[block.rated[i] for i in known],
        over=named_seeds(block.seeds),
        procedure=procedure,
        tried=lambda one, other: len(seeds[one] | seeds[other]),
    )


def compare_over_data(
    blocks: Sequence[Block], columns: Sequence[str], procedure: Procedure = Procedure()
) -> Comparison | None:
    """The rows of several blocks, each by its own column, over their data sets.

    Blocks of one data set with other words or numbers of clusters are not independent: their mean
    is that data set's score. A row that a block has no number of, or does not rate, is left out.
    None for fewer than two data sets or rows.
    """
    metric = columns[0].partition("/")[2]
    means = [
        {
            row.label: found.mean
            for row, found, rated in zip(
                block.rows, block.statistics(column), block.rated, strict=True
            )
            if found and rated
        }
        for block, column in zip(blocks, columns, strict=True)
    ]
    rows = {row.label: row for block in blocks for row in block.rows}
    kept = [row for label, row in rows.items() if all(label in held for held in means)]
    names = [block.data.name for block in blocks]
    data = sorted(set(names))
    if not rated_metric(metric) or len(data) < 2 or len(kept) < 2:
        return None
    values = np.array([[held[row.label] for held in means] for row in kept])
    of = np.array([data.index(name) for name in names])
    return _compared(
        np.stack([values[:, of == i].mean(axis=1) for i in range(len(data))], axis=1),
        kept,
        column=columns[0],
        rated=[True] * len(kept),
        over=f"{len(data)} data sets",
        procedure=procedure,
        tried=lambda one, other: len(data),
    )


def _compared(
    scores: np.ndarray,
    rows: Sequence[Row],
    *,
    column: str,
    rated: Sequence[bool],
    over: str,
    procedure: Procedure,
    tried: Callable[[str, str], int],
) -> Comparison:
    """``scores`` are rows by blocks of the test, NaN: none; ``tried`` counts those of two rows."""
    labels = [row.label for row in rows]
    higher = metric_info(column.partition("/")[2] or column).direction == "higher"
    means = np.nanmean(scores, axis=1)
    order = np.where(rated, -means if higher else means, np.inf)
    best = labels[int(np.argmin(order))]
    reference = _reference(rows, procedure.against) or best
    pairs = {
        label: _paired(scores[i], scores[labels.index(reference)])
        for i, label in enumerate(labels)
        if label != reference
    }
    ranked = [i for i in range(len(rows)) if rated[i]]
    whole = np.isfinite(scores[ranked]).all(axis=0)
    ranks = statistics.ranks(scores[ranked][:, whole].T, higher=higher)  # (blocks, rows)
    n, k = ranks.shape
    average = dict(zip([labels[i] for i in ranked], ranks.mean(axis=0), strict=True)) if n else {}
    placed = dict(sorted(average.items(), key=lambda item: item[1]))
    facts: dict[str, float] = {}
    if procedure.test == "nemenyi":
        p, facts = (
            _nemenyi(ranks, placed, reference) if statistics.friedman_reaches(n, k) else ({}, {})
        )
        equals = _nemenyi_groups(placed, facts)
    else:
        p = _wilcoxon(pairs)
        alike = {label for label, value in p.items() if value > statistics.ALPHA}
        group = tuple(label for label in labels if label in alike | {best})
        equals = (group,) if p and reference == best else ()
    return Comparison(
        column=column,
        over=over,
        n=n,
        procedure=procedure,
        best=best,
        reference=reference,
        differences={
            label: Difference(
                values=values, left_out=tried(label, reference) - len(values), p=p.get(label)
            )
            for label, values in pairs.items()
        },
        ranks={label: float(rank) for label, rank in placed.items()},
        equals=equals,
        **facts,
    )


def _reference(rows: Sequence[Row], against: str | None) -> str | None:
    """The row of that label, title or method; the first of several."""
    if against is None:
        return None
    for row in rows:
        if against in (row.label, row.title):
            return row.label
    for row in rows:
        if against == row.method:
            return row.label
    raise UserError(unknown_name("row", against, [row.label for row in rows]))


def _paired(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    differences = scores - reference
    return differences[np.isfinite(differences)]


def _wilcoxon(pairs: Mapping[str, np.ndarray]) -> dict[str, float]:
    """p after Holm of the rows that could reach 5 %, were all differences of one sign.

    The family are all rows with pairs enough for a test alone: which they are is settled before
    any score is known.
    """
    family = {
        label: values
        for label, values in pairs.items()
        if statistics.wilcoxon_least(len(values)) <= statistics.ALPHA
    }
    least = statistics.holm(np.array([statistics.wilcoxon_least(len(d)) for d in family.values()]))
    p = statistics.holm(np.array([statistics.wilcoxon(d) for d in family.values()]))
    return {label: float(p[i]) for i, label in enumerate(family) if least[i] <= statistics.ALPHA}


def _nemenyi(
    ranks: np.ndarray, placed: Mapping[str, float], reference: str
) -> tuple[dict[str, float], dict[str, float]]:
    """p of each row against the reference, never below Friedman's, and what is said of all."""
    n, k = ranks.shape
    chi2, friedman = statistics.friedman(ranks)
    critical = statistics.critical_difference(n, k)
    p = {
        label: max(friedman, statistics.nemenyi(abs(rank - placed[reference]), n, k))
        for label, rank in placed.items()
        if reference in placed and label != reference
    }
    return p, {"chi2": chi2, "p": friedman, "critical": critical}


def _nemenyi_groups(
    placed: Mapping[str, float], facts: Mapping[str, float]
) -> tuple[tuple[str, ...], ...]:
    if not facts:
        return ()
    labels = tuple(placed)
    if facts["p"] > statistics.ALPHA:
        return (labels,)
    found = statistics.groups(np.array(list(placed.values())), facts["critical"])
    return tuple(labels[first : last + 1] for first, last in found)
