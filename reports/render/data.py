"""Tables for programs: CSV with a line per row, and JSON with captions and notes too."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from deep_em_bench.reports.tables.model import Table, entries

__all__ = ["to_csv", "to_json"]

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def to_csv(tables: Sequence[Table]) -> str:
    """All rows under the union of their columns, identifiers and plain numbers.

    A number has its standard deviation, counts and bold type in columns of their own, as in
    ``nmi``, ``nmi_std``, ``nmi_n``, ``nmi_best``. Text that a spreadsheet would take for a formula
    begins with an apostrophe, as the spreadsheet itself would write it.
    """
    rows = [row for table in tables for row in _rows(table)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def to_json(tables: Sequence[Table]) -> str:
    """Each table with caption, columns, rows and notes; a line a row."""
    return "[\n" + ",\n".join(_written(_described(table)) for table in tables) + "\n]\n"


def _rows(table: Table) -> list[dict[str, Any]]:
    """The first column is left out where the rows are identified by a label."""
    rows = []
    for group in table.groups:
        of = {"group": group.name} if group.name else {}
        for line in group.lines:
            first = 1 if line.facts else 0
            values = dict(entries(table.columns[first:], line.cells[first:]))
            rows.append({**table.facts, **of, **line.facts, **values})
    return rows


def _described(table: Table) -> dict[str, Any]:
    return {
        **table.facts,
        "table": table.name,
        "title": table.title,
        "caption": " ".join(table.caption),
        "notes": [f"{about}: {text}" if about else text for about, text in table.notes],
        "columns": [
            {"name": c.name, "title": c.title, "direction": c.direction, "unit": c.unit}
            for c in table.columns
        ],
        "rows": [
            {name: value for name, value in row.items() if name not in table.facts}
            for row in _rows(table)
        ],
    }


def _written(description: Mapping[str, Any]) -> str:
    """A line per row. Indented JSON would take five times as long to write and to read."""
    lines = []
    for name, value in description.items():
        if isinstance(value, list) and value:
            items = ",\n  ".join(json.dumps(item, allow_nan=False) for item in value)
            lines.append(f' "{name}": [\n  {items}\n ]')
        else:
            lines.append(f' "{name}": {json.dumps(value, allow_nan=False)}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _safe(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
