"""Tables of attributes, one a row, for the terminal, for LaTeX and as CSV (GAN-EM, Table 3).

Below the attributes stands their mean; the means of all methods make a table of their own beside
the published ones (GAN-EM, Table 2).
"""

from __future__ import annotations

import csv
import io
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reports.attributes import Attributes, attribute_of
from reports.latex import breakable, escape, floating, named
from reports.summary import Statistic
from reports.tables import aligned, printable
from reports.text import ABSENT, number
from results.printed import Entry

__all__ = ["console", "latex", "to_csv"]

LINES = 42
"""Attributes in one LaTeX table, so that it fits on a page."""

HEAD = r"\parbox[b]{6.5em}{\raggedleft\hspace{0pt}"

CSV_COLUMNS = (
    *("suite", "profile", "dataset", "labelled", "attribute", "label", "split", "metric"),
    *("mean", "std", "n", "published", "printed", "where"),
)


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One attribute, or the mean over all."""

    name: str
    cells: tuple[Statistic | None, ...]
    """One for each row of the blocks."""
    best: frozenset[int]
    """Places of the best means."""
    published: str


@dataclass(frozen=True, kw_only=True)
class _Means:
    """One method's mean error over the attributes, by number of labels."""

    name: str
    cells: tuple[str, ...]


def console(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    """Aligned plain-text tables, their best means marked with an asterisk."""
    texts = []
    for sheet in sheets:
        lines = [["", *map(printable, sheet.labels), "published"]]
        for line in _lines(sheet, entries):
            cells = [
                _plain(s) + ("*" if i in line.best else " ") for i, s in enumerate(line.cells)
            ]
            lines.append([line.name, *cells, line.published])
        texts.append(
            _text([*sheet.reading(), *_marked("marked *")], lines, _notes(sheet, entries))
        )
    for group in _groups(sheets):
        lines = [["", *map(_column, group)]]
        lines += [[printable(means.name), *means.cells] for means in _means(group, entries)]
        texts.append(_text(_reading(group), lines, []))
    return "\n\n".join(texts)


def latex(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    """The same as LaTeX, each table short enough for a page; best means in bold."""
    return "\n".join(
        [
            *(table for sheet in sheets for table in _latex(sheet, entries)),
            *(_latex_means(group, entries) for group in _groups(sheets)),
        ]
    )


def to_csv(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    """Every mean error, one a line; that over all attributes has none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for sheet in sheets:
        for block in (*sheet.blocks, None):
            printed = sheet.printed(entries, block)
            for label in sheet.labels:
                found = sheet.error(block, label) if block else sheet.mean(label)
                theirs = [e for e in printed if _same(sheet, label, e)]
                writer.writerow(
                    {
                        "suite": sheet.suite,
                        "profile": sheet.profile,
                        "dataset": sheet.title,
                        "labelled": sheet.labelled,
                        "attribute": attribute_of(block) if block else "",
                        "label": label,
                        "split": sheet.split,
                        "metric": sheet.metric,
                        "mean": found.mean if found else None,
                        "std": found.std if found else None,
                        "n": found.n if found else 0,
                        "published": " ".join(str(e.value) for e in theirs),
                        "printed": " ".join(e.printed for e in theirs),
                        "where": " ".join(dict.fromkeys(e.where for e in theirs)),
                    }
                )
    return text.getvalue()


def _lines(sheet: Attributes, entries: Sequence[Entry]) -> Iterator[_Line]:
    theirs = []
    for block in sheet.blocks:
        printed = sheet.printed(entries, block)
        name = attribute_of(block) or ABSENT
        # "Male" stands there twice, once as "gender": the row that has the name comes first.
        printed.sort(key=lambda entry: entry.row != name)
        theirs += [entry.value for entry in printed[:1]]
        best = block.best(sheet.split, sheet.metric)
        yield _Line(
            name=name,
            cells=tuple(sheet.error(block, label) for label in sheet.labels),
            best=frozenset(i for i, label in enumerate(sheet.labels) if label in best),
            published=" or ".join(number(e.value, sheet.metric) for e in printed) or ABSENT,
        )
    if len(sheet.blocks) > 1:
        cells = tuple(sheet.mean(label) for label in sheet.labels)
        known = [number(cell.mean, sheet.metric) if cell else "" for cell in cells]
        least = min((cell.mean for cell in cells if cell), default=0.0)
        best = {i for i, text in enumerate(known) if text == number(least, sheet.metric)}
        yield _Line(
            name=f"Mean of {len(sheet.blocks)}",
            cells=cells,
            best=frozenset(best if sum(map(bool, known)) > 1 else ()),
            published=number(float(np.mean(theirs)), sheet.metric) if theirs else ABSENT,
        )


def _notes(sheet: Attributes, entries: Sequence[Entry]) -> list[str]:
    """On the published column."""
    printed = [(block, sheet.printed(entries, block)) for block in sheet.blocks]
    where = dict.fromkeys(entry.where for _, each in printed for entry in each)
    if not where:
        return []
    found = [
        f"Published: {', '.join(where)}; number of runs, and which images were scored, not said; "
        f"selected from all of CelebA."
    ]
    if none := [attribute_of(block) for block, each in printed if not each]:
        found.append(f"Not published: {', '.join(map(str, none))}.")
    remarks = {
        f"{entry.table}, {entry.row}: {text}": None
        for _, each in printed
        for entry in each
        for text in entry.remarks
    }
    return [*found, *remarks]


def _marked(how: str) -> list[str]:
    return [f"Best mean {how}."]


def _same(sheet: Attributes, label: str, entry: Entry) -> bool:
    """Whether the number was published for the method of that row, its variants included."""
    rows = (sheet.row(block, label) for block in sheet.blocks)
    return any(row is not None and row.records[0].method.name == entry.method for row in rows)


def _groups(sheets: Sequence[Attributes]) -> list[list[Attributes]]:
    """Sheets of one suite and profile, of more than one attribute."""
    many = [sheet for sheet in sheets if len(sheet.blocks) > 1]
    keyed = itertools.groupby(many, key=lambda sheet: (sheet.suite, sheet.profile))
    return [list(group) for _, group in keyed]


def _column(sheet: Attributes) -> str:
    return f"{sheet.labelled:,} labels" if sheet.labelled else "no labels"


def _means(group: Sequence[Attributes], entries: Sequence[Entry]) -> Iterator[_Means]:
    for label in dict.fromkeys(label for sheet in group for label in sheet.labels):
        yield _Means(name=label, cells=tuple(_plain(sheet.mean(label)) for sheet in group))
    printed = [{entry.row: entry for entry in sheet.printed(entries)} for sheet in group]
    rows = [e.row for e in entries if any(e in each.values() for each in printed)]
    for row in dict.fromkeys(rows):  # in the order of the paper
        cells = tuple(
            number(each[row].value, sheet.metric) if row in each else ABSENT
            for sheet, each in zip(group, printed, strict=True)
        )
        where = next(each[row].where for each in printed if row in each)
        yield _Means(name=f"{row}, published in {where}", cells=cells)


def _reading(group: Sequence[Attributes]) -> list[str]:
    counts = " and ".join(dict.fromkeys(str(len(sheet.blocks)) for sheet in group))
    first = [sentence for sentence in group[0].reading() if "known to the fit" not in sentence]
    return [
        f"Mean error over {counts} attributes of 40; published means are of 40 rows.",
        *first,
    ]


def _plain(statistic: Statistic | None) -> str:
    if statistic is None:
        return ABSENT
    spread = "" if statistic.std is None else f" ± {number(statistic.std, 'error_rate')}"
    return number(statistic.mean, "error_rate") + spread


def _text(sentences: Sequence[str], lines: list[list[str]], notes: Sequence[str]) -> str:
    table = list(aligned(lines))
    wide = max(map(len, table))
    said = [part for s in sentences for part in textwrap.wrap(printable(s), max(wide, 79))]
    below = [part for s in notes for part in textwrap.wrap(printable(s), max(wide, 79))]
    return "\n".join([*said, "", *table, *([""] if below else []), *below])


def _latex(sheet: Attributes, entries: Sequence[Entry]) -> Iterator[str]:
    import pandas as pd

    lines = list(_lines(sheet, entries))
    heads = ["Attribute", *(named(label, HEAD) for label in sheet.labels), "Published"]
    for part, first in enumerate(range(0, len(lines), LINES)):
        body = []
        for line in lines[first : first + LINES]:
            rule = "\\midrule\n" if line.name.startswith("Mean of") else ""
            cells = [_tex(s, i in line.best) for i, s in enumerate(line.cells)]
            body.append([rule + escape(line.name), *cells, escape(line.published)])
        frame = pd.DataFrame(body, columns=pd.Index(heads))
        tabular = frame.style.hide(axis="index").to_latex(
            hrules=True, column_format="l" + "r" * (len(heads) - 1)
        )
        sentences = [*(["Continued."] if part else []), *sheet.reading(), *_marked("in bold")]
        notes = [breakable(note) for note in _notes(sheet, entries)]
        name = f"attributes {sheet.place} {part + 1 if part else ''}"
        yield floating(tabular, sentences, name, notes)


def _latex_means(group: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    import pandas as pd

    body, published = [], False
    for means in _means(group, entries):
        rule = "\\midrule\n" if ", published in " in means.name and not published else ""
        published = published or bool(rule)
        body.append([rule + escape(means.name), *map(escape, means.cells)])
    frame = pd.DataFrame(body, columns=pd.Index(["Method", *map(_column, group)]))
    tabular = frame.style.hide(axis="index").to_latex(
        hrules=True, column_format="l" + "r" * len(group)
    )
    return floating(tabular, _reading(group), f"attribute means {group[0].place}")


def _tex(statistic: Statistic | None, best: bool) -> str:
    if statistic is None:
        return escape(ABSENT)
    mean = number(statistic.mean, "error_rate")
    if best:
        mean = rf"\textbf{{{mean}}}"
    if statistic.std is None:
        return mean
    return rf"{mean}{{\scriptsize\,$\pm$\,{number(statistic.std, 'error_rate')}}}"
