"""Measured numbers beside published ones, with what differs between the two protocols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.published import FULL, KINDS, Compared, ComparedBlock
from deep_em_bench.reports.data.titles import SPLITS, metric_title, named_seeds
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import (
    Cell,
    Column,
    Format,
    Group,
    Line,
    Note,
    Table,
    metric_format,
    text_column,
    without_empty,
)
from deep_em_bench.results.printed import Entry
from deep_em_bench.results.published import tables

__all__ = ["beside_published", "comparable"]

FEW = 6
"""Runs from which an interval says something."""


def beside_published(data: Gathered) -> list[Table]:
    """A table for each block that has a published counterpart, attributes included."""
    return [_table(data, each) for each in data.compared]


def comparable(data: Gathered) -> str:
    """Whether the suite may be compared with published numbers, and why not: one line."""
    pairs = [pair for each in data.compared for pair in each.rows]
    if not pairs:
        return "nothing published to compare with"
    clean = sum(not pair.differs for pair in pairs)
    reasons = [kind for kind in KINDS if any(d.kind == kind for p in pairs for d in p.differs)]
    if clean == len(pairs):
        return "yes: no protocol differs"
    most = f"{clean} of {len(pairs)} numbers" if clean else "no"
    quick = sorted({block.profile for block in data.blocks if block.profile != FULL})
    profile = f" (profile {', '.join(quick)} is not the papers' budget)" if quick else ""
    return f"{most}: protocols differ in {', '.join(reasons)}{profile}"


def _table(data: Gathered, each: ComparedBlock) -> Table:
    block = each.block
    few = any(pair.measured.n < FEW and pair.interval for pair in each.rows)
    by_table: dict[str, list[Compared]] = {}
    for pair in each.rows:
        by_table.setdefault(pair.entry.where, []).append(pair)
    share = Format(kind="share")
    table = Table(
        name=f"published {block.name}",
        title=f"Beside published numbers, {block.title}",
        columns=(
            text_column("title", "Method"),
            text_column("metric", "Metric"),
            text_column("split", "Split"),
            Column(name="measured", title="Measured", format=share),
            Column(name="n", title="n", format=Format(kind="count")),
            Column(name="published", title="Published", format=share),
            Column(
                name="difference", title="Difference", format=Format(kind="share", signed=True)
            ),
            Column(name="interval", title="95 % interval", format=share),
            text_column("holds", "Holds it", "Whether the interval holds the published number"),
            text_column("differs", "Differs in", "In what the protocols differ"),
            text_column("printed", "As printed"),
        ),
        groups=tuple(
            Group(title=where, lines=tuple(_line(data, block, pair) for pair in pairs))
            for where, pairs in by_table.items()
        ),
        caption=(
            f"Measured beside published: {block.title}.",
            *caption.about(block),
            f"Measured: mean ± standard deviation of the last iterate over the "
            f"{named_seeds(block.seeds)}, and the 95 % interval of the mean by Student's t.",
            "Holds it: no, where the interval excludes the published number; yes, where it does "
            "not and no protocol differs.",
            *(
                [f"An interval of fewer than {FEW} runs is wide: a yes says little."]
                if few
                else []
            ),
        ),
        notes=tuple(_notes(each)),
        facts=block.facts,
    )
    return without_empty(table)


def _line(data: Gathered, block: Block, pair: Compared) -> Line:
    measured, entry, used = pair.measured, pair.entry, pair.row.records[0].method
    kind = "count" if entry.unit == "count" else metric_format(pair.metric).kind
    style, signed = Format(kind=kind), Format(kind=kind, signed=True)
    kinds = [k for k in KINDS if any(d.kind == k for d in pair.differs)]
    title = "Parameters" if entry.unit == "count" else metric_title(pair.metric)
    cells = (
        Cell(value=pair.row.title, rows=(data.places[block.name, pair.row.label],)),
        Cell(value=title),
        Cell(value=SPLITS.get(pair.split)),
        Cell(value=measured.mean, spread=measured.std, format=style),
        Cell(value=measured.n),
        Cell(value=entry.value, spread=entry.std, format=style),
        Cell(value=pair.difference, format=signed),
        Cell(interval=pair.interval, format=style),
        Cell(value={True: "yes", False: "no", None: None}[pair.holds]),
        Cell(value=", ".join(kinds) or None),
        Cell(value=entry.printed),
    )
    facts = {
        "label": pair.row.label,
        "method": used.name,
        "preset": used.preset,
        "metric": pair.metric,
        "where": entry.where,
        "row": entry.row,
        "reasons": "; ".join(d.said for d in pair.differs),
    }
    return Line(cells=cells, facts=facts)


def _notes(each: ComparedBlock) -> Iterator[Note]:
    said = {(d.kind, d.said): None for pair in each.rows for d in pair.differs}
    for kind in KINDS:
        if texts := [text for other, text in said if other == kind]:
            yield f"Differs in {kind}", f"{'; '.join(texts)}."
    yield from _on_tables(each.rows)
    yield from {
        (f"{pair.entry.where}, {pair.entry.row}", text): None
        for pair in each.rows
        for text in pair.entry.remarks
    }
    if each.unmeasured:
        yield "Not measured here", "; ".join(_unmeasured(each.unmeasured)) + "."


def _on_tables(rows: Sequence[Compared]) -> Iterator[Note]:
    """What is wrong with each table, and column, that a published number of the rows is from."""
    for table in tables():
        held = [pair.entry for pair in rows if pair.entry in table.entries]
        if held and table.remark:
            yield held[0].where, table.remark
        for column in dict.fromkeys(entry.column for entry in held):
            if column in table.column_remarks:
                yield f"{held[0].where}, {column}", table.column_remarks[column]


def _unmeasured(entries: Sequence[Entry]) -> Iterator[str]:
    by_row: dict[str, list[str]] = {}
    for entry in entries:
        text = f"{entry.column} {entry.printed}"
        by_row.setdefault(f"{entry.row}, {entry.where}", []).append(text)
    yield from (f"{row}: {', '.join(cells)}" for row, cells in by_row.items())
