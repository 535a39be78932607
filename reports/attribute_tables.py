"""Tables of attributes, one a row, for the terminal, for LaTeX and as CSV (GAN-EM, Table 3).

Below the attributes stands their mean, and in what each method's protocol differs from the
published one; the means of all methods make a table of their own (GAN-EM, Table 2).
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator, Sequence

from reports.attribute_marks import differing, told
from reports.attribute_rows import (
    Line,
    Means,
    attribute_lines,
    grouped,
    labels_known,
    marked,
    means_by_method,
    notes_on,
    reading,
    written,
)
from reports.attributes import Attributes, attribute_of
from reports.latex import booktabs, breakable, escape, floating, named, spread
from reports.summary import Statistic
from reports.tables import aligned, printable
from reports.text import ABSENT, number
from results.printed import Entry

__all__ = ["console", "latex", "to_csv"]

LINES = 32
"""Attributes in one LaTeX table, so that it fits on a page with its notes."""

LONG_HEAD = 10
"""Characters of a method's name from which it is broken over lines: its numbers are narrow."""

HEAD = r"\parbox[b]{5.5em}{\raggedleft\hspace{0pt}"

CSV_COLUMNS = (
    *("suite", "profile", "dataset", "labelled", "attribute", "attributes", "label", "split"),
    *("metric", "mean", "std", "n", "published", "printed", "where", "differs"),
)


def console(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    """Aligned plain-text tables, their best means marked with an asterisk."""
    texts = []
    for sheet in sheets:
        lines = [["", *map(printable, sheet.labels), "published"]]
        for line in attribute_lines(sheet, entries):
            cells = [
                written(s) + ("*" if i in line.best else " ") for i, s in enumerate(line.cells)
            ]
            lines.append([line.name, *cells, _published(sheet, line)])
        if marks := marked(sheet, entries):
            lines.append(["differs", *marks, ""])
        said = [*sheet.reading(), "Best marked *."]
        texts.append(_text(said, lines, notes_on(sheet, entries)))
    for group in grouped(sheets):
        lines = [["", *map(labels_known, group), "differs"]]
        lines += [
            [printable(_named(means)), *map(written, means.cells), means.differs]
            for means in means_by_method(group, entries)
        ]
        texts.append(_text(reading(group, entries), lines, told(group, entries)))
    return "\n\n".join(texts)


def latex(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    """The same as LaTeX, each table short enough for a page; best means in bold."""
    return "\n".join(
        [
            *(table for sheet in sheets for table in _latex(sheet, entries)),
            *(_latex_means(group, entries) for group in grouped(sheets)),
        ]
    )


def to_csv(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    """Every mean error, one a line; that over several attributes names none but their number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for sheet in sheets:
        averaged, marks = sheet.averaged(entries), differing([sheet], entries)
        for block in (*sheet.blocks, None):
            held = (block,) if block else averaged
            printed = [entry for each in held for entry in sheet.printed(entries, each)]
            for label in sheet.labels:
                found = sheet.error(block, label) if block else sheet.mean(label, averaged)
                theirs = [e for e in printed if _same(sheet, label, e)]
                values = [e.value for e in theirs] if block else [sheet.printed_mean(entries)]
                writer.writerow(
                    {
                        "suite": sheet.suite,
                        "profile": sheet.profile,
                        "dataset": sheet.title,
                        "labelled": sheet.labelled,
                        "attribute": attribute_of(block) if block else "",
                        "attributes": len(held),
                        "label": label,
                        "split": sheet.split,
                        "metric": sheet.metric,
                        "mean": found.mean if found else None,
                        "std": found.std if found else None,
                        "n": found.n if found else 0,
                        "published": " ".join(map(str, values)) if theirs else "",
                        "printed": " ".join(e.printed for e in theirs) if block else "",
                        "where": " ".join(dict.fromkeys(e.where for e in theirs)),
                        "differs": " ".join(marks.get(label, ())) if theirs else "",
                    }
                )
    return text.getvalue()


def _same(sheet: Attributes, label: str, entry: Entry) -> bool:
    """Whether the number was published for the method of that row, its variants included."""
    rows = (sheet.row(block, label) for block in sheet.blocks)
    return any(row is not None and row.records[0].method.name == entry.method for row in rows)


def _named(means: Means) -> str:
    return f"{means.name}, published in {means.where}" if means.where else means.name


def _published(sheet: Attributes, line: Line) -> str:
    return " or ".join(number(value, sheet.metric) for value in line.published) or ABSENT


def _text(sentences: Sequence[str], lines: list[list[str]], notes: Sequence[str]) -> str:
    table = list(aligned(lines))
    wide = max(map(len, table))
    said = [part for s in sentences for part in textwrap.wrap(printable(s), max(wide, 79))]
    below = [part for s in notes for part in textwrap.wrap(printable(s), max(wide, 79))]
    return "\n".join([*said, "", *table, *([""] if below else []), *below])


def _latex(sheet: Attributes, entries: Sequence[Entry]) -> Iterator[str]:
    lines, marks = list(attribute_lines(sheet, entries)), marked(sheet, entries)
    heads = ["Attribute", *(named(label, HEAD, LONG_HEAD) for label in sheet.labels), "Published"]
    for part, first in enumerate(range(0, len(lines), LINES)):
        body = []
        for line in lines[first : first + LINES]:
            rule = "" if line.block else "\\midrule\n"
            cells = [_tex(s, i in line.best) for i, s in enumerate(line.cells)]
            body.append([rule + escape(line.name), *cells, escape(_published(sheet, line))])
        if marks:
            body.append(["\\midrule\nDiffers", *map(escape, marks), ""])
        tabular = booktabs([heads], body, "l" + "r" * (len(heads) - 1))
        sentences = [*(["Continued."] if part else []), *sheet.reading(), "Best in bold."]
        notes = [breakable(note) for note in notes_on(sheet, entries)]
        name = f"attributes {sheet.place} {part + 1 if part else ''}"
        yield floating(tabular, sentences, name, notes)


def _latex_means(group: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    body, ours = [], True
    for means in means_by_method(group, entries):
        rule = "\\midrule\n" if ours and means.where else ""
        ours = not means.where
        cells = [*map(written, means.cells), means.differs]
        body.append([rule + escape(_named(means)), *map(escape, cells)])
    heads = ["Method", *map(labels_known, group), "Differs"]
    tabular = booktabs([heads], body, "l" + "r" * len(group) + "l")
    notes = [breakable(note) for note in told(group, entries)]
    sentences = reading(group, entries)
    return floating(tabular, sentences, f"attribute means {group[0].place}", notes)


def _tex(statistic: Statistic | None, best: bool) -> str:
    if statistic is None:
        return escape(ABSENT)
    mean = number(statistic.mean, "error_rate")
    if best:
        mean = rf"\textbf{{{mean}}}"
    if statistic.std is None:
        return mean
    return mean + spread(number(statistic.std, "error_rate"))
