"""What the page shows of attributes: one a row, as in GAN-EM, Tables 2 and 3, with its cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deep_em_bench.reports.attribute_marks import told
from deep_em_bench.reports.attribute_rows import (
    Line,
    Means,
    attribute_lines,
    bracketed,
    grouped,
    labels_known,
    marked,
    means_by_method,
    notes_on,
    reading,
)
from deep_em_bench.reports.attributes import Attributes
from deep_em_bench.reports.page_cells import Places, titled
from deep_em_bench.reports.summary import Statistic
from deep_em_bench.reports.text import number
from deep_em_bench.reports.web import Cell, Column, Group, Part, Table, number_cell, text_cell
from deep_em_bench.results.printed import Entry

__all__ = ["attribute_scores"]

LEADS = (
    "An attribute leads to the cells of all its methods, a number to its own; table.csv has every "
    "metric of every attribute."
)


def attribute_scores(
    sheets: Sequence[Attributes], entries: Sequence[Entry], places: Places
) -> Iterator[Part]:
    """The means over the attributes, then the attributes of each sheet."""
    for group in grouped(sheets):
        title = f"Mean error over the attributes, {group[0].profile}"
        yield Part(title=title, tables=(_means(group, entries, places, title),))
    for sheet in sheets:
        title = f"{sheet.title}, K = {sheet.n_clusters}, {sheet.profile}"
        yield Part(title=title, tables=(_sheet(sheet, entries, places, title),))


def _sheet(sheet: Attributes, entries: Sequence[Entry], places: Places, title: str) -> Table:
    lines = list(attribute_lines(sheet, entries))
    said = (*sheet.reading(), "Best in bold.", *bracketed(lines), *sheet.seldom(entries), LEADS)
    means = [line for line in lines if line.block is None]
    marks = [Cell(text=text) for text in marked(sheet, entries)]
    blank = [Cell(text="")] * 2
    return Table(
        title=f"Error by attribute: {title}",
        sentences=said,
        columns=(
            Column(name="Attribute", numeric=False, hint="Leads to the cells of its methods"),
            *(Column(name=label, hint=sheet.metric) for label in sheet.labels),
            Column(name="Chance", hint="Mean error of coin flips"),
            Column(name="Published"),
        ),
        groups=(
            Group(lines=tuple(_line(sheet, line, places) for line in lines if line.block)),
            *(Group(lines=(_line(sheet, line, places),)) for line in means),
            *([Group(lines=((text_cell("Differs"), *marks, *blank),))] if marks else []),
        ),
        notes=tuple(notes_on(sheet, entries)),
    )


def _line(sheet: Attributes, line: Line, places: Places) -> tuple[Cell, ...]:
    blocks = [line.block] if line.block else sheet.blocks
    leads = [
        tuple(places[titled(b), label] for b in blocks if sheet.row(b, label) is not None)
        for label in sheet.labels
    ]
    several = any(cell is not None and cell.std is not None for cell in line.cells)
    theirs = " or ".join(number(value, sheet.metric) for value in line.published)
    return (
        text_cell(line.name, rows=tuple(sorted(row for rows in leads for row in rows))),
        *(
            _error(cell, count, rows, " " if several else "", best=i in line.best)
            for i, (cell, count, rows) in enumerate(
                zip(line.cells, line.counts, leads, strict=True)
            )
        ),
        number_cell(line.chance, "" if line.chance is None else number(line.chance, sheet.metric)),
        number_cell(line.published[0] if line.published else None, theirs),
    )


def _means(
    group: Sequence[Attributes], entries: Sequence[Entry], places: Places, title: str
) -> Table:
    found = list(means_by_method(group, entries))
    cells = (cell for means in found for cell in means.cells)
    blank = " " if any(cell is not None and cell.std is not None for cell in cells) else ""
    groups = [
        Group(
            title=f"published in {where}" if where else "",
            lines=tuple(_mean(group, m, places, blank) for m in found if m.where == where),
        )
        for where in dict.fromkeys(means.where for means in found)
    ]
    return Table(
        title=title,
        sentences=(*reading(group, entries), *bracketed(found)),
        columns=(
            Column(name="Method", numeric=False, hint="Leads to its cells"),
            *(Column(name=labels_known(sheet), hint=sheet.metric) for sheet in group),
            Column(name="Differs", numeric=False),
        ),
        groups=tuple(groups),
        notes=tuple(told(group, entries)),
    )


def _mean(
    group: Sequence[Attributes], means: Means, places: Places, blank: str
) -> tuple[Cell, ...]:
    leads = [
        tuple(
            places[titled(block), means.name]
            for block in sheet.blocks
            if not means.where and sheet.row(block, means.name) is not None
        )
        for sheet in group
    ]
    every = tuple(sorted(row for rows in leads for row in rows))
    cells = zip(means.cells, means.counts, leads, strict=True)
    return (
        text_cell(means.name, rows=every),
        *(_error(cell, count, rows, blank) for cell, count, rows in cells),
        Cell(text=means.differs),
    )


def _error(
    found: Statistic | None, count: str, rows: tuple[int, ...], blank: str, *, best: bool = False
) -> Cell:
    tail = f" ({count})" if count else ""
    if found is None:
        return number_cell(None, "", rows=rows, spread=tail.strip() or blank)
    spread = blank if found.std is None else f"± {number(found.std, 'error_rate')}"
    spread = (spread.rstrip() + tail).strip() or blank
    text = number(found.mean, "error_rate")
    return number_cell(found.mean, text, spread=spread, best=best, rows=rows)
