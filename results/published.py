"""The papers' own numbers, as printed, with what each of them really is.

They are in ``published.toml``, whose head explains the keys. Reading is strict: an unknown key, a
value of the wrong type, a cell that is no number, or a number given twice is a
:class:`DataError` naming file and place.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deep_em_bench.core import DataError, unknown_name
from deep_em_bench.core.files import read_bounded
from deep_em_bench.core.schema import Strict, Value, converted
from deep_em_bench.results.printed import Entry, Paper, PublishedTable, Selected, Split, Unit

__all__ = ["find", "published", "read_published", "tables"]

FILE = Path(__file__).with_name("published.toml")

CELL = re.compile(
    r"(?P<bold>\*?)(?P<value>[0-9][0-9,]{0,15}(\.[0-9]{1,9})?)"
    r"(?P<spread>±[0-9]{1,9}(\.[0-9]{1,9})?|\(±[0-9]{1,9}(\.[0-9]{1,9})?\))?"
    r"( \((K = (?P<K>[0-9]{1,9})|not specified)\))?"
)
EMPTY = "-"

MOST_BYTES = 2**22


class _Facts(Strict, frozen=True, kw_only=True):
    """The facts of a number, at its table, column or row; None: not given there."""

    dataset: str | None = None
    words: Mapping[str, Value] | None = None
    setting: Mapping[str, Value] | None = None
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
    params: Mapping[str, Value] | None = None


class _Column(_Facts, frozen=True, kw_only=True):
    name: str
    remark: str = ""


class _Row(_Facts, frozen=True, kw_only=True):
    name: str
    cells: tuple[str, ...]


class _Block(_Facts, frozen=True, kw_only=True):
    paper: str
    table: str
    title: str
    remark: str = ""
    row_word: str | None = None
    columns: tuple[_Column, ...]
    rows: tuple[_Row, ...]
    remarks: Mapping[str, str] = {}


class _File(Strict, frozen=True, kw_only=True):
    papers: Mapping[str, Paper] = {}
    tables: tuple[_Block, ...] = ()


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
    """The ``entries`` to compare with our ``metric`` of ``method`` in ``suite``."""
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
        raw = tomllib.loads(read_bounded(path, MOST_BYTES).decode())
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); it belongs to the package, install it anew"
        ) from error
    except (ValueError, RecursionError) as error:  # of tomllib, of UTF-8, of huge integers
        raise DataError(f"{path} is not TOML: {error}") from error
    try:
        file = converted(_File, raw)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    read = tuple(_table(block, file.papers, str(path)) for block in file.tables)
    _refuse_twice(read, path)
    return read


def _table(block: _Block, papers: Mapping[str, Paper], where: str) -> PublishedTable:
    if block.paper not in papers:
        raise DataError(f"{where}: {unknown_name('paper', block.paper, papers)}")
    paper = papers[block.paper]
    where = f"{where}: {paper.name} {block.table}"
    names = tuple(column.name for column in block.columns)
    known = {row.name for row in block.rows}
    known |= {f"{row.name} | {name}" for row in block.rows for name in names}
    for key in block.remarks.keys() - known:
        raise DataError(f"{where}, remarks: {unknown_name('key', key, known)}")
    return PublishedTable(
        paper=paper,
        table=block.table,
        title=block.title,
        remark=block.remark,
        columns=names,
        column_remarks={c.name: c.remark for c in block.columns if c.remark},
        rows=tuple((row.name, tuple(_cells(paper, block, row, where))) for row in block.rows),
    )


def _cells(paper: Paper, block: _Block, row: _Row, where: str) -> Iterator[Entry | None]:
    where = f"{where}, row {row.name!r}"
    if len(row.cells) != len(block.columns):
        raise DataError(
            f"{where} has {len(row.cells)} cells for {len(block.columns)} columns; "
            f'give each column one, "{EMPTY}" where the paper prints none'
        )
    for column, cell in zip(block.columns, row.cells, strict=True):
        if cell == EMPTY:
            yield None
        else:
            yield _entry(paper, block, column, row, cell, where)


def _entry(
    paper: Paper, block: _Block, column: _Column, row: _Row, cell: str, where: str
) -> Entry:
    number = CELL.fullmatch(cell)
    if number is None:
        raise DataError(
            f'{where}: cell {cell!r} is no printed number; expected one like "0.6430±0.0045" or '
            f'"*4.04(±0.42) (K = 20)", or "{EMPTY}" for none'
        )

    def fact(name: str) -> Any:
        values = (getattr(level, name) for level in (row, column, block))
        return next((value for value in values if value is not None), None)

    def needed(name: str) -> Any:
        value = fact(name)
        if value is None:
            raise DataError(
                f"{where}: key {name!r} is missing; give it to the row, column or table"
            )
        return value

    unit = needed("unit")
    scale = 0.01 if unit == "percent" else 1.0
    digits = number["value"].replace(",", "")
    spread = (number["spread"] or "").strip("(±)")
    picked = {block.row_word: row.name} if block.row_word else {}
    keys = (row.name, f"{row.name} | {column.name}")
    return Entry(
        paper=paper,
        table=block.table,
        row=row.name,
        column=column.name,
        printed=cell.removeprefix("*").partition(" (")[0],
        value=round(float(digits) * scale, 10),
        std=round(float(spread) * scale, 10) if spread else None,
        resolution=scale * 10.0 ** -len(digits.partition(".")[2]),
        bold=bool(number["bold"]),
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
        n_clusters=int(number["K"]) if number["K"] else fact("n_clusters"),
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
                f"{path}: {entry.where}, row {entry.row!r}: column {entry.column!r} is given "
                f"twice; keep one of them"
            )
        seen.add(key)
