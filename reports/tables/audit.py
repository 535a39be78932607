"""The papers' tables as printed, with what each number measures and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from deep_em_bench.reports.tables.model import Cell, Column, Group, Line, Note, Table, text_column
from deep_em_bench.results.printed import Entry, PublishedTable

__all__ = ["audit", "printed_numbers"]

Facts = tuple[str, ...]
"""What a number measures, a phrase each."""

NUMBERS = (
    *("paper", "table", "row", "column", "printed", "bold", "unit", "value", "std"),
    *("metric_printed", "metric", "dataset", "features", "n", "split", "n_clusters", "labelled"),
    *("runs", "selected", "source", "suites", "method", "remarks"),
)


def audit(tables: Iterable[PublishedTable]) -> list[Table]:
    """Each table with every fact said once: at the table, at a column or at a row.

    What is wrong with a paper as a whole stands below the first of its tables.
    """
    papers: set[str] = set()
    audited = []
    for i, table in enumerate(tables):
        remarks = () if table.paper.name in papers else table.paper.remarks
        papers.add(table.paper.name)
        audited.append(_audited(table, i, remarks))
    return audited


def printed_numbers(entries: Iterable[Entry]) -> Table:
    """Every number, one a line, with all its facts."""
    lines = []
    for entry in entries:
        held = {name: getattr(entry, name) for name in NUMBERS}
        held |= {"paper": entry.paper.name, "bold": int(entry.bold)}
        held |= {name: " ".join(held[name]) for name in ("suites", "remarks")}
        lines.append(Line(cells=tuple(Cell(value=value) for value in held.values())))
    return Table(
        name="published",
        title="Published numbers",
        columns=tuple(text_column(name, name) for name in NUMBERS),
        groups=(Group(lines=tuple(lines)),),
    )


def _audited(table: PublishedTable, i: int, of_paper: Sequence[str]) -> Table:
    paper = table.paper
    facts = {id(entry): _facts(entry) for entry in table.entries}
    shared = _common(facts.values())
    by_column = {
        column: _left(_common(_of(facts, (cells[k] for _, cells in table.rows))), shared)
        for k, column in enumerate(table.columns)
    }
    notes: list[Note] = [(paper.name, text) for text in of_paper]
    notes += [("", table.remark)] * bool(table.remark)
    notes += list(table.column_remarks.items())
    said: set[str] = set()
    for name, cells in table.rows:
        own = _common(_of(facts, cells))
        alone = {
            column: _left(facts[id(cell)], shared, by_column[column], own)
            for column, cell in zip(table.columns, cells, strict=True)
            if cell
        }
        known = [by_column[column] for column in table.columns]
        measures = _sentences({"": _left(own, shared, *known), **alone})
        wrong = _wrong(table.columns, cells, said)
        if text := " ".join([*(f"({each})" for each in measures), *wrong]):
            notes.append((name, text))
    return Table(
        name=f"published {paper.name} {table.table} {i}",
        title=f"{paper.name} {table.table}: {table.title}",
        columns=(
            text_column("row", "Row"),
            *(Column(name=name, title=name) for name in table.columns),
        ),
        groups=(
            Group(
                lines=tuple(
                    Line(
                        cells=(
                            Cell(value=name),
                            *(
                                Cell(value=cell.printed, best=cell.bold) if cell else Cell()
                                for cell in cells
                            ),
                        )
                    )
                    for name, cells in table.rows
                )
            ),
        ),
        caption=(
            f"{paper.name} {table.table}: {table.title}, as printed.",
            *(f"{text}." for text in _sentences({"All": shared, **_grouped(by_column)})),
        ),
        notes=tuple(notes),
        facts={
            "paper": paper.name,
            "title": paper.title,
            "cite": paper.cite,
            "table": table.table,
        },
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
