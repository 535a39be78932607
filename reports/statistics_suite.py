"""All statistics of a suite, computed once for every format that shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deep_em_bench.reports.statistics_rows import (
    Comparison,
    Ranking,
    compared,
    ranked,
    ranked_over_data,
)
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import SPLIT_NAMES

__all__ = ["OverData", "Section", "SuiteStatistics", "Tested", "suite_statistics"]


@dataclass(frozen=True, kw_only=True)
class Section:
    """The rows of one table by one metric on one split."""

    comparison: Comparison
    ranking: Ranking | None


@dataclass(frozen=True, kw_only=True)
class Tested:
    """One comparison table with what was tested of it: one section or more."""

    block: Block
    sections: tuple[Section, ...]


@dataclass(frozen=True, kw_only=True)
class OverData:
    """Ranks over the data sets of one profile."""

    profile: str
    mixed: bool
    """Whether any of the tables mixes versions."""
    ranking: Ranking


@dataclass(frozen=True, kw_only=True)
class SuiteStatistics:
    """What is tested of a suite's tables."""

    tables: tuple[Tested, ...]
    """Those with two rows to compare or more."""
    over_data: tuple[OverData, ...]


def suite_statistics(blocks: Sequence[Block], shown: Sequence[str]) -> SuiteStatistics:
    """Of the metrics ``shown`` those that have a better direction, in all tables and over them."""
    return SuiteStatistics(tables=tuple(_tables(blocks, shown)), over_data=_over(blocks, shown))


def _tables(blocks: Sequence[Block], shown: Sequence[str]) -> Iterator[Tested]:
    for block in blocks:
        sections = tuple(
            Section(comparison=found, ranking=ranked(block, split, metric))
            for split in block.splits(shown)
            for metric in shown
            if (found := compared(block, split, metric)) is not None
        )
        if sections:
            yield Tested(block=block, sections=sections)


def _over(blocks: Sequence[Block], shown: Sequence[str]) -> tuple[OverData, ...]:
    groups: dict[str, list[Block]] = {}
    for block in blocks:
        groups.setdefault(block.profile, []).append(block)
    return tuple(
        OverData(profile=profile, mixed=any(block.mixed for block in group), ranking=found)
        for profile, group in groups.items()
        for split in SPLIT_NAMES
        for metric in shown
        if (found := ranked_over_data(group, split, metric)) is not None
    )
