"""Rows of the tables of attributes, the same in every format (GAN-EM, Tables 2 and 3).

An attribute a row, below them their mean; the means of all methods make a table of their own
beside the published ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reports.attributes import Attributes, attribute_of
from reports.summary import Block, Statistic
from reports.text import ABSENT, number
from results.printed import Entry

__all__ = [
    "Line",
    "Means",
    "attribute_lines",
    "grouped",
    "labels_known",
    "means_by_method",
    "notes_on",
    "reading",
    "written",
]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One attribute, or the mean over all."""

    name: str
    block: Block | None
    """The attribute's; None of the mean."""
    cells: tuple[Statistic | None, ...]
    """One for each row of the blocks."""
    best: frozenset[int]
    """Places of the best means."""
    published: tuple[float, ...]
    """What the paper has: none, one, or two where it printed the attribute twice."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """One method's mean error over the attributes, a cell for each number of labels."""

    name: str
    where: str
    """The table that printed it; empty for ours."""
    cells: tuple[Statistic | None, ...]


def attribute_lines(sheet: Attributes, entries: Sequence[Entry]) -> Iterator[Line]:
    """The attributes in order, and last, of more than one, their mean."""
    theirs = []
    for block in sheet.blocks:
        printed = sheet.printed(entries, block)
        name = attribute_of(block) or ABSENT
        # "Male" stands there twice, once as "gender": the row that has the name comes first.
        printed.sort(key=lambda entry: entry.row != name)
        theirs += [entry.value for entry in printed[:1]]
        best = block.best(sheet.split, sheet.metric)
        yield Line(
            name=name,
            block=block,
            cells=tuple(sheet.error(block, label) for label in sheet.labels),
            best=frozenset(i for i, label in enumerate(sheet.labels) if label in best),
            published=tuple(entry.value for entry in printed),
        )
    if len(sheet.blocks) > 1:
        cells = tuple(sheet.mean(label) for label in sheet.labels)
        known = [number(cell.mean, sheet.metric) if cell else "" for cell in cells]
        least = min((cell.mean for cell in cells if cell), default=0.0)
        best = {i for i, text in enumerate(known) if text == number(least, sheet.metric)}
        yield Line(
            name=f"Mean of {len(sheet.blocks)}",
            block=None,
            cells=cells,
            best=frozenset(best if sum(map(bool, known)) > 1 else ()),
            published=(float(np.mean(theirs)),) if theirs else (),
        )


def notes_on(sheet: Attributes, entries: Sequence[Entry]) -> list[str]:
    """What is said below a sheet of its published column."""
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


def grouped(sheets: Sequence[Attributes]) -> list[list[Attributes]]:
    """Sheets of one suite and profile, of more than one attribute."""
    many = [sheet for sheet in sheets if len(sheet.blocks) > 1]
    keyed = itertools.groupby(many, key=lambda sheet: (sheet.suite, sheet.profile))
    return [list(group) for _, group in keyed]


def labels_known(sheet: Attributes) -> str:
    """Head of a sheet's column among the means."""
    return f"{sheet.labelled:,} labels" if sheet.labelled else "no labels"


def means_by_method(group: Sequence[Attributes], entries: Sequence[Entry]) -> Iterator[Means]:
    """Our methods, then the published ones in the order of the paper."""
    for label in dict.fromkeys(label for sheet in group for label in sheet.labels):
        cells = tuple(sheet.mean(label) for sheet in group)
        yield Means(name=label, where="", cells=cells)
    printed = [{entry.row: entry for entry in sheet.printed(entries)} for sheet in group]
    rows = [e.row for e in entries if any(e in each.values() for each in printed)]
    for row in dict.fromkeys(rows):
        cells = tuple(_single(each[row].value) if row in each else None for each in printed)
        where = next(each[row].where for each in printed if row in each)
        yield Means(name=row, where=where, cells=cells)


def reading(group: Sequence[Attributes]) -> list[str]:
    """What a reader must know of the means: sentences."""
    counts = " and ".join(dict.fromkeys(str(len(sheet.blocks)) for sheet in group))
    first = [sentence for sentence in group[0].reading() if "known to the fit" not in sentence]
    return [
        f"Mean error over {counts} attributes of 40; published means are of 40 rows.",
        *first,
    ]


def written(statistic: Statistic | None) -> str:
    """An error rate as plain text."""
    if statistic is None:
        return ABSENT
    spread = "" if statistic.std is None else f" ± {number(statistic.std, 'error_rate')}"
    return number(statistic.mean, "error_rate") + spread


def _single(value: float) -> Statistic:
    return Statistic(n=1, mean=value, std=None, median=value)
