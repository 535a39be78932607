"""What the page shows of differences between methods, and of published numbers beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deep_em_bench.reports.caption import seldom
from deep_em_bench.reports.comparison import KINDS, Compared, ComparedBlock
from deep_em_bench.reports.comparison_tables import amount, caption, notes, spread
from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.page_cells import Places, titled
from deep_em_bench.reports.statistics_rows import Comparison, Ranking
from deep_em_bench.reports.statistics_suite import Section, SuiteStatistics, Tested
from deep_em_bench.reports.statistics_tables import cells, over_data, reading, said
from deep_em_bench.reports.summary import Block, direction
from deep_em_bench.reports.text import ARROWS, SPLIT_NAMES
from deep_em_bench.reports.web import Cell, Column, Group, Part, Table, number_cell, text_cell

__all__ = ["differences", "published"]

NOTES = 60
"""Remarks below one table."""

NAMED = "In what the protocols differ is named in the table and told below it."


def differences(statistics: SuiteStatistics, places: Places) -> Iterator[Part]:
    """Of each block every row against the best one, and last the ranks over data sets."""
    for tested in statistics.tables:
        yield Part(title=titled(tested.block), tables=(_differences(tested, places),))
    if over := tuple(map(over_data, statistics.over_data)):
        yield Part(title="Over data sets", notes=over)


def published(compared: Sequence[ComparedBlock], places: Places) -> Iterator[Part]:
    """Of each compared block its rows beside the papers' numbers."""
    for each in compared:
        yield Part(title=titled(each.block), tables=(_published(each, places),))


def _differences(tested: Tested, places: Places) -> Table:
    block = tested.block
    rankings = [each.ranking for each in tested.sections if each.ranking]
    return Table(
        title=f"Differences: {titled(block)}",
        sentences=(
            *(f"MIXED: {sentence}." for sentence in block.mixed),
            *seldom(block),
            *reading(tested.sections),
        ),
        columns=(
            Column(name="Method", numeric=False),
            Column(name="Difference"),
            Column(name="95 % interval"),
            Column(name="p (Holm)"),
            Column(name="Pairs"),
            Column(name="Rank"),
        ),
        groups=tuple(
            Group(title=_title(section.comparison), lines=tuple(_rows(block, section, places)))
            for section in tested.sections
        ),
        notes=tuple(f"{_title(ranking)}: {said(ranking)}" for ranking in rankings),
        folded=True,
    )


def _rows(block: Block, section: Section, places: Places) -> Iterator[tuple[Cell, ...]]:
    ranking = section.ranking
    average = dict(zip(ranking.labels, ranking.average, strict=True)) if ranking else {}
    for row, printed in zip(section.comparison.rows, cells(section), strict=True):
        difference, interval, p, pairs, rank = printed.cells
        best = row.label == section.comparison.best
        rank, _, letters = rank.partition(" ")
        yield (
            text_cell(row.label, rows=(places[titled(block), row.label],)),
            number_cell(0.0 if best else row.mean, difference, best=best),
            Cell(text=interval, value=row.interval[0] if row.interval else None),
            Cell(text=p, value=row.p),
            Cell(text=pairs, value=None if best else row.n),
            number_cell(average.get(row.label), rank, spread=letters),
        )


def _published(each: ComparedBlock, places: Places) -> Table:
    block = each.block
    words = ("Method", "Metric", "Split", "Holds it", "Differs in", "As printed")
    order = ("Method", "Metric", "Split", "Measured", "n", "Published", "Difference")
    order += ("95 % interval", *words[-3:])
    return Table(
        title=f"Beside published numbers: {titled(block)}",
        sentences=tuple(caption(each, NAMED)),
        columns=tuple(Column(name=name, numeric=name not in words) for name in order),
        groups=(
            Group(
                lines=tuple(
                    _pair(pair, places[titled(block), pair.row.label]) for pair in each.rows
                )
            ),
        ),
        notes=_some(
            [
                f"Differs in {kind}: {text}" if kind else f"{name}: {text}"
                for kind, name, text in notes(each)
            ]
        ),
    )


def _pair(pair: Compared, place: int) -> tuple[Cell, ...]:
    measured, entry, interval = pair.measured, pair.entry, pair.interval
    limits = ", ".join(amount(pair, limit) for limit in interval or ())
    sign = "+" if pair.difference >= 0 else "-"
    return (
        text_cell(pair.row.label, rows=(place,)),
        text_cell(HEADINGS.get(pair.metric, pair.metric)),
        text_cell(SPLIT_NAMES.get(pair.split, "")),
        _amount(pair, measured.mean, measured.std),
        number_cell(measured.n, str(measured.n)),
        _amount(pair, entry.value, entry.std),
        number_cell(pair.difference, sign + amount(pair, abs(pair.difference))),
        number_cell(interval[0] if interval else None, f"[{limits}]"),
        text_cell({True: "yes", False: "no", None: ""}[pair.holds]),
        text_cell(", ".join(k for k in KINDS if any(d.kind == k for d in pair.differs))),
        text_cell(f"{entry.where}: {entry.printed}"),
    )


def _some(found: Sequence[str]) -> tuple[str, ...]:
    more = len(found) - NOTES
    return (*found[:NOTES], *[f"And {more:,} remarks more, in comparison.csv."] * (more > 0))


def _amount(pair: Compared, mean: float, std: float | None) -> Cell:
    return number_cell(mean, amount(pair, mean), spread=spread(pair, std, mean) or " ")


def _title(found: Comparison | Ranking) -> str:
    name = HEADINGS.get(found.metric, found.metric)
    return f"{name} {ARROWS[direction(found.metric)]}, {SPLIT_NAMES[found.split]}"
