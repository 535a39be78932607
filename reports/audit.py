"""The papers' tables as printed, with what each number measures and what is wrong with it."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from deep_em_bench.reports.escaping import breakable, escape, named
from deep_em_bench.reports.floats import Group, Tabular, floating
from deep_em_bench.reports.text import ABSENT
from deep_em_bench.results.printed import Entry, Paper, PublishedTable

__all__ = ["AuditRow", "AuditTable", "audit", "console", "latex", "to_csv", "to_json"]

Facts = tuple[str, ...]
"""What a number measures, a phrase each."""

LEGEND = "= what a number measures, ! what is wrong with it, * bold in the paper"

NARROWEST = 40
"""Columns that wrapped text gets even where the terminal is narrower."""

CSV_COLUMNS = (
    *("paper", "table", "row", "column", "printed", "bold", "unit", "value", "std"),
    *("metric_printed", "metric", "dataset", "features", "n", "split", "n_clusters", "labelled"),
    *("runs", "selected", "source", "suites", "method", "remarks"),
)


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """A row as printed, and what holds for it alone."""

    name: str
    cells: tuple[str, ...]
    """As printed."""
    bold: tuple[bool, ...]
    measures: tuple[str, ...]
    """A sentence each, without what the table or its columns say already."""
    wrong: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AuditTable:
    """A printed table with its remarks."""

    paper: Paper
    table: str
    title: str
    columns: tuple[str, ...]
    measures: tuple[str, ...]
    """Of all its numbers, then of single columns."""
    wrong: tuple[str, ...]
    rows: tuple[AuditRow, ...]


def audit(tables: Iterable[PublishedTable]) -> list[AuditTable]:
    """Each table with every fact said once: at the table, at a column or at a row."""
    return [_audited(table) for table in tables]


def console(audited: Sequence[AuditTable], width: int) -> str:
    """Plain text in ``width`` columns, by paper and table.

    The printed numbers themselves are never broken, so a wide table may run over.
    """
    width = max(width, NARROWEST)
    lines = [*_wrapped(LEGEND, "", width), ""]
    for paper, group in itertools.groupby(audited, key=lambda table: table.paper):
        lines += [paper.name.upper(), *_wrapped(f"{paper.title} ({paper.cite})", "  ", width)]
        lines += [line for text in paper.remarks for line in _wrapped(text, "  ! ", width)]
        for table in group:
            lines += ["", *_console(table, width)]
        lines.append("")
    return "\n".join(lines).rstrip()


def latex(audited: Sequence[AuditTable]) -> str:
    """A section a paper, a ``table`` environment a table, everything foreign escaped."""
    parts = []
    for paper, group in itertools.groupby(audited, key=lambda table: table.paper):
        items = "".join(f"\\item {breakable(text)}\n" for text in paper.remarks)
        listed = f"\\begin{{itemize}}\n{items}\\end{{itemize}}\n" if items else ""
        parts.append(
            f"\\subsection*{{{breakable(paper.name)}}}\n"
            f"{{\\raggedright {breakable(f'{paper.title} ({paper.cite})')}.\\par}}\n{listed}"
            + "".join(_latex(table, i) for i, table in enumerate(group))
            + "\\clearpage\n"
        )
    return "\n".join(parts)


def to_csv(entries: Iterable[Entry]) -> str:
    """Every number, one a line; suites and remarks joined by blanks."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        held = {name: getattr(entry, name) for name in CSV_COLUMNS}
        joined = {name: " ".join(held[name]) for name in ("suites", "remarks")}
        writer.writerow(held | joined | {"paper": entry.paper.name, "bold": int(entry.bold)})
    return text.getvalue()


def to_json(audited: Sequence[AuditTable], entries: Iterable[Entry]) -> str:
    """Papers and tables with their remarks, and every number with all its facts."""
    papers = {table.paper.name: structs.asdict(table.paper) for table in audited}
    held = {
        "papers": list(papers.values()),
        "tables": [dataclasses.asdict(table) | {"paper": table.paper.name} for table in audited],
        "numbers": [dataclasses.asdict(entry) | {"paper": entry.paper.name} for entry in entries],
    }
    return json.dumps(held, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _audited(table: PublishedTable) -> AuditTable:
    facts = {id(entry): _facts(entry) for entry in table.entries}
    shared = _common(facts.values())
    by_column = {
        column: _left(_common(_of(facts, (cells[i] for _, cells in table.rows))), shared)
        for i, column in enumerate(table.columns)
    }
    said: set[str] = set()
    rows = []
    for name, cells in table.rows:
        own = _common(_of(facts, cells))
        alone = [
            (column, _left(facts[id(cell)], shared, by_column[column], own))
            for column, cell in zip(table.columns, cells, strict=True)
            if cell
        ]
        known = [by_column[column] for column in table.columns]
        rows.append(
            AuditRow(
                name=name,
                cells=tuple(cell.printed if cell else ABSENT for cell in cells),
                bold=tuple(bool(cell and cell.bold) for cell in cells),
                measures=tuple(_sentences({"": _left(own, shared, *known), **dict(alone)})),
                wrong=tuple(_wrong(table.columns, cells, said)),
            )
        )
    return AuditTable(
        paper=table.paper,
        table=table.table,
        title=table.title,
        columns=table.columns,
        measures=tuple(_sentences({"All": shared, **_grouped(by_column)})),
        wrong=tuple(
            [table.remark] * bool(table.remark)
            + [f"{column}: {text}" for column, text in table.column_remarks.items()]
        ),
        rows=tuple(rows),
    )


def _facts(entry: Entry) -> Facts:
    percent = " in %" if entry.unit == "percent" else ""
    named_otherwise = entry.metric_printed != entry.column
    return (
        *([f'printed as "{entry.metric_printed}"{percent}'] if named_otherwise else []),
        "no known metric" if entry.metric == "unknown" else f"measures {entry.metric}",
        f"{entry.dataset}, {entry.features}",
        f"K = {entry.n_clusters}" if entry.n_clusters else "K not said",
        f"{entry.n:,} points fitted" if entry.n else "number of points not said",
        f"scored on {entry.split}" if entry.split else "scored split not said",
        f"{entry.labelled:,} labels" if entry.labelled else "no labels",
        f"{entry.runs} run{'s' * (entry.runs > 1)}" if entry.runs else "runs not said",
        *([f"the {entry.selected}"] if entry.selected else []),
        entry.source,
    )


def _of(facts: Mapping[int, Facts], cells: Iterable[Entry | None]) -> list[Facts]:
    return [facts[id(cell)] for cell in cells if cell]


def _common(several: Iterable[Facts]) -> Facts:
    held = list(several)
    return tuple(fact for fact in held[0] if all(fact in other for other in held)) if held else ()


def _left(facts: Facts, *said: Facts) -> Facts:
    return tuple(fact for fact in facts if not any(fact in known for known in said))


def _grouped(facts: Mapping[str, Facts]) -> dict[str, Facts]:
    """Columns of the same facts together, their names joined."""
    names: dict[Facts, list[str]] = {}
    for name, held in facts.items():
        names.setdefault(held, []).append(name)
    return {", ".join(several): held for held, several in names.items()}


def _sentences(facts: Mapping[str, Facts]) -> Iterator[str]:
    """A sentence for each name with facts; that of the empty name without it."""
    for name, held in facts.items():
        if held:
            yield f"{name}: {'; '.join(held)}" if name else "; ".join(held)


def _wrong(columns: Sequence[str], cells: Sequence[Entry | None], said: set[str]) -> Iterator[str]:
    """The remarks of a row, each once a table; one on a single cell names its column."""
    held = [(column, cell) for column, cell in zip(columns, cells, strict=True) if cell]
    for text in dict.fromkeys(text for _, cell in held for text in cell.remarks):
        if text not in said:
            where = [column for column, cell in held if text in cell.remarks]
            said.add(text)
            yield text if len(where) == len(held) else f"{', '.join(where)}: {text}"


def _console(table: AuditTable, width: int) -> Iterator[str]:
    yield from _wrapped(f"{table.paper.name} {table.table}: {table.title}", "", width)
    for text in table.measures:
        yield from _wrapped(text, "  = ", width)
    for text in table.wrong:
        yield from _wrapped(text, "  ! ", width)
    body = [_starred(row) for row in table.rows]
    held = list(zip(*body, strict=True))  # by column
    heads = [_stacked(head, cells) for head, cells in zip(table.columns, held, strict=True)]
    tallest = max(map(len, heads))
    heads = [[""] * (tallest - len(head)) + head for head in heads]
    sizes = [max(map(len, [*head, *cells])) for head, cells in zip(heads, held, strict=True)]
    first = max(len(row.name) for row in table.rows)
    for line in zip(*heads, strict=True):
        yield _line("", first, line, sizes)
    for row, cells in zip(table.rows, body, strict=True):
        yield _line(row.name, first, cells, sizes)
        for text in row.measures:
            yield from _wrapped(text, "      = ", width)
        for text in row.wrong:
            yield from _wrapped(text, "      ! ", width)


def _starred(row: AuditRow) -> tuple[str, ...]:
    return tuple(
        text + ("*" if bold else " ") for text, bold in zip(row.cells, row.bold, strict=True)
    )


def _stacked(head: str, cells: Iterable[str]) -> list[str]:
    """A head over as many lines as its cells are narrow."""
    return textwrap.wrap(head, max([8, *(len(cell) for cell in cells)]), break_long_words=False)


def _line(name: str, first: int, cells: Sequence[str], sizes: Sequence[int]) -> str:
    padded = (cell.rjust(size) for cell, size in zip(cells, sizes, strict=True))
    return "  ".join([f"    {name:<{first}}", *padded]).rstrip()


def _wrapped(text: str, mark: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False
    )


def _latex(table: AuditTable, i: int) -> str:
    body = [
        [
            named(row.name),
            *(
                rf"\textbf{{{escape(text)}}}" if bold else escape(text)
                for text, bold in zip(row.cells, row.bold, strict=True)
            ),
        ]
        for row in table.rows
    ]
    held = list(zip(*(row.cells for row in table.rows), strict=True))  # by column
    heads = [_head(head, cells) for head, cells in zip(table.columns, held, strict=True)]
    tabular = Tabular(
        columns="l" + "r" * len(heads), heads=[["Row", *heads]], groups=[Group(rows=body)]
    )
    notes = [("", text) for text in table.wrong]
    for row in table.rows:
        said = " ".join([*(f"({text})" for text in row.measures), *row.wrong])
        if said:
            notes.append((row.name, said))
    sentences = [
        f"{table.paper.name} {table.table}: {table.title}.",
        *(f"{text}." for text in table.measures),
    ]
    return floating(tabular, sentences, f"published {table.paper.name} {table.table} {i}", notes)


def _head(head: str, cells: Iterable[str]) -> str:
    lines = [escape(line) for line in _stacked(head, cells)]
    stacked = r" \\ ".join(lines)
    return rf"\shortstack[r]{{{stacked}}}" if len(lines) > 1 else stacked
