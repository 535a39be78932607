"""What the runs of a suite stored beside their numbers: arrays, read once for all that shows them.

Of each row the run of its lowest seed that succeeded stands for it, whatever its score. What
cannot be read is left out of tables and figures, and told once, by :attr:`Stored.missing`.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import ClusterRow, cluster_table
from deep_em_bench.reports.data.blocks import Row
from deep_em_bench.results import Record, Store

__all__ = ["Run", "Stored", "by_class", "labels_of"]

LABELLED = "labelled_rows"
"""The stored array of training points whose class a semi-supervised fit knew."""

KEPT = 64
"""Runs whose arrays are kept for whoever asks next."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run that stands for a row wherever one run is shown."""

    row: Row
    record: Record
    arrays: Mapping[str, np.ndarray]

    @functools.cached_property
    def clusters(self) -> tuple[ClusterRow, ...]:
        """On the training split, as :func:`by_class` orders them; raises :class:`DataError`."""
        y, labels = labels_of(self.arrays, "train")
        return tuple(by_class(y, labels, n_clusters=self.record.n_clusters))


class Stored:
    """The runs of one store that are shown by themselves."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._clusters: dict[str, tuple[ClusterRow, ...]] = {}
        self.missing: dict[str, dict[str, None]] = {}
        """By what is the matter, the titles of the rows of which arrays could not be read."""

    def run(self, row: Row) -> Run | None:
        """The row's run with its arrays; None where no run succeeded, or they cannot be read."""
        if not row.ok:
            return None
        record = row.ok[0]
        if record.key not in self._runs:
            try:
                arrays = self.store.arrays(record.key)
            except DataError as error:
                self.note(row, error)
                return None
            self._runs[record.key] = Run(row=row, record=record, arrays=arrays)
            if len(self._runs) > KEPT:
                self._runs.popitem(last=False)
        self._runs.move_to_end(record.key)
        return self._runs[record.key]

    def clusters(self, row: Row) -> tuple[ClusterRow, ...]:
        """Those of the row's run; none where its labels cannot be read."""
        if not row.ok:
            return ()
        key = row.ok[0].key
        if key not in self._clusters:
            run = self.run(row)
            try:
                self._clusters[key] = run.clusters if run else ()
            except DataError as error:
                self.note(row, error)
                self._clusters[key] = ()
        return self._clusters[key]

    def note(self, row: Row, error: DataError | str) -> None:
        """Remember that something of a row cannot be shown, by a reason without names of files."""
        text = str(error)
        if "No such file" in text:
            text = "the arrays of the runs are not stored here"
        elif row.ok and row.ok[0].key in text:
            text = "the stored arrays are damaged"
        self.missing.setdefault(text, {})[row.title] = None


def labels_of(arrays: Mapping[str, np.ndarray], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Classes and clusters of one split's points, ``(N,)`` each.

    Training points whose class the fit knew are left out, as they are where it is scored.
    Raises :class:`DataError` naming the first array that is missing.
    """
    y, labels = f"y_{split}", f"labels_{split}"
    for name in (y, labels):
        if name not in arrays:
            raise DataError(f"the record stores no {name!r}")
    known = arrays.get(LABELLED) if split == "train" else None
    if known is None:
        return arrays[y], arrays[labels]
    kept = ~np.isin(np.arange(len(arrays[y])), known)
    return arrays[y][kept], arrays[labels][kept]


def by_class(y: np.ndarray, labels: np.ndarray, *, n_clusters: int) -> list[ClusterRow]:
    """The clusters by majority class, then from the largest; empty ones last."""
    clusters = cluster_table(y, labels, n_clusters=n_clusters)
    return sorted(
        clusters, key=lambda c: (c.majority_class is None, c.majority_class or 0, -c.size)
    )
