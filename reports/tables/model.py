"""What a table is, whatever it looks like: rows in groups, columns, caption, notes.

A cell holds a value; how it is written is said by its column's :class:`Format`, and done by
:func:`written` for all renderers alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from deep_em_bench.metrics import Direction
from deep_em_bench.reports.data.titles import is_sample_metric, metric_info, metric_title

__all__ = [
    "ABSENT",
    "ARROWS",
    "Cell",
    "Column",
    "Format",
    "Group",
    "Line",
    "Note",
    "Table",
    "entries",
    "metric_column",
    "metric_format",
    "number",
    "text_column",
    "transposed",
    "without_empty",
    "written",
]

ABSENT = "–"
ARROWS: Mapping[Direction, str] = {"lower": "↓", "higher": "↑", "none": ""}

Kind = Literal["text", "share", "decimal", "score", "count", "seconds", "rank", "p"]

FIGURES, FINEST = 3, 6
"""Significant figures of a score of samples, and decimals from which it is noise."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the numbers of a column are written.

    "share": three decimals, no zero before the point; "decimal": one; "score": three significant
    figures; "rank": two decimals; "p": a p value; "count" and "seconds" as they are named.
    """

    kind: Kind = "text"
    signed: bool = False
    """With a plus before positive numbers."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; the first of a table names its rows."""

    name: str
    """In CSV and JSON."""
    title: str
    format: Format = field(default_factory=Format)
    direction: Direction = "none"
    """Which values are better."""
    unit: str = ""
    hint: str = ""
    """A sentence of explanation, shown where there is room for it."""

    @property
    def numeric(self) -> bool:
        """Whether its cells are set to the right and sorted by value."""
        return self.format.kind != "text"

    @property
    def head(self) -> str:
        """Title, unit and arrow, as plain text."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.title}{unit} {ARROWS[self.direction]}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One entry. Without value, interval and text it is empty."""

    value: float | str | None = None
    spread: float | None = None
    """A standard deviation."""
    interval: tuple[float, float] | None = None
    of: int | None = None
    """The whole that a count is of, as in "9/10"."""
    best: bool = False
    mark: str = ""
    """Letters after the text."""
    format: Format | None = None
    """In place of the column's."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further values, for CSV and JSON alone."""
    rows: tuple[int, ...] = ()
    """Places of the rows whose single runs the page opens."""
    href: str = ""
    details: str = ""
    """Text of several lines that the page opens, such as a traceback."""
    items: tuple[str, ...] = ()
    """A list below the text."""

    @property
    def empty(self) -> bool:
        return self.value is None and self.interval is None and not self.items


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of a table."""

    cells: tuple[Cell, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What identifies it in CSV and JSON: label, method, preset, ..."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Lines that stay together, under a title or none."""

    lines: tuple[Line, ...]
    title: str = ""
    name: str = ""
    """The split, where it is one."""


Note = tuple[str, str]
"""What it is about, or nothing, and what is said of it."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with what is said above and below it, all of it plain text."""

    name: str
    """Tells it from all others; files and labels are named after it."""
    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    caption: tuple[str, ...] = ()
    """Sentences, the first of which can stand alone."""
    notes: tuple[Note, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What all its lines share, for CSV and JSON."""
    folded: bool = False
    """The page opens it at a click, and in print."""
    small: bool = False
    """Stands beside others of its kind."""
    href: str = ""

    @property
    def lines(self) -> list[Line]:
        """Of all groups."""
        return [line for group in self.groups for line in group.lines]


def without_empty(table: Table) -> Table:
    """``table`` without the columns that have no entry, the first aside."""
    kept = [
        i
        for i in range(len(table.columns))
        if i == 0 or not all(line.cells[i].empty for line in table.lines)
    ]
    groups = tuple(
        replace(
            group,
            lines=tuple(
                replace(line, cells=tuple(line.cells[i] for i in kept)) for line in group.lines
            ),
        )
        for group in table.groups
    )
    return replace(table, columns=tuple(table.columns[i] for i in kept), groups=groups)


def transposed(table: Table, first: Column) -> Table:
    """A table of one group with its lines as columns: ``first`` names what were its columns."""
    formats = [column.format for column in table.columns]
    columns = tuple(
        Column(
            name=str(line.facts.get("label", line.cells[0].value)),
            title=str(line.cells[0].value),
            format=Format(kind="share"),
            hint=str(line.facts.get("hint", "")),
        )
        for line in table.lines
    )
    lines = tuple(
        Line(
            cells=(
                Cell(value=column.title),
                *(
                    replace(line.cells[i], format=line.cells[i].format or formats[i])
                    for line in table.lines
                ),
            ),
            facts={first.name: column.name},
        )
        for i, column in enumerate(table.columns)
        if i
    )
    return replace(table, columns=(first, *columns), groups=(Group(lines=lines),))


def text_column(name: str, title: str, hint: str = "") -> Column:
    """A column of words."""
    return Column(name=name, title=title, hint=hint)


def metric_column(metric: str, *, signed: bool = False) -> Column:
    """A column with values of ``metric``."""
    info = metric_info(metric)
    return Column(
        name=metric,
        title=metric_title(metric),
        format=replace(metric_format(metric), signed=signed),
        direction=info.direction,
        hint=info.source,
    )


def metric_format(metric: str) -> Format:
    """How values of ``metric`` are written."""
    if is_sample_metric(metric):
        return Format(kind="score")
    low, high = metric_info(metric).bounds
    share = low is not None and high is not None and low >= -1 and high <= 1
    return Format(kind="share" if share else "decimal")


def written(cell: Cell, column: Column) -> tuple[str, str]:
    """The text of a cell, and what follows it in smaller type: spread or letters."""
    style = cell.format or column.format
    if cell.interval is not None:
        low, high = (number(limit, style) for limit in cell.interval)
        return f"[{low}, {high}]", cell.mark
    if cell.value is None:
        return "" if cell.items else ABSENT, cell.mark
    if isinstance(cell.value, str):
        return cell.value, cell.mark
    if cell.of is not None:
        return f"{cell.value:.0f}/{cell.of}", cell.mark
    if cell.spread is None:
        return number(cell.value, style), cell.mark
    spread = number(cell.spread, replace(style, signed=False), cell.value)
    return number(cell.value, style), f"± {spread} {cell.mark}".rstrip()


def number(value: float, style: Format, beside: float | None = None) -> str:
    """A number; its spread takes the decimals of the value that it stands ``beside``.

    >>> share, score = Format(kind="share"), Format(kind="score")
    >>> number(0.0463, share), number(-0.0001, share), number(9.96, Format(kind="decimal"))
    ('.046', '.000', '10.0')
    >>> number(231.0577, score), number(-0.0012, score), number(7.5, score, 231)
    ('231', '-0.00120', '8')
    """
    if style.kind == "p":
        return "< .001" if value < 0.001 else _unpadded(f"{value:.3f}")
    digits = _decimals(value, style.kind, beside)
    text = f"{round(value, digits) + 0.0:,.{digits}f}"  # + 0.0 turns -0.0 into 0.0
    if style.kind == "share":
        text = _unpadded(text)
    return f"+{text}" if style.signed and value > 0 and text.strip("0.") else text


def _unpadded(text: str) -> str:
    return text[1:] if text.startswith("0.") else text.replace("-0.", "-.", 1)


def _decimals(value: float, kind: Kind, beside: float | None) -> int:
    if kind == "seconds":
        return 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    if kind == "score":  # the figures of the rounded value
        of = value if beside is None else beside
        exponent = int(f"{of:.{FIGURES - 1}e}".partition("e")[2]) if of else 0
        return min(max(FIGURES - 1 - exponent, 0), FINEST)
    return {"share": 3, "decimal": 1, "rank": 2}.get(kind, 0)


def entries(columns: Sequence[Column], cells: Iterable[Cell]) -> Iterable[tuple[str, Any]]:
    """What CSV and JSON hold of a line, by the names of its columns."""
    for column, cell in zip(columns, cells, strict=True):
        if cell.interval is not None:
            yield f"{column.name}_low", cell.interval[0]
            yield f"{column.name}_high", cell.interval[1]
            continue
        yield column.name, "; ".join(cell.items) if cell.items else cell.value
        if cell.spread is not None:
            yield f"{column.name}_std", cell.spread
        if cell.of is not None:
            yield f"{column.name}_of", cell.of
        if cell.mark:
            yield f"{column.name}_mark", cell.mark
        if column.direction != "none":
            yield f"{column.name}_best", cell.best
        yield from ((f"{column.name}_{name}", value) for name, value in cell.extra.items())
