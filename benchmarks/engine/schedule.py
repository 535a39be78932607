"""How long cells will take, estimated from earlier cells, and the order that ends soonest.

With several workers the longest cells go first, because all would wait for a long one that starts
last. A cell that nothing is known of goes before them all, since it may be long.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from deep_em_bench.benchmarks.plan import Cell
from deep_em_bench.results.record import Record

__all__ = ["Kind", "Times", "kind_of", "kinds", "longest_first", "seconds_of"]


class Kind(NamedTuple):
    """The properties of a cell, all but the seed, on which its time depends."""

    label: str
    method: str
    profile: str
    dataset: str
    n_clusters: int | None

    def groups(self) -> tuple[tuple[object, ...], ...]:
        """The groups of similar cells, from the narrowest to the widest."""
        return (
            self,
            (self.label, self.method, self.profile, self.dataset),
            (self.method, self.profile),
            (self.method,),
        )


class Times:
    """Seconds that cells took, and the seconds expected of others.

    The expected time of a cell is the median of the cells with the same row, profile, data set
    and K (other seeds, that is); without those, of the same row, profile and data set; then of
    the same method and profile; then of the same method.
    """

    def __init__(self) -> None:
        self._sorted: dict[tuple[object, ...], list[float]] = {}

    def learn(self, kind: Kind, seconds: float | None) -> None:
        """Learn the seconds of a cell of that kind; None, as for a failed one, is ignored."""
        if seconds is not None:
            for group in kind.groups():
                bisect.insort(self._sorted.setdefault(group, []), seconds)

    def learn_from(self, record: Record) -> None:
        """Learn the seconds of the record's cell."""
        self.learn(_kind_of_record(record), seconds_of(record))

    def expected(self, kind: Kind) -> float | None:
        """Expected seconds; None where no cell of its method is known."""
        for group in kind.groups():
            seconds = self._sorted.get(group)
            if seconds:
                middle = len(seconds) // 2
                return (seconds[middle] + seconds[-1 - middle]) / 2
        return None

    def work(self, cells: Mapping[Kind, int]) -> float | None:
        """Expected seconds of so many cells of each kind in sequence; None if unknown.

        A kind that nothing is known of counts with the mean of the others.
        """
        expected = {kind: self.expected(kind) for kind, count in cells.items() if count}
        known = {kind: seconds for kind, seconds in expected.items() if seconds is not None}
        if not expected:
            return 0.0
        if not known:
            return None
        total = sum(seconds * cells[kind] for kind, seconds in known.items())
        n_known = sum(cells[kind] for kind in known)
        return total / n_known * sum(cells.values())

    def left(self, cells: Mapping[Kind, int], workers: int) -> float | None:
        """Expected seconds until so many workers have run the cells; None if unknown."""
        total = self.work(cells)
        if total is None:
            return None
        longest = [self.expected(kind) or 0 for kind, count in cells.items() if count]
        return max(total / workers, *longest, 0)


def kind_of(cell: Cell) -> Kind:
    """The kind of a cell."""
    return Kind(cell.label, cell.method, cell.profile, cell.dataset.name, cell.n_clusters)


def kinds(cells: Iterable[Cell]) -> Counter[Kind]:
    """The number of cells of each kind."""
    return Counter(map(kind_of, cells))


def seconds_of(record: Record) -> float | None:
    """Seconds of fit, predictions and scores; None for a record that is not ok."""
    timing = record.timing
    if record.status != "ok" or timing.fit_s is None:
        return None
    return timing.fit_s + (timing.predict_s or 0) + (timing.evaluate_s or 0)


def longest_first(cells: Sequence[Cell], times: Times) -> list[Cell]:
    """The cells by falling expected seconds, unknown ones first; equal ones in their order."""

    def rank(cell: Cell) -> float:
        seconds = times.expected(kind_of(cell))
        return -math.inf if seconds is None else -seconds

    return sorted(cells, key=rank)


def _kind_of_record(record: Record) -> Kind:
    method, data = record.method.name, record.dataset.name
    return Kind(record.label, method, record.profile, data, record.n_clusters)
