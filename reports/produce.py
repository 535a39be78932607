"""What ``python -m reports`` prints and writes: of one suite, and of the published numbers."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deep_em_bench.core import UserError
from deep_em_bench.reports.formats import FORMATS, INDEX, MAKERS, console
from deep_em_bench.reports.gathered import gathered
from deep_em_bench.reports.output import Output, write
from deep_em_bench.results import Record, Store

if TYPE_CHECKING:
    from deep_em_bench.reports.page import Suite

__all__ = ["audit_files", "index_file", "suite_files"]

AUDIT_FORMATS = FORMATS[:4]
"""What the published numbers can be shown as."""


def audit_files(out: Path, formats: Sequence[str]) -> None:
    """Print the audit of the published numbers, and write its files to the folder ``out``.

    Raises :class:`UserError`.
    """
    from deep_em_bench.reports import audit, latex
    from deep_em_bench.results.published import published, tables

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
    write(out, files)


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

    ``most`` is the number of figures at most, 0 for all there are; by default
    :data:`MOST`, or :data:`FEW` of more than
    :data:`LARGE` records. What is not drawn is told. ``indexed`` says that a page
    of all suites stands beside it. Files that an earlier run wrote in these formats, and that this
    one does not write, are removed; those of other formats stay. A page has its figures beside it,
    and so replaces these too. Returns the records.

    Raises :class:`UserError` for a suite without records, for records that do not go into one
    table, for metrics that none of them has, and for a folder that cannot be written to.
    """
    given = gathered(
        store, profile=profile, metrics=metrics, mixed=mixed, most=most, indexed=indexed
    )
    if "console" in formats:
        print(console(given))
    output = Output(out / given.suite)
    for name, made in MAKERS.items():
        drawing = name == "figures" and "page" in formats
        if name not in formats and not drawing:
            continue
        files = made(given)
        said = f"{len(files) // 2} figures (PDF and PNG)" if name == "figures" else ""
        output.replace(name, files, said)
        if name == "figures" and given.undrawn:
            print(given.undrawn, file=sys.stderr)
    return list(given.records)


def index_file(out: Path, suites: Sequence[Suite]) -> None:
    """Write the page that lists all suites."""
    from deep_em_bench.reports.page import index

    write(out, {INDEX: index(suites)})
