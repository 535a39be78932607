"""What the formats of one suite's report are made from, each part computed once and when asked."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deep_em_bench.core import UserError
from deep_em_bench.reports import tables
from deep_em_bench.reports.attributes import Attributes, by_attribute
from deep_em_bench.reports.comparison import ComparedBlock, compare
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.summary import Block, summarise
from deep_em_bench.results import Record, Store
from deep_em_bench.results.published import published

if TYPE_CHECKING:
    from deep_em_bench.reports.figures import Drawn
    from deep_em_bench.reports.statistics_suite import SuiteStatistics

__all__ = ["Gathered", "gathered"]

MOST, FEW, LARGE = 120, 6, 5_000
"""Figures of one suite, tenths of a second's work each; those of a suite of so many records."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The records of one suite, arranged."""

    suite: str
    records: Sequence[Record]
    stored: Stored
    blocks: Sequence[Block]
    asked: Sequence[str] | None
    """The metrics that the user named."""
    shown: Sequence[str]
    """The metrics with a column."""
    most: int
    """Figures at most; 0: all."""
    indexed: bool
    """Whether a page of all suites stands beside this one's."""

    @property
    def sheets(self) -> list[Attributes]:
        """The blocks of an attribute each: a table for each of them would be eighty."""
        return self._by_attribute[0]

    @property
    def rest(self) -> list[Block]:
        """The other blocks."""
        return self._by_attribute[1]

    @functools.cached_property
    def _by_attribute(self) -> tuple[list[Attributes], list[Block]]:
        return by_attribute(self.blocks)

    @functools.cached_property
    def compared(self) -> list[ComparedBlock]:
        """All blocks beside published numbers."""
        return compare(self.blocks, published())

    @functools.cached_property
    def beside(self) -> list[ComparedBlock]:
        """Those that have a table of it: attributes hold the published numbers in their own."""
        return compare(self.rest, published()) if self.sheets else self.compared

    @functools.cached_property
    def statistics(self) -> SuiteStatistics:
        """What is tested of the tables."""
        from deep_em_bench.reports.statistics_suite import (
            suite_statistics,  # scipy.stats is slow to import
        )

        return suite_statistics(self.rest, self.shown)

    @functools.cached_property
    def drawn(self) -> Drawn:
        """The figures."""
        from deep_em_bench.reports.figures import figures  # matplotlib, which tables do without

        return figures(self.blocks, self.stored, self.asked, self.most or None)

    @property
    def undrawn(self) -> str:
        """A sentence where there are more figures than were drawn."""
        if self.drawn.complete:
            return ""
        return (
            f"Figures drawn: the first {self.most}; "
            f"all of them: python -m reports --suite {self.suite} --figures all."
        )


def gathered(
    store: Store,
    *,
    profile: str | None = None,
    metrics: Sequence[str] | None = None,
    mixed: bool = False,
    most: int | None = None,
    indexed: bool = False,
) -> Gathered:
    """The records of a store, arranged.

    The words are those of :func:`suite_files`.

    Raises :class:`UserError` for a suite without records, for records that do not go into one
    table, and for metrics that none of them has.
    """
    suite = store.folder.name
    records = list(store.load(history=False))
    if not records:
        raise UserError(
            f"suite {suite!r} has no readable records in {store.folder}; "
            f"make them with: python -m benchmarks.run --suite {suite}"
        )
    blocks = summarise(records, profile=profile, mixed=mixed)
    shown = metrics or tables.shown_metrics(blocks)
    known = tables.measured(blocks)
    absent = [name for name in shown if name not in known]
    if absent:
        raise UserError(
            f"no record of suite {suite!r} has {', '.join(absent)}; "
            f"there are: {', '.join(known) or 'no metrics at all'}"
        )
    if most is None:
        most = FEW if len(records) > LARGE else MOST
    return Gathered(
        suite=suite,
        records=records,
        stored=Stored(store),
        blocks=blocks,
        asked=metrics,
        shown=shown,
        most=most,
        indexed=indexed,
    )
