"""The formats of a report: what each one prints or writes of the same gathered records."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deep_em_bench.reports.gathered import Gathered
from deep_em_bench.reports.output import Files
from deep_em_bench.results.published import published

__all__ = ["FORMATS", "INDEX", "MAKERS", "console"]

INDEX = "index.html"


def console(given: Gathered) -> str:
    """The tables as plain text."""
    from deep_em_bench.reports import (
        attribute_tables,
        comparison_tables,
        statistics_tables,
        tables,
    )

    said = (
        tables.console(given.rest, given.shown),
        attribute_tables.console(given.sheets, published()),
        statistics_tables.console(given.statistics),
        comparison_tables.console(given.beside),
    )
    return "\n\n".join(text for text in said if text)


def _csv(given: Gathered) -> Files:
    from deep_em_bench.reports import attribute_tables, comparison_tables, tables

    files = {"table.csv": tables.to_csv(given.blocks)}
    if given.compared:
        files["comparison.csv"] = comparison_tables.to_csv(given.compared)
    if given.sheets:
        files["attributes.csv"] = attribute_tables.to_csv(given.sheets, published())
    return files


def _json(given: Gathered) -> Files:
    from deep_em_bench.reports import tables

    return {"table.json": tables.to_json(given.blocks)}


def _latex(given: Gathered) -> Files:
    from deep_em_bench.reports import (
        attribute_tables,
        clusters,
        comparison_tables,
        latex,
        mixtures,
        statistics_tables,
    )

    mixed = (mixtures.mixture_table(block, given.stored) for block in given.rest)
    made = {
        "table.tex": latex.comparison(given.rest, given.shown),
        "attributes.tex": attribute_tables.latex(given.sheets, published()),
        "statistics.tex": statistics_tables.latex(given.statistics),
        "comparison.tex": comparison_tables.latex(given.beside),
        "clusters.tex": clusters.cluster_tables(given.rest, given.stored),
        "mixtures.tex": "\n".join(filter(None, mixed)),
    }
    parts = {name: text for name, text in made.items() if text}
    files = {name: latex.fragment(text) for name, text in parts.items()}
    return files | {"table_standalone.tex": latex.standalone(*parts.values())}


def _figures(given: Gathered) -> Files:
    return given.drawn.files


def _page(given: Gathered) -> Files:
    from deep_em_bench.reports.page import page

    text = page(
        *(given.suite, given.blocks, given.stored, given.drawn.files, given.shown),
        compared=given.beside,
        statistics=given.statistics,
        undrawn=given.undrawn,
        indexed=given.indexed,
    )
    return {INDEX: text}


MAKERS: Mapping[str, Callable[[Gathered], Files]] = {
    "csv": _csv,
    "json": _json,
    "latex": _latex,
    "figures": _figures,
    "page": _page,
}
"""By the name of the format, in the order in which they are written."""

FORMATS = ("console", *MAKERS)
