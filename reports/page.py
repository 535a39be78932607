"""One self-contained HTML page a suite, and one that lists all suites.

A page opens from disk, with no network and no server. Tables and figures stand in its text and
need no script. The table of single cells alone is made by a script of ours from compact JSON: the
markup of ten thousand cells would be many times as large.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from deep_em_bench.reports.attributes import by_attribute
from deep_em_bench.reports.comparison import ComparedBlock
from deep_em_bench.reports.page_attributes import attribute_scores
from deep_em_bench.reports.page_cells import cell_data, row_places
from deep_em_bench.reports.page_checks import differences, published
from deep_em_bench.reports.page_pictures import pictures
from deep_em_bench.reports.page_sources import sources
from deep_em_bench.reports.page_tables import clusters, failures, scores
from deep_em_bench.reports.statistics_suite import SuiteStatistics, suite_statistics
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.tables import shown_metrics
from deep_em_bench.reports.text import ABSENT, named_seeds
from deep_em_bench.reports.web import (
    Cell,
    Column,
    Group,
    Part,
    Section,
    Table,
    number_cell,
    rendered_page,
    text_cell,
)
from deep_em_bench.results import Record
from deep_em_bench.results.published import published as entries

__all__ = ["Suite", "index", "page"]

FOOT = (
    "Made from the records of the runs alone. Labels score; only semi-supervised methods read "
    "any. Presets named stable are ours, chosen with digits, MNIST and, for GANMM, the UCI sets "
    "in view. Nothing on this page is loaded from anywhere else."
)

CHAPTERS = {
    "scores": ("Scores", ""),
    "published": ("Beside published numbers", ""),
    "differences": ("Differences between methods", ""),
    "failures": ("Failures", ""),
    "figures": ("Figures", ""),
    "clusters": (
        "Clusters",
        "On the training split, in the first run of each method that ended well, whatever its "
        "score. By majority class: a class that is missing has no cluster.",
    ),
    "sources": ("Sources", ""),
}
"""Title and first words of every chapter, by the name of its anchor, in order."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A line of the index."""

    name: str
    records: Sequence[Record] = ()
    """Those that can be read, of a suite without a page too."""
    problem: str = ""
    """Why it has no page; empty where it has one, at NAME/index.html beside the index."""


def page(
    suite: str,
    blocks: Sequence[Block],
    stored: Stored,
    figures: Mapping[str, bytes],
    shown: Sequence[str] | None = None,
    *,
    compared: Sequence[ComparedBlock] = (),
    statistics: SuiteStatistics | None = None,
    undrawn: str = "",
    indexed: bool = False,
) -> str:
    """The page of one suite, to be written beside its figures.

    ``figures`` are files by name as :func:`figures` gives them, of which the PNGs
    are embedded; ``undrawn`` says which were left out. ``compared`` is what
    :func:`compare` gives, ``statistics`` what
    :func:`suite_statistics` does, computed where not given; ``shown`` are
    the metrics with a column. Labels of clusters are read from ``stored``; the page says which
    cannot be read. Blocks of an attribute each stand as rows of one table, and have no tables of
    clusters. An ``indexed`` page links to ../index.html, where that of :func:`index` lies.
    """
    records = [record for block in blocks for record in block.records]
    home = "../index.html" if indexed else ""
    if not records:
        made = f"Make them with: python -m benchmarks.run --suite {suite}"
        empty = Section(name="none", title="No records", parts=(), intro=made)
        return _page(suite, [empty], home=home)
    columns, places = list(shown or shown_metrics(blocks)), row_places(blocks)
    sheets, rest = by_attribute(blocks)
    chapters = {
        "scores": (
            *attribute_scores(sheets, entries() if sheets else (), places),
            *scores(rest, columns, places),
        ),
        "published": published(compared, places),
        "differences": differences(statistics or suite_statistics(rest, columns), places),
        "failures": failures(blocks, places),
        "figures": pictures(blocks, figures),
        "clusters": clusters(rest, stored),
        "sources": sources(blocks, columns),
    }
    sections = [_section(name, tuple(parts), len(blocks)) for name, parts in chapters.items()]
    sections = [replace(s, intro=undrawn) if s.name == "figures" else s for s in sections]
    return _page(
        suite,
        [section for section in sections if section.parts],
        home=home,
        facts=dict(_facts(blocks, records)),
        cells=f"All {len(records):,} runs, with what they ran on. A method's name opens "
        f"everything that is known of a run; its key names its file, KEY.json.",
        data=cell_data(blocks, columns),
    )


def index(suites: Sequence[Suite]) -> str:
    """The page that lists all suites, to be written above their folders."""
    table = Table(
        title="Suites",
        columns=(
            Column(name="Suite", numeric=False),
            Column(name="Data", numeric=False),
            Column(name="Profiles", numeric=False),
            Column(name="Methods"),
            Column(name="Ended well", hint="Of all cells"),
            Column(name="Last run", numeric=False),
            Column(name="Remark", numeric=False),
        ),
        groups=(Group(lines=tuple(map(_suite, suites))),),
    )
    none = "No suite has records. Make some with: python -m benchmarks.run --suite digits_raw"
    listed = Section(
        name="suites",
        title="Suites",
        parts=(Part(tables=(table,)),) if suites else (),
        intro="" if suites else none,
    )
    return _page("deep-em-bench", [listed])


def _page(title: str, sections: Sequence[Section], **words: Any) -> str:
    given: dict[str, Any] = {"home": "", "facts": {}, "cells": "", "data": {}} | words
    return rendered_page("page.html.jinja", title=title, sections=sections, foot=FOOT, **given)


def _section(name: str, parts: tuple[Part, ...], n_blocks: int) -> Section:
    """A chapter; its only part has no title where the suite has but one block."""
    if n_blocks == 1 and len(parts) == 1:
        parts = (replace(parts[0], title=""),)
    title, intro = CHAPTERS[name]
    return Section(name=name, title=title, intro=intro, parts=parts)


def _facts(blocks: Sequence[Block], records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """What stands below the title."""
    yield "Cells", _counted(records)
    yield "Methods", f"{len({row.label for block in blocks for row in block.rows}):,}"
    yield "Data", _few([block.dataset for block in blocks])
    yield "Seeds", named_seeds(record.seed for record in records).partition(" ")[2]
    yield "Profile", _few([block.profile for block in blocks])
    yield "Run", _days(records)
    if any(block.mixed for block in blocks):
        yield "MIXED", "versions that should not be compared: see below"


def _counted(records: Sequence[Record]) -> str:
    counts = Counter(record.status for record in records)
    return ", ".join(f"{n:,} {status}" for status, n in sorted(counts.items(), key=_ok_first))


def _ok_first(item: tuple[str, int]) -> tuple[bool, str]:
    return item[0] != "ok", item[0]


def _few(names: Sequence[str]) -> str:
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more


def _days(records: Sequence[Record]) -> str:
    days = sorted({record.provenance.utc[:10] for record in records} - {""})
    return " to ".join(dict.fromkeys([*days[:1], *days[-1:]])) or "at an unknown time"


def _suite(suite: Suite) -> tuple[Cell, ...]:
    records, link = suite.records, "" if suite.problem else f"{quote(suite.name)}/index.html"
    n_methods = len({record.label for record in records})
    ok = sum(record.status == "ok" for record in records)
    last = max((record.provenance.utc[:10] for record in records), default="")
    return (
        text_cell(suite.name, href=link),
        text_cell(_few([record.dataset.title for record in records])),
        text_cell(_few(sorted({record.profile for record in records}))),
        number_cell(n_methods, f"{n_methods:,}" if records else ABSENT),
        number_cell(ok, f"{ok:,}/{len(records):,}" if records else ABSENT),
        text_cell(last),
        text_cell(suite.problem or ("" if ok == len(records) else _counted(records))),
    )
