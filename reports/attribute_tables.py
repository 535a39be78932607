"""Tables of attributes, one a row, for the terminal, for LaTeX and as CSV (GAN-EM, Table 3).

Below the attributes stands their mean, and in what each method's protocol differs from the
published one; the means of all methods make a table of their own (GAN-EM, Table 2).
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence

from deep_em_bench.reports.attribute_marks import differing, told
from deep_em_bench.reports.attribute_rows import (
    Line,
    Means,
    attribute_lines,
    bracketed,
    failed,
    grouped,
    labels_known,
    marked,
    means_by_method,
    notes_on,
    reading,
    written,
)
from deep_em_bench.reports.attributes import Attributes, attribute_of
from deep_em_bench.reports.escaping import escape, named, spread
from deep_em_bench.reports.floats import Group, Tabular, floating
from deep_em_bench.reports.summary import Statistic
from deep_em_bench.reports.tables import aligned, printable
from deep_em_bench.reports.text import ABSENT, number
from deep_em_bench.results.printed import Entry

__all__ = ["console", "latex", "to_csv"]

LONG_HEAD = 10
"""Characters of a method's name from which it is broken over lines: its numbers are narrow."""

HEAD = r"\parbox[b]{5.5em}{\raggedleft\hspace{0pt}"

CSV_COLUMNS = (
    *("suite", "profile", "dataset", "labelled", "attribute", "attributes", "label", "split"),
    *("metric", "mean", "std", "n", "chance", "published", "printed", "where", "differs"),
)


def console(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    """Aligned plain-text tables, their best means marked with an asterisk."""
    texts = []
    for sheet in sheets:
        found = list(attribute_lines(sheet, entries))
        lines = [["", *map(printable, sheet.labels), "chance", "published"]]
        for line in found:
            cells = [
                written(s, count) + ("*" if i in line.best else " ")
                for i, (s, count) in enumerate(zip(line.cells, line.counts, strict=True))
            ]
            lines.append([line.name, *cells, _chance(line), _published(sheet, line)])
        if marks := marked(sheet, entries):
            lines.append(["differs", *marks, "", ""])
        said = [*sheet.reading(), "Best marked *.", *bracketed(found), *sheet.seldom(entries)]
        texts.append(_text(said, lines, [*notes_on(sheet, entries), *failed(sheet)]))
    for group in grouped(sheets):
        means = list(means_by_method(group, entries))
        lines = [["", *map(labels_known, group), "differs"]]
        lines += [
            [printable(_named(each)), *map(written, each.cells, each.counts), each.differs]
            for each in means
        ]
        said = [*reading(group, entries), *bracketed(means)]
        texts.append(_text(said, lines, told(group, entries)))
    return "\n\n".join(texts)


def latex(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    """The same as LaTeX, best means in bold."""
    return "\n".join(
        [
            *(_latex(sheet, entries) for sheet in sheets),
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
                        "chance": sheet.chance(held),
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


def _chance(line: Line) -> str:
    return ABSENT if line.chance is None else number(line.chance, "error_rate")


def _published(sheet: Attributes, line: Line) -> str:
    return " or ".join(number(value, sheet.metric) for value in line.published) or ABSENT


def _text(sentences: Sequence[str], lines: list[list[str]], notes: Sequence[str]) -> str:
    table = list(aligned(lines))
    wide = max(map(len, table))
    said = [part for s in sentences for part in textwrap.wrap(printable(s), max(wide, 79))]
    below = [part for s in notes for part in textwrap.wrap(printable(s), max(wide, 79))]
    return "\n".join([*said, "", *table, *([""] if below else []), *below])


def _latex(sheet: Attributes, entries: Sequence[Entry]) -> str:
    lines, marks = list(attribute_lines(sheet, entries)), marked(sheet, entries)
    names = (named(label, HEAD, LONG_HEAD) for label in sheet.labels)
    of_one = [_row(sheet, line) for line in lines if line.block]
    of_several = [_row(sheet, line) for line in lines if not line.block]
    last = [["Differs", *map(escape, marks), "", ""]] if marks else []
    tabular = Tabular(
        columns="l" + "r" * (len(sheet.labels) + 2),
        heads=[["Attribute", *names, "Chance", "Published"]],
        groups=[Group(rows=rows) for rows in (of_one, of_several, last)],
    )
    sentences = [*sheet.reading(), "Best in bold.", *bracketed(lines), *sheet.seldom(entries)]
    notes = [("", note) for note in (*notes_on(sheet, entries), *failed(sheet))]
    return floating(tabular, sentences, f"attributes {sheet.place}", notes)


def _row(sheet: Attributes, line: Line) -> list[str]:
    found = zip(line.cells, line.counts, strict=True)
    cells = (_tex(s, count, i in line.best) for i, (s, count) in enumerate(found))
    return [escape(line.name), *cells, *map(escape, (_chance(line), _published(sheet, line)))]


def _latex_means(group: Sequence[Attributes], entries: Sequence[Entry]) -> str:
    means = list(means_by_method(group, entries))
    rows = [
        [
            escape(_named(each)),
            *map(_tex, each.cells, each.counts),
            escape(each.differs),
        ]
        for each in means
    ]
    ours = [row for row, each in zip(rows, means, strict=True) if not each.where]
    theirs = [row for row, each in zip(rows, means, strict=True) if each.where]
    tabular = Tabular(
        columns="l" + "r" * len(group) + "l",
        heads=[["Method", *map(labels_known, group), "Differs"]],
        groups=[Group(rows=ours), Group(rows=theirs)],
    )
    notes = [("", note) for note in told(group, entries)]
    sentences = [*reading(group, entries), *bracketed(means)]
    return floating(tabular, sentences, f"attribute means {group[0].place}", notes)


def _tex(statistic: Statistic | None, count: str, best: bool = False) -> str:
    tail = rf"$\scriptstyle\,({count})$" if count else ""
    if statistic is None:
        return escape(ABSENT) + tail
    mean = number(statistic.mean, "error_rate")
    if best:
        mean = rf"\textbf{{{mean}}}"
    if statistic.std is None:
        return mean + tail
    return mean + spread(number(statistic.std, "error_rate")) + tail
