"""Rows of the tables of attributes, the same in every format (GAN-EM, Tables 2 and 3).

An attribute a row, below them their mean over those that are published too; the means of all
methods make a table of their own beside the published ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deep_em_bench.reports.attribute_marks import differing, letters, told
from deep_em_bench.reports.attributes import Attributes, attribute_of
from deep_em_bench.reports.summary import Block, Statistic, enough
from deep_em_bench.reports.text import ABSENT, named_seeds, number
from deep_em_bench.results.printed import Entry

__all__ = [
    "Line",
    "Means",
    "attribute_lines",
    "bracketed",
    "failed",
    "grouped",
    "labels_known",
    "marked",
    "means_by_method",
    "notes_on",
    "reading",
    "written",
]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One attribute, or the mean over several."""

    name: str
    block: Block | None
    """The attribute's; None of the mean."""
    cells: tuple[Statistic | None, ...]
    """One for each row of the blocks."""
    counts: tuple[str, ...]
    """Of each cell the seeds with a result, as in "9/10"; empty where all have one."""
    best: frozenset[int]
    """Places of the best means."""
    chance: float | None
    """The mean error of coin flips."""
    published: tuple[float, ...]
    """What the paper has: none, one, or two where it printed the attribute twice."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """One method's mean error over the attributes, a cell for each number of labels."""

    name: str
    where: str
    """The table that printed it, and over what; empty for ours."""
    cells: tuple[Statistic | None, ...]
    counts: tuple[str, ...]
    """As those of a :class:`Line`."""
    differs: str
    """The letters of ours."""


def attribute_lines(sheet: Attributes, entries: Sequence[Entry]) -> Iterator[Line]:
    """The attributes in order, and last, of more than one, the mean of those published too."""
    for block in sheet.blocks:
        best = block.best(sheet.split, sheet.metric)
        yield Line(
            name=attribute_of(block) or ABSENT,
            block=block,
            cells=tuple(sheet.error(block, label) for label in sheet.labels),
            counts=tuple(sheet.count(label, [block]) for label in sheet.labels),
            best=frozenset(i for i, label in enumerate(sheet.labels) if label in best),
            chance=sheet.chance([block]),
            published=tuple(entry.value for entry in sheet.printed(entries, block)),
        )
    if len(sheet.blocks) > 1:
        averaged, theirs = sheet.averaged(entries), sheet.printed_mean(entries)
        cells = tuple(sheet.mean(label, averaged) for label in sheet.labels)
        yield Line(
            name=f"Mean of {len(averaged)}",
            block=None,
            cells=cells,
            counts=tuple(sheet.count(label, averaged) for label in sheet.labels),
            best=_best(sheet, cells),
            chance=sheet.chance(averaged),
            published=() if theirs is None else (theirs,),
        )


def failed(sheet: Attributes) -> Iterator[str]:
    """The runs without a result, those of one method that ended alike in one sentence."""
    where: dict[tuple[str, str, str], list[str]] = {}
    for block in sheet.blocks:
        for each in block.failures:
            key = each.status, each.label, each.message
            place = f"{attribute_of(block)} {named_seeds(each.seeds)}"
            where.setdefault(key, []).append(place)
    for (status, label, message), places in where.items():
        yield f"{status}: {label}, {'; '.join(places)}: {message}"


def marked(sheet: Attributes, entries: Sequence[Entry]) -> list[str]:
    """The letters of each label, for a last line; empty where nothing is published."""
    kinds = differing([sheet], entries)
    return [letters(kinds.get(label, ())) for label in sheet.labels] if kinds else []


def notes_on(sheet: Attributes, entries: Sequence[Entry]) -> list[str]:
    """What is said below a sheet of its published column, letters included."""
    printed = [(block, sheet.printed(entries, block)) for block in sheet.blocks]
    where = dict.fromkeys(entry.where for _, each in printed for entry in each)
    methods = dict.fromkeys(entry.method for _, each in printed for entry in each)
    if not where:
        return []
    found = [
        f"Published: {', '.join(where)}, of {' and '.join(methods)} alone; number of runs, and "
        f"which images were scored, not said; selected from all of CelebA.",
        *told([sheet], entries),
    ]
    if none := [attribute_of(block) for block, each in printed if not each]:
        found.append(f"Not published, and in no mean: {', '.join(map(str, none))}.")
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
    """Our methods, the published mean over the same attributes, and those that were printed."""
    kinds = differing(group, entries)
    for label in dict.fromkeys(label for sheet in group for label in sheet.labels):
        cells = tuple(sheet.mean(label, sheet.averaged(entries)) for sheet in group)
        differs = letters(kinds.get(label, ()))
        counts = tuple(sheet.count(label, sheet.averaged(entries)) for sheet in group)
        yield Means(name=label, where="", cells=cells, counts=counts, differs=differs)
    flips = (sheet.chance(sheet.averaged(entries)) for sheet in group)
    yield _means("chance", "", [None if mean is None else _single(mean) for mean in flips])
    yield from _published(group, entries)
    printed = [{entry.row: entry for entry in sheet.printed(entries)} for sheet in group]
    rows = [e.row for e in entries if any(e in each.values() for each in printed)]
    for row in dict.fromkeys(rows):
        cells = [_single(each[row].value) if row in each else None for each in printed]
        where = next(each[row].where for each in printed if row in each)
        yield _means(row, f"{where} over 40 rows", cells)


def reading(group: Sequence[Attributes], entries: Sequence[Entry]) -> list[str]:
    """What a reader must know of the means: sentences."""
    counts = " and ".join(dict.fromkeys(str(len(s.averaged(entries))) for s in group))
    first = [sentence for sentence in group[0].reading() if "known to the fit" not in sentence]
    return [f"Mean error over {counts} attributes of 40; published means say over what.", *first]


def bracketed(lines: Iterable[Line | Means]) -> list[str]:
    """What the counts are, in a sentence, where there are any."""
    some = any(count for line in lines for count in line.counts)
    return ["In brackets: seeds with a result, of all, where some have none."] if some else []


def written(statistic: Statistic | None, count: str = "") -> str:
    """An error rate as plain text, with the seeds that it is of."""
    tail = f" ({count})" if count else ""
    if statistic is None:
        return ABSENT + tail
    spread = "" if statistic.std is None else f" ± {number(statistic.std, 'error_rate')}"
    return number(statistic.mean, "error_rate") + spread + tail


def _best(sheet: Attributes, cells: Sequence[Statistic | None]) -> frozenset[int]:
    """Places of the best means, of those over enough seeds; none where there is but one."""
    known = {i: cell for i, cell in enumerate(cells) if cell}
    rated = {i: c.mean for i, c in known.items() if enough(c.n, len(sheet.seeds))}
    if len(known) < 2 or not rated:
        return frozenset()
    least = number(min(rated.values()), sheet.metric)
    return frozenset(i for i, mean in rated.items() if number(mean, sheet.metric) == least)


def _published(group: Sequence[Attributes], entries: Sequence[Entry]) -> Iterator[Means]:
    """The mean of what is published by attribute, over the same ones as ours."""
    found = [e for s in group for block in s.blocks for e in s.printed(entries, block)]
    if found:
        means = (sheet.printed_mean(entries) for sheet in group)
        cells = [None if mean is None else _single(mean) for mean in means]
        yield _means(found[0].paper.name, f"{found[0].where} over the same", cells)


def _means(name: str, where: str, cells: Sequence[Statistic | None]) -> Means:
    """Those of no method of ours."""
    counts = ("",) * len(cells)
    return Means(name=name, where=where, cells=tuple(cells), counts=counts, differs="")


def _single(value: float) -> Statistic:
    return Statistic(n=1, mean=value, std=None, median=value)
