"""One self-contained HTML page a suite, and one that lists all suites.

A page opens from disk, with no network and no server. Tables and figures stand in its text and
need no script. The table of single runs and the difference of two rows alone are made by a script
of ours from compact JSON.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.summary import Statistic
from deep_em_bench.reports.data.titles import metric_title
from deep_em_bench.reports.figures.suite import Figure
from deep_em_bench.reports.render.html import rendered_page
from deep_em_bench.reports.render.runs import run_data
from deep_em_bench.reports.tables.model import (
    Cell,
    Column,
    Format,
    Group,
    Line,
    Table,
    metric_format,
    number,
    text_column,
)
from deep_em_bench.reports.tables.scores import failure_tables
from deep_em_bench.reports.tables.sources import days, sources, status

__all__ = ["Listed", "Part", "index_page", "listed", "suite_page"]

FOOT = (
    "Made from the records of the runs alone. Labels score; only semi-supervised methods read "
    "any. Presets named stable are ours, chosen with digits, MNIST and, for GANMM, the UCI sets "
    "in view. Nothing on this page is loaded from anywhere else."
)

EMBEDDED = 12_000_000
"""Bytes of pictures in one page; the other pictures are files next to it."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Tables and figures that belong together, mostly those of one block."""

    title: str = ""
    tables: Sequence[Table] = ()
    pictures: Sequence[tuple[Figure, str]] = ()
    """Each with its picture as a data URL. Empty: the picture is a file next to the page."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A chapter of the page with its place in the contents."""

    name: str
    """Of its anchor: letters and hyphens."""
    title: str
    parts: Sequence[Part]
    intro: str = ""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A line of the index."""

    name: str
    data: str = ""
    profiles: str = ""
    methods: int = 0
    ended: int = 0
    runs: int = 0
    best: str = ""
    """The best score of its first block."""
    last: str = ""
    problem: str = ""
    """Why it has no page. Empty: its page is NAME/index.html."""


def suite_page(
    data: Gathered,
    tables: Mapping[str, Sequence[Table]],
    figures: Sequence[Figure],
    *,
    undrawn: str = "",
    indexed: bool = False,
) -> str:
    """The page of one suite, to be written next to its figures.

    ``tables`` are those of its chapters: "scores", "published", "differences", "clusters";
    ``undrawn`` says which figures were left out. An ``indexed`` page links to ../index.html.
    """
    missing = [
        f"{why[:1].upper()}{why[1:]}: {', '.join(rows)}."
        for why, rows in data.stored.missing.items()
    ]
    sections = [
        Section(name="scores", title="Scores", parts=_by_block(data, tables["scores"])),
        Section(
            name="published",
            title="Beside published numbers",
            parts=_by_block(data, tables["published"]),
        ),
        Section(
            name="differences",
            title="Differences between methods",
            parts=_by_block(data, tables["differences"]),
        ),
        Section(name="failures", title="Failures", parts=_by_block(data, [*failure_tables(data)])),
        Section(name="figures", title="Figures", parts=_pictures(figures), intro=undrawn),
        Section(
            name="clusters",
            title="Clusters",
            parts=_by_block(data, tables["clusters"]),
            intro="On the training split, in the first run of each method that succeeded, "
            f"whatever its score; a class that is missing has no cluster. {' '.join(missing)}",
        ),
        Section(name="sources", title="Sources", parts=[Part(tables=[*sources(data)])]),
    ]
    return rendered_page(
        "page.html.jinja",
        run_data(data),
        title=data.suite,
        home="../index.html" if indexed else "",
        status=status(data),
        sections=[section for section in sections if section.parts],
        runs=f"All {len(data.records):,} runs, with what they ran on. A method's name opens "
        f"everything that is known of a run; its key names its file, KEY.json.",
        foot=FOOT,
    )


def listed(data: Gathered) -> Listed:
    """The line of a suite: its score is the best mean of its first block."""
    records, block = data.records, data.blocks[0]
    metric = next(iter(data.metrics), "")
    split = data.split(block, [metric])
    comparison = data.comparison(block, f"{split}/{metric}")
    best = ""
    if comparison is not None:
        row = next(row for row in block.rows if row.label == comparison.best)
        score = block.statistic(row, f"{split}/{metric}")
        assert isinstance(score, Statistic), "the best row has a number"
        text = number(score.mean, metric_format(metric))
        best = f"{metric_title(metric)} {text}, {row.title}"
    return Listed(
        name=data.suite,
        data=_some([each.data.name for each in data.blocks]),
        profiles=_some(sorted({record.profile for record in records})),
        methods=len({record.label for record in records}),
        ended=sum(record.status == "ok" for record in records),
        runs=len(records),
        best=best,
        last=days(records).rpartition(" ")[2],
    )


def index_page(suites: Sequence[Listed]) -> str:
    """The page that lists all suites, to be written above their folders."""
    count = Format(kind="count")
    table = Table(
        name="suites",
        title="Suites",
        columns=(
            text_column("suite", "Suite"),
            text_column("data", "Data"),
            text_column("profiles", "Profiles"),
            Column(name="methods", title="Methods", format=count),
            Column(name="ended", title="Ended well", format=count, hint="Of all runs"),
            text_column("best", "Best mean", "Of the first table of the suite"),
            text_column("last", "Last run"),
            text_column("remark", "Remark"),
        ),
        groups=(Group(lines=tuple(map(_line, suites))),),
    )
    none = "No suite has records. Make some with: python -m benchmarks.run --suite digits_raw"
    section = Section(
        name="suites",
        title="Suites",
        parts=[Part(tables=[table])] if suites else [],
        intro="" if suites else none,
    )
    return rendered_page(
        "page.html.jinja",
        title="deep-em-bench",
        home="",
        status={},
        sections=[section],
        runs="",
        foot=FOOT,
    )


def _line(suite: Listed) -> Line:
    link = "" if suite.problem else f"{quote(suite.name)}/index.html"
    ended = Cell(value=suite.ended, of=suite.runs) if suite.runs else Cell()
    words = (suite.data, suite.profiles, suite.best, suite.last, suite.problem)
    data, profiles, best, last, problem = (Cell(value=word or None) for word in words)
    name = Cell(value=suite.name, href=link)
    return Line(
        cells=(name, data, profiles, Cell(value=suite.methods), ended, best, last, problem)
    )


def _by_block(data: Gathered, tables: Sequence[Table]) -> list[Part]:
    """The tables of each block under its title, where there are several; last the others."""
    parts = []
    rest = list(tables)
    for block in data.blocks:
        own = [table for table in rest if block.title in table.title or block.name in table.name]
        rest = [table for table in rest if table not in own]
        if own:
            parts.append(Part(title=block.title, tables=own))
    if rest:
        parts.append(Part(title="Over several tables" if parts else "", tables=rest))
    return parts if len(parts) > 1 else [replace(part, title="") for part in parts]


def _pictures(figures: Sequence[Figure]) -> list[Part]:
    by_block: dict[str, list[tuple[Figure, str]]] = {}
    room = EMBEDDED
    for each in figures:
        room -= len(each.png)
        source = (
            f"data:image/png;base64,{base64.b64encode(each.png).decode()}" if room >= 0 else ""
        )
        by_block.setdefault(each.block, []).append((each, source))
    several = len(by_block) > 1
    return [
        Part(title=(block or "Over several tables") if several else "", pictures=pictures)
        for block, pictures in by_block.items()
    ]


def _some(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - 3:,} more" if len(distinct) > 3 else ""
    return ", ".join(distinct[:3]) + more
