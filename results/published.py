"""The papers' own numbers, as printed, with what each of them really is.

They stand in ``published.toml``; the head of that file says what its keys mean. Reading is strict:
an unknown key, a value of the wrong type, a cell that is no number or a number that stands there
twice is a :class:`DataError` naming file, table and row.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from deep_em_bench.core import DataError, unknown_name
from deep_em_bench.results.decode import decode
from deep_em_bench.results.printed import Entry, Paper, PublishedTable, Selected, Split, Unit

__all__ = ["find", "published", "read_published", "tables"]

FILE = Path(__file__).with_name("published.toml")

CELL = re.compile(
    r"(?P<bold>\*?)(?P<value>[0-9][0-9,]{0,15}(\.[0-9]{1,9})?)"
    r"(?P<spread>±[0-9]{1,9}(\.[0-9]{1,9})?|\(±[0-9]{1,9}(\.[0-9]{1,9})?\))?"
    r"( \((K = (?P<K>[0-9]{1,9})|not specified)\))?"
)
EMPTY = "-"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What may be said of a number at its table, column or row; None: not said there."""

    dataset: str | None = None
    words: Mapping[str, Any] | None = None
    setting: Mapping[str, Any] | None = None
    features: str | None = None
    n: int | None = None
    split: Split | None = None
    n_clusters: int | None = None
    labelled: int | None = None
    runs: int | None = None
    selected: Selected | None = None
    source: str | None = None
    metric_printed: str | None = None
    metric: str | None = None
    beside: tuple[str, ...] | None = None
    unit: Unit | None = None
    suites: tuple[str, ...] | None = None
    method: str | None = None
    presets: tuple[str, ...] | None = None
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class _Column(_Facts):
    name: str
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class _Row(_Facts):
    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Block(_Facts):
    paper: str
    table: str
    title: str
    remark: str = ""
    row_word: str | None = None
    columns: tuple[Any, ...]
    rows: tuple[Any, ...]
    remarks: Mapping[str, str] = field(default_factory=dict)


def published() -> tuple[Entry, ...]:
    """Every number of ``published.toml``, in the order of the file.

    >>> ganmm = find(published(), suite="mnist_raw", method="ganmm", metric="purity")
    >>> [(entry.where, entry.value, entry.std) for entry in ganmm]
    [('GANMM Table 1', 0.643, 0.0045)]
    """
    return tuple(entry for table in tables() for entry in table.entries)


@functools.cache
def tables() -> tuple[PublishedTable, ...]:
    """The tables of ``published.toml``, in the order of the file."""
    return read_published(FILE)


def find(
    entries: Iterable[Entry],
    *,
    suite: str | None = None,
    method: str | None = None,
    metric: str | None = None,
) -> list[Entry]:
    """Those of ``entries`` that stand beside our ``metric`` of ``method`` in ``suite``."""
    return [
        entry
        for entry in entries
        if (suite is None or suite in entry.suites)
        and (method is None or method == entry.method)
        and (metric is None or metric in entry.beside)
    ]


def read_published(path: Path) -> tuple[PublishedTable, ...]:
    """The tables of the file ``path``. Raises :class:`DataError`."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); it belongs to the package, install it anew"
        ) from error
    except (ValueError, RecursionError) as error:  # of tomllib, of UTF-8, of huge integers
        raise DataError(f"{path} is not TOML: {error}") from error
    _refuse_unknown(raw, ("papers", "tables"), str(path))
    papers = {
        key: _read(Paper, value, f"{path}: papers.{key}")
        for key, value in _typed(raw.get("papers", {}), dict, "papers", str(path)).items()
    }
    blocks = _typed(raw.get("tables", []), list, "tables", str(path))
    read = tuple(_table(value, papers, f"{path}: tables[{i}]") for i, value in enumerate(blocks))
    _refuse_twice(read, path)
    return read


def _table(value: Any, papers: Mapping[str, Paper], where: str) -> PublishedTable:
    block = _read(_Block, value, where)
    if block.paper not in papers:
        raise DataError(f"{where}: {unknown_name('paper', block.paper, papers)}")
    paper = papers[block.paper]
    where = f"{where.rpartition(': ')[0]}: {paper.name} {block.table}"
    columns = [
        _read(_Column, item, f"{where}, column {i + 1}") for i, item in enumerate(block.columns)
    ]
    names = tuple(column.name for column in columns)
    rows = [_read(_Row, item, f"{where}, {_named(item, i)}") for i, item in enumerate(block.rows)]
    known = {row.name for row in rows} | {f"{r.name} | {name}" for r in rows for name in names}
    _refuse_unknown(block.remarks, known, f"{where}, remarks")
    return PublishedTable(
        paper=paper,
        table=block.table,
        title=block.title,
        remark=block.remark,
        columns=names,
        column_remarks={column.name: column.remark for column in columns if column.remark},
        rows=tuple((row.name, tuple(_cells(paper, block, columns, row, where))) for row in rows),
    )


def _cells(
    paper: Paper, block: _Block, columns: list[_Column], row: _Row, where: str
) -> Iterator[Entry | None]:
    where = f"{where}, row {row.name!r}"
    if len(row.cells) != len(columns):
        raise DataError(
            f"{where} has {len(row.cells)} cells for {len(columns)} columns; "
            f'give each column one, "{EMPTY}" where the paper prints none'
        )
    for column, cell in zip(columns, row.cells, strict=True):
        if cell == EMPTY:
            yield None
        else:
            yield _entry(paper, block, column, row, cell, where)


def _entry(
    paper: Paper, block: _Block, column: _Column, row: _Row, cell: str, where: str
) -> Entry:
    found = CELL.fullmatch(cell)
    if found is None:
        raise DataError(
            f'{where}: cell {cell!r} is no printed number; expected one like "0.6430±0.0045" or '
            f'"*4.04(±0.42) (K = 20)", or "{EMPTY}" for none'
        )

    def fact(name: str) -> Any:
        said = (getattr(level, name) for level in (row, column, block))
        return next((value for value in said if value is not None), None)

    def needed(name: str) -> Any:
        value = fact(name)
        if value is None:
            raise DataError(
                f"{where}: key {name!r} is missing; give it to the row, column or table"
            )
        return value

    unit = needed("unit")
    scale = 0.01 if unit == "percent" else 1.0
    number = found["value"].replace(",", "")
    spread = (found["spread"] or "").strip("(±)")
    picked = {block.row_word: row.name} if block.row_word else {}
    keys = (row.name, f"{row.name} | {column.name}")
    return Entry(
        paper=paper,
        table=block.table,
        row=row.name,
        column=column.name,
        printed=cell.removeprefix("*").partition(" (")[0],
        value=round(float(number) * scale, 10),
        std=round(float(spread) * scale, 10) if spread else None,
        resolution=scale * 10.0 ** -len(number.partition(".")[2]),
        bold=bool(found["bold"]),
        unit=unit,
        metric_printed=fact("metric_printed") or column.name,
        metric=needed("metric"),
        beside=fact("beside") or (needed("metric"),),
        dataset=needed("dataset"),
        words=fact("words") or picked,
        setting=fact("setting") or {},
        features=needed("features"),
        n=fact("n"),
        split=fact("split"),
        n_clusters=int(found["K"]) if found["K"] else fact("n_clusters"),
        labelled=fact("labelled") or 0,
        runs=fact("runs"),
        selected=fact("selected"),
        source=needed("source"),
        suites=fact("suites") or (),
        method=needed("method"),
        presets=fact("presets") or (),
        params=fact("params") or {},
        remarks=tuple(block.remarks[key] for key in keys if key in block.remarks),
    )


def _refuse_twice(read: Iterable[PublishedTable], path: Path) -> None:
    seen: set[tuple[Any, ...]] = set()
    for entry in (entry for table in read for entry in table.entries):
        key = (entry.where, entry.row, entry.column, entry.n_clusters)
        if key in seen:
            raise DataError(
                f"{path}: {entry.where}, row {entry.row!r}: column {entry.column!r} stands there "
                f"twice; keep one of them"
            )
        seen.add(key)


def _named(value: Any, i: int) -> str:
    name = value.get("name") if isinstance(value, dict) else None
    return f"row {name!r}" if isinstance(name, str) else f"row {i + 1}"


def _read(kind: type[T], value: Any, where: str) -> T:
    """``value`` as the dataclass ``kind``, whose defaults stand in for the keys it leaves out."""
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    given = _typed(value, dict, "it", where)
    _refuse_unknown(given, fields, where)
    held = {name: item.default for name, item in fields.items() if name not in given}
    for name, default in held.items():
        if default is dataclasses.MISSING and fields[name].default_factory is dataclasses.MISSING:
            raise DataError(f"{where}: key {name!r} is missing")
        if default is dataclasses.MISSING:
            held[name] = {}
        elif isinstance(default, tuple):
            held[name] = list(default)
    try:
        return decode(kind, held | given)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _typed(value: Any, kind: type[T], key: str, where: str) -> T:
    if type(value) is not kind:
        expected = "a table" if kind is dict else "an array of tables"
        raise DataError(f"{where}: {key} is {value!r:.60}, expected {expected}")
    return value


def _refuse_unknown(given: Iterable[str], known: Iterable[str], where: str) -> None:
    choices = list(known)
    for name in given:
        if name not in choices:
            raise DataError(f"{where}: {unknown_name('key', name, choices)}")
