"""What ``python -m reports`` prints and writes: of one suite, and of the published numbers."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core import UserError
from results import Record, Store

if TYPE_CHECKING:
    from reports.page import Suite

__all__ = ["FORMATS", "INDEX", "audit_files", "index_file", "suite_files"]

FORMATS = ("console", "csv", "json", "latex", "figures", "page")

INDEX = "index.html"

MOST, FEW, LARGE = 120, 6, 5_000
"""Figures of one suite, each about half a second's work; those of a suite of so many records."""

AUDIT_FORMATS = FORMATS[:4]
"""What the published numbers can be shown as."""


def audit_files(out: Path, formats: Sequence[str]) -> None:
    """Print the audit of the published numbers, and write its files to the folder ``out``.

    Raises :class:`core.UserError`.
    """
    from reports import audit, latex
    from results.published import published, tables

    for name in formats:
        if name not in AUDIT_FORMATS:
            raise UserError(f"no {name} of published numbers; give {', '.join(AUDIT_FORMATS)}")
    audited = audit.audit(tables())
    if "console" in formats:
        print(audit.console(audited, shutil.get_terminal_size((100, 24)).columns))
    files: dict[str, str] = {}
    if "csv" in formats:
        files["published.csv"] = audit.to_csv(published())
    if "json" in formats:
        files["published.json"] = audit.to_json(audited, published())
    if "latex" in formats:
        files["published.tex"] = latex.fragment(audit.latex(audited))
        files["published_standalone.tex"] = latex.standalone(audit.latex(audited))
    _write(out, files, ", ".join(files))


def suite_files(
    store: Store,
    out: Path,
    formats: Sequence[str],
    *,
    profile: str | None = None,
    metrics: Sequence[str] | None = None,
    mixed: bool = False,
    most: int | None = None,
    indexed: bool = False,
) -> list[Record]:
    """Print the tables of a suite's records, and write its files to a folder in ``out``.

    ``most`` is the number of figures at most, 0 for all there are; by default :data:`MOST`, or
    :data:`FEW` of more than :data:`LARGE` records. What is not drawn is told. ``indexed`` says
    that a page of all suites stands beside it. Returns the records.

    Raises :class:`core.UserError` for a suite without records, for records that do not go into one
    table, for metrics that none of them has, and for a folder that cannot be written to.
    """
    from reports import (
        attribute_tables,
        clusters,
        comparison_tables,
        latex,
        mixtures,
        statistics_tables,
        tables,
    )
    from reports.attributes import by_attribute
    from reports.comparison import compare
    from reports.statistics_suite import suite_statistics
    from reports.summary import summarise
    from results.published import published

    suite = store.folder.name
    records = list(store.load(history=False))
    if not records:
        raise UserError(
            f"suite {suite!r} has no readable records in {store.folder}; "
            f"make them with: python -m benchmarks.run --suite {suite}"
        )
    blocks = summarise(records, profile=profile, mixed=mixed)
    shown = metrics or tables.shown_metrics(blocks)
    known = tables.measured(blocks)
    absent = [name for name in shown if name not in known]
    if absent:
        raise UserError(
            f"no record of suite {suite!r} has {', '.join(absent)}; "
            f"there are: {', '.join(known) or 'no metrics at all'}"
        )
    compared = compare(blocks, published())
    sheets, rest = by_attribute(blocks)  # a table an attribute would be eighty of them
    beside = compare(rest, published()) if sheets else compared
    tested = {"console", "latex", "page"} & set(formats)
    statistics = suite_statistics(rest if tested else [], shown)
    if "console" in formats:
        said = (
            tables.console(rest, shown),
            attribute_tables.console(sheets, published()),
            statistics_tables.console(statistics),
            comparison_tables.console(beside),
        )
        print("\n\n".join(text for text in said if text))
    files: dict[str, str] = {}
    if "csv" in formats:
        files["table.csv"] = tables.to_csv(blocks)
        if compared:
            files["comparison.csv"] = comparison_tables.to_csv(compared)
        if sheets:
            files["attributes.csv"] = attribute_tables.to_csv(sheets, published())
    if "json" in formats:
        files["table.json"] = tables.to_json(blocks)
    if "latex" in formats:
        made = {
            "table.tex": latex.comparison(rest, shown) if rest else "",
            "attributes.tex": attribute_tables.latex(sheets, published()) if sheets else "",
            "statistics.tex": statistics_tables.latex(statistics),
            "comparison.tex": comparison_tables.latex(beside) if beside else "",
            "clusters.tex": clusters.cluster_tables(rest, store) if rest else "",
            "mixtures.tex": "\n".join(
                filter(None, (mixtures.mixture_table(block, store) for block in rest))
            ),
        }
        parts = {name: text for name, text in made.items() if text}
        files |= {name: latex.fragment(text) for name, text in parts.items()}
        files["table_standalone.tex"] = latex.standalone(*parts.values())
    folder = out / suite
    _write(folder, files, ", ".join(files))
    if {"figures", "page"} & set(formats):
        from reports.figures import figures  # matplotlib, which tables do without

        if most is None:
            most = FEW if len(records) > LARGE else MOST
        drawn = figures(blocks, store, metrics, most + 1 if most else None)
        undrawn = ""
        if most and len(drawn) > 2 * most:
            drawn = dict(list(drawn.items())[: 2 * most])
            undrawn = (
                f"Figures drawn: the first {most}; "
                f"all of them: python -m reports --suite {suite} --figures all."
            )
        _write(folder, drawn, f"{len(drawn) // 2} figures (PDF and PNG)")
        if undrawn:
            print(undrawn, file=sys.stderr)
        if "page" in formats:
            from reports.page import page

            text = page(
                *(suite, blocks, store, drawn, shown),
                compared=compared,
                statistics=statistics,
                undrawn=undrawn,
                indexed=indexed,
            )
            _write(folder, {INDEX: text}, INDEX)
    return records


def index_file(out: Path, suites: Sequence[Suite]) -> None:
    """Write the page that lists all suites."""
    from reports.page import index

    _write(out, {INDEX: index(suites)}, INDEX)


def _write(folder: Path, files: Mapping[str, str | bytes], said: str) -> None:
    try:
        for name, content in files.items():
            folder.mkdir(parents=True, exist_ok=True)
            held = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(held)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror}; free some space or give another --out"
        ) from error
    if files:
        print(f"wrote {said} to {folder}", file=sys.stderr)
