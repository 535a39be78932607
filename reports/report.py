"""What a report prints and writes of one suite, and of the published numbers."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deep_em_bench.core import UserError
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.output import Files, replace_files, write
from deep_em_bench.reports.render import latex
from deep_em_bench.reports.render.console import console
from deep_em_bench.reports.render.data import to_csv, to_json
from deep_em_bench.reports.tables.attributes import attribute_means, attributes
from deep_em_bench.reports.tables.audit import audit, printed_numbers
from deep_em_bench.reports.tables.clusters import Clusters, clusters
from deep_em_bench.reports.tables.differences import differences
from deep_em_bench.reports.tables.model import Table
from deep_em_bench.reports.tables.pivot import by_data
from deep_em_bench.reports.tables.published import beside_published
from deep_em_bench.reports.tables.scores import every_score, scores
from deep_em_bench.results.published import published, tables

if TYPE_CHECKING:
    from deep_em_bench.reports.figures.suite import Figure

__all__ = ["FORMATS", "INDEX", "Report", "published_files"]

FORMATS = ("console", "csv", "json", "latex", "figures", "page")

INDEX = "index.html"

MOST, FEW, LARGE = 120, 6, 5_000
"""Figures of one suite, tenths of a second's work each; those of a suite of so many records."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """The tables and figures of one suite, each built once for all formats."""

    data: Gathered
    most: int | None = None
    """Figures at most, 0 for all; None: :data:`MOST`, or :data:`FEW` of many records."""
    indexed: bool = False
    """Whether a page of all suites stands beside this one's."""

    @functools.cached_property
    def tables(self) -> dict[str, list[Table]]:
        """All but clusters; "published" without attributes, which have it in their own tables."""
        data = self.data
        beside = beside_published(data)
        names = {f"published {block.name}" for block in data.rest}
        return {
            "scores": scores(data),
            "by_data": by_data(data),
            "attributes": [*attributes(data), *attribute_means(data)],
            "differences": list(differences(data)),
            "published": [table for table in beside if table.name in names],
            "every_published": beside,
            "every_score": every_score(data),
        }

    @functools.cached_property
    def clusters(self) -> list[Clusters]:
        return list(clusters(self.data))

    @functools.cached_property
    def drawn(self) -> tuple[list[Figure], bool]:
        """The figures, and whether there are no more."""
        from deep_em_bench.reports.figures.suite import draw  # matplotlib is slow to import

        return draw(self.data, self._most or None)

    @property
    def _most(self) -> int:
        if self.most is not None:
            return self.most
        return FEW if len(self.data.records) > LARGE else MOST

    @property
    def undrawn(self) -> str:
        """A sentence where there are more figures than were drawn."""
        if self.drawn[1]:
            return ""
        return (
            f"Figures drawn: the first {self._most}; "
            f"all of them: python -m reports --suite {self.data.suite} --figures all."
        )

    def print(self) -> None:
        """The tables as plain text, on standard output."""
        kinds = ("scores", "by_data", "attributes", "differences", "published")
        print(console([table for kind in kinds for table in self.tables[kind]]))

    def write(self, out: Path, formats: Sequence[str]) -> None:
        """Write the files of these formats to OUT/SUITE; a page has its figures beside it."""
        folder = out / self.data.suite
        for name in FORMATS[1:]:
            drawing = name == "figures" and "page" in formats
            if name in formats or drawing:
                files = getattr(self, f"_{name}")()
                told = (
                    f"{len(files) // 3} figures (PDF, PNG, caption)" if name == "figures" else ""
                )
                replace_files(folder, name, files, told)
        if self.data.outdated:
            listed = ", ".join(self.data.outdated)
            print(f"no longer in the suite, left out: {listed}", file=sys.stderr)
        for why, rows in self.data.stored.missing.items():
            print(f"{why}: {len(rows)} of {self._n_rows} rows", file=sys.stderr)

    @property
    def _n_rows(self) -> int:
        return len({row.label for block in self.data.blocks for row in block.rows})

    def _csv(self) -> Files:
        made = {
            "table.csv": self.tables["every_score"],
            "datasets.csv": self.tables["by_data"],
            "attributes.csv": self.tables["attributes"],
            "differences.csv": self.tables["differences"],
            "comparison.csv": self.tables["every_published"],
            "clusters.csv": [table for each in self.clusters for table in each.tables],
        }
        return {name: to_csv(held) for name, held in made.items() if held}

    def _json(self) -> Files:
        kinds = ("every_score", "by_data", "attributes", "differences", "every_published")
        return {"table.json": to_json([table for kind in kinds for table in self.tables[kind]])}

    def _latex(self) -> Files:
        made = {
            "table.tex": latex.latex(self.tables["scores"]),
            "datasets.tex": latex.latex(self.tables["by_data"]),
            "attributes.tex": latex.latex(self.tables["attributes"]),
            "statistics.tex": latex.latex(self.tables["differences"]),
            "comparison.tex": latex.latex(self.tables["published"]),
            "clusters.tex": latex.cluster_floats(self.clusters),
        }
        parts = {name: text for name, text in made.items() if text}
        files = {name: latex.fragment(text) for name, text in parts.items()}
        return files | {"table_standalone.tex": latex.standalone(*parts.values())}

    def _figures(self) -> Files:
        from deep_em_bench.reports.figures.suite import files_of

        if self.undrawn:
            print(self.undrawn, file=sys.stderr)
        figures = self.drawn[0]
        captions = {each.stem: f"{each.title}. {each.caption}" for each in figures}
        floats = {"figures.tex": latex.fragment(latex.figure_floats(captions))} if figures else {}
        return files_of(figures) | floats

    def _page(self) -> Files:
        from deep_em_bench.reports.render.page import suite_page

        held = self.tables
        shown = {column.name for table in held["scores"] for column in table.columns}
        rest = [block.title for block in self.data.rest]
        wider = [
            table
            for table in held["every_score"]
            if any(table.title.endswith(title) for title in rest)
            and {column.name for column in table.columns} - shown
        ]
        chapters = {
            "scores": [*held["by_data"], *held["attributes"], *held["scores"], *wider],
            "published": held["published"],
            "differences": held["differences"],
            "clusters": [table for each in self.clusters for table in each.tables],
        }
        text = suite_page(
            self.data, chapters, self.drawn[0], undrawn=self.undrawn, indexed=self.indexed
        )
        return {INDEX: text}


def published_files(out: Path, formats: Sequence[str]) -> None:
    """Print the audit of the published numbers, and write its files to the folder ``out``.

    Raises :class:`UserError` for a format that it does not have.
    """
    audited, numbers = audit(tables()), printed_numbers(published())
    for name in formats:
        if name not in FORMATS[:4]:
            raise UserError(f"no {name} of published numbers; give {', '.join(FORMATS[:4])}")
    if "console" in formats:
        print(console(audited))
    files: dict[str, str] = {}
    if "csv" in formats:
        files["published.csv"] = to_csv([numbers])
    if "json" in formats:
        files["published.json"] = to_json([*audited, numbers])
    if "latex" in formats:
        files["published.tex"] = latex.fragment(latex.latex(audited))
        files["published_standalone.tex"] = latex.standalone(latex.latex(audited))
    write(out, files)
