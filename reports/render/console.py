"""Tables as plain text for the terminal: aligned columns, the best marked with an asterisk."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from deep_em_bench.reports.tables.model import Line, Table, written

__all__ = ["console", "printable"]

LEAST, MOST = 79, 110
"""Columns between which text above and below a table is wrapped, as wide as the table."""


def console(tables: Sequence[Table]) -> str:
    """The tables in order, each with its caption above and its notes below."""
    return "\n\n".join("\n".join(_lines(table)) for table in tables)


def printable(text: str) -> str:
    """``text`` with nothing that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _lines(table: Table) -> Iterator[str]:
    rows: list[list[str]] = [[column.head for column in table.columns]]
    rows[0][0] = "" if table.columns[0].name == "title" else rows[0][0]
    for group in table.groups:
        if group.title:
            rows.append([printable(group.title)])
        indent = "  " if group.title else ""
        rows += [_cells(line, table, indent) for line in group.lines]
    aligned = list(_aligned(rows, [column.numeric for column in table.columns]))
    width = min(max(LEAST, *map(len, aligned)), MOST)
    for sentence in table.caption:
        yield from textwrap.wrap(printable(sentence.replace("Bold:", "Marked *:")), width)
    yield ""
    yield from aligned
    if table.notes:
        yield ""
    for about, text in table.notes:
        note = printable(f"{about}: {text}" if about else text)
        yield from textwrap.wrap(note, width, subsequent_indent="   ", break_on_hyphens=False)


def _cells(line: Line, table: Table, indent: str) -> list[str]:
    """Cells with a star after the best; the others have a blank if their column has a star."""
    texts = []
    for i, (cell, column) in enumerate(zip(line.cells, table.columns, strict=True)):
        text, small = written(cell, column)
        starred = any(other.cells[i].best for other in table.lines)
        star = "*" if cell.best else " " * starred
        items = "; ".join(cell.items)
        texts.append(
            f"{indent if i == 0 else ''}{printable(f'{text} {small} {items}'.rstrip())}{star}"
        )
    return texts


def _aligned(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> Iterator[str]:
    """Each column as wide as its widest cell; numbers to the right, words to the left.

    A title that stands alone in its row takes no room of its column.
    """
    columns = zip_longest(*(row for row in rows if len(row) > 1), fillvalue="")
    widths = [max(map(_width, column)) for column in columns]
    for row in rows:
        if len(row) == 1:
            yield row[0]
            continue
        cells = (
            _padded(text, width, left=not right)
            for text, width, right in zip(row, widths, numeric, strict=True)
        )
        yield "  ".join(cells).rstrip()


def _padded(text: str, width: int, *, left: bool) -> str:
    blanks = " " * (width - _width(text))
    return text + blanks if left else blanks + text


def _width(text: str) -> int:
    """Columns of a terminal that the text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
