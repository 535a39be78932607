"""In what the rows of attributes differ from the published numbers in the column beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deep_em_bench.reports.attributes import Attributes
from deep_em_bench.reports.comparison import KINDS, Compared, ComparedBlock, Kind, compare
from deep_em_bench.reports.comparison_tables import LETTERS, notes
from deep_em_bench.reports.text import ABSENT
from deep_em_bench.results.printed import Entry

__all__ = ["differing", "letters", "named", "told"]


def differing(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> dict[str, list[Kind]]:
    """The kinds of difference of every row with something published beside it, by label."""
    by_label: dict[str, list[Compared]] = {}
    for pair in _pairs(sheets, entries):
        by_label.setdefault(pair.row.label, []).append(pair)
    return {label: _kinds(pairs) for label, pairs in by_label.items()}


def letters(kinds: Sequence[Kind]) -> str:
    """Their marks; a dash for none."""
    return " ".join(KINDS[kind] for kind in kinds) or ABSENT


def told(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> list[str]:
    """What the letters stand for, in one note; none without letters."""
    pairs = _pairs(sheets, entries)
    each = ComparedBlock(block=sheets[0].blocks[0], rows=tuple(pairs), unmeasured=())
    said = [f"{mark}: {text}" for kind, mark, text in notes(each) if kind]
    return [" ".join([LETTERS, *said])] if said else []


def named(sheet: Attributes, entries: Sequence[Entry]) -> list[str]:
    """The same in one sentence, for figures."""
    found = ", ".join(f"{KINDS[kind]} {kind}" for kind in _kinds(_pairs([sheet], entries)))
    return [f"A letter marks a protocol that differs, as the tables tell: {found}."] * bool(found)


def _pairs(sheets: Sequence[Attributes], entries: Sequence[Entry]) -> list[Compared]:
    """Every row of every attribute beside what is published of that attribute.

    The published method shares its column with all of ours: rows of another one are compared with
    it as well, in all but the preset.
    """
    return [
        pair
        for sheet in sheets
        for each in compare(sheet.blocks, _beside(sheet, entries))
        for pair in each.rows
        if pair.metric == sheet.metric
    ]


def _beside(sheet: Attributes, entries: Sequence[Entry]) -> list[Entry]:
    """The numbers by attribute, as if published of each of our methods."""
    methods = {record.method.name for block in sheet.blocks for record in block.records}
    return [
        replace(
            entry,
            suites=(sheet.suite,),
            method=name,
            presets=entry.presets if name == entry.method else (),
        )
        for block in sheet.blocks
        for entry in sheet.printed(entries, block)
        for name in sorted(methods)
    ]


def _kinds(pairs: Sequence[Compared]) -> list[Kind]:
    """Those of all differences, in the order of their letters."""
    found = {difference.kind for pair in pairs for difference in pair.differs}
    return [kind for kind in KINDS if kind in found]
