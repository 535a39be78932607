"""Methods by data sets, one metric a table, with average ranks in the last column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deep_em_bench.reports.data.blocks import Block, Row
from deep_em_bench.reports.data.differences import Comparison, compare_over_data
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.summary import statistic
from deep_em_bench.reports.data.titles import SPLITS, data_title, metric_title, rated_metric
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import (
    Cell,
    Column,
    Format,
    Group,
    Line,
    Table,
    metric_column,
    text_column,
    transposed,
)
from deep_em_bench.reports.tables.scores import failure_notes, statistic_cell

__all__ = ["Problem", "by_data", "comparisons_of", "problem_of", "score_line", "where_scored"]

MOST = 7
"""Data sets that stand as columns; more of them become rows."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Blocks that a table has as columns, by one metric, each on its split."""

    blocks: Sequence[Block]
    metric: str
    splits: Sequence[str]

    @property
    def columns(self) -> list[str]:
        """Of the frame, one a block."""
        return [f"{split}/{self.metric}" for split in self.splits]

    @property
    def rows(self) -> dict[str, Row]:
        """Those of any block, by label."""
        return {row.label: row for block in self.blocks for row in block.rows}

    def found(self, i: int, label: str) -> Row | None:
        """The row of that label in the i-th block."""
        return next((row for row in self.blocks[i].rows if row.label == label), None)

    def mean(self, label: str, over: Sequence[int]) -> Cell:
        """Over the blocks at these places, seed by seed; only of a row that has all of them."""
        by_seed: dict[int, list[float]] = {}
        for i in over:
            block, row = self.blocks[i], self.found(i, label)
            if row is None or block.statistic(row, self.columns[i]) is None:
                return Cell()
            values = block.scores(self.columns[i])[[r.label for r in block.rows].index(label)]
            for seed, value in zip(block.seeds, values.tolist(), strict=True):
                by_seed.setdefault(seed, []).append(value)
        whole = [each for each in by_seed.values() if len(each) == len(over)]
        means = [float(np.mean(each)) for each in whole if np.isfinite(each).all()]
        return statistic_cell(statistic(means))


def by_data(data: Gathered) -> list[Table]:
    """A table for each metric and profile of a suite with several blocks."""
    tables = []
    for profile in dict.fromkeys(block.profile for block in data.rest):
        blocks = [block for block in data.rest if block.profile == profile]
        for metric in data.metrics if len(blocks) > 1 else ():
            problem = problem_of(data, blocks, metric)
            compared = any(comparisons_of(data, problem))
            if rated_metric(metric) and len(problem.blocks) > 1 and compared:
                tables.append(_by_data(data, problem))
    return tables


def problem_of(data: Gathered, blocks: Sequence[Block], metric: str) -> Problem:
    pairs = [
        (block, next((s for s in ("test", "train", "generation") if s in found), ""))
        for block in blocks
        if (found := [s for s in data.splits(block, [metric]) if metric in block.metrics[s]])
    ]
    return Problem(
        blocks=[block for block, _ in pairs], metric=metric, splits=[split for _, split in pairs]
    )


def _by_data(data: Gathered, problem: Problem) -> Table:
    over = compare_over_data(problem.blocks, problem.columns, data.choice.procedure)
    comparisons = comparisons_of(data, problem)
    lines = [
        score_line(problem, row, comparisons, Cell(value=rank, format=Format(kind="rank")))
        for label, row in problem.rows.items()
        for rank in [_ranks(problem, over).get(label)]
    ]
    table = Table(
        name=f"data {data.suite} {problem.metric} {problem.blocks[0].profile}",
        title=f"{metric_title(problem.metric)} by data set, {problem.blocks[0].profile}",
        columns=(
            text_column("title", "Method"),
            *(replace(metric_column(problem.metric), name=n, title=t) for n, t in _heads(problem)),
            Column(name="rank", title="Rank", format=Format(kind="rank"), direction="lower"),
        ),
        groups=(Group(lines=tuple(lines)),),
        caption=(
            f"{metric_title(problem.metric)} by data set, {where_scored(problem)}.",
            caption.budget(problem.blocks),
            caption.runs(problem.blocks),
            *caption.how_bold(comparisons),
            *_ranked(over),
            *caption.mixed(problem.blocks),
        ),
        notes=tuple(note for block in problem.blocks for note in failure_notes(block)),
        facts={
            "suite": data.suite,
            "profile": problem.blocks[0].profile,
            "metric": problem.metric,
        },
    )
    return table if len(problem.blocks) <= MOST else transposed(table, text_column("data", "Data"))


def comparisons_of(data: Gathered, problem: Problem) -> list[Comparison | None]:
    return [
        data.comparison(block, column)
        for block, column in zip(problem.blocks, problem.columns, strict=True)
    ]


def score_line(
    problem: Problem, row: Row, comparisons: Sequence[Comparison | None], *after: Cell
) -> Line:
    cells = []
    for i, comparison in enumerate(comparisons):
        found = problem.found(i, row.label)
        score = problem.blocks[i].statistic(found, problem.columns[i]) if found else None
        best = comparison is not None and row.label in comparison.bold
        cells.append(statistic_cell(score, best=best))
    used = row.records[0].method
    facts = {"label": row.label, "method": used.name, "preset": used.preset}
    return Line(cells=(Cell(value=row.title), *cells, *after), facts=facts)


def _heads(problem: Problem) -> list[tuple[str, str]]:
    """Name and title of each block: only the words in which they differ."""
    words = [{**block.data.words, "K": block.n_clusters} for block in problem.blocks]
    keys = sorted({key for each in words for key in each})
    absent = object()
    differing = [k for k in keys if len({repr(each.get(k, absent)) for each in words}) > 1]
    names = {block.data.name for block in problem.blocks}
    several = len(names) > 1
    if len(names) == len(problem.blocks):
        differing = []  # the names alone tell them apart
    heads = []
    for block, each in zip(problem.blocks, words, strict=True):
        told = [f"{k}={each[k]}" for k in differing if each.get(k) is not None]
        name = data_title(block.data, block.data.words)
        title = ", ".join([*([name] if several or not told else []), *told])
        heads.append((f"{block.data.title} K={block.n_clusters}", title))
    return heads


def where_scored(problem: Problem) -> str:
    splits = dict.fromkeys(problem.splits)
    if len(splits) == 1:
        return {"generation": "of samples"}.get(
            problem.splits[0], f"{SPLITS[problem.splits[0]]} points"
        )
    named = zip(_heads(problem), problem.splits, strict=True)
    return "; ".join(f"{title}: {SPLITS[split]} points" for (_, title), split in named)


def _ranks(problem: Problem, over: Comparison | None) -> dict[str, float]:
    """Average ranks over the columns of the rows that have all: the test's, where there is one."""
    if over is not None:
        return dict(over.ranks)
    labels = [
        label
        for label in problem.rows
        if all(
            (row := problem.found(i, label)) and problem.blocks[i].statistic(row, column)
            for i, column in enumerate(problem.columns)
        )
    ]
    from deep_em_bench.reports.data.statistics import ranks  # scipy.stats is slow to import

    means = np.array(
        [[_mean(problem, i, label) for i in range(len(problem.blocks))] for label in labels]
    ).reshape(len(labels), len(problem.blocks))
    higher = metric_column(problem.metric).direction == "higher"
    return dict(zip(labels, ranks(means.T, higher=higher).mean(axis=0).tolist(), strict=True))


def _mean(problem: Problem, i: int, label: str) -> float:
    row = problem.found(i, label)
    found = problem.blocks[i].statistic(row, problem.columns[i]) if row else None
    assert found is not None, "only asked for rows that have a number everywhere"
    return found.mean


def _ranked(over: Comparison | None) -> list[str]:
    """What was tested on the average ranks."""
    if over is None:
        return ["Rank: average over the columns; they share their data, so no test is made."]
    if not over.tested:
        return [f"Rank: average over {over.over}. {over.unborne}"]
    titles = {row: f"{d.p:.3f}" for row, d in over.differences.items() if d.p is not None}
    told = ", ".join(f"{label} {p}" for label, p in titles.items())
    return [f"Rank: average over {over.over}; p against {over.reference}: {told}."]
