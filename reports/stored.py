"""What the runs of a suite stored beside their numbers, read once for all that shows it.

One place says of which run, and in which words what is missing: a table, a figure and the page
never tell different stories of the same file.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import ClusterRow, cluster_table
from deep_em_bench.reports.summary import Row
from deep_em_bench.results import Record, Store

__all__ = ["NotStoredError", "Run", "Stored", "by_class", "labels_of"]

TOLD = "labelled_rows"
"""The stored array of training points whose class a semi-supervised fit was told."""

KEPT = 2**28
"""Bytes of arrays that are held for whoever asks next."""


class NotStoredError(DataError):
    """The record never had these arrays: nothing is damaged."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run that stands for a row wherever one run is shown."""

    label: str
    record: Record
    arrays: Mapping[str, np.ndarray]

    @functools.cached_property
    def clusters(self) -> tuple[ClusterRow, ...]:
        """On the training split, as :func:`by_class` orders them.

        Raises :class:`DataError` where the labels are missing or cannot be.
        """
        y, labels = labels_of(self.arrays, "train")
        return tuple(by_class(y, labels, n_clusters=self.record.n_clusters))

    @property
    def n_bytes(self) -> int:
        """Of its arrays."""
        return sum(array.nbytes for array in self.arrays.values())


class Stored:
    """The runs of one store that are shown by themselves, read once while there is room for them.

    Of each row that is the run of its lowest seed that ended ok, whatever its score.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._bytes = 0
        self._clusters: dict[str, tuple[ClusterRow, ...] | DataError] = {}

    def run(self, row: Row) -> Run | None:
        """The row's run with its arrays; None where no run ended ok.

        Raises :class:`DataError` where its arrays cannot be read.
        """
        if not row.ok:
            return None
        record = row.ok[0]
        if record.key not in self._runs:
            arrays = self.store.arrays(record.key)
            found = Run(label=row.label, record=record, arrays=arrays)
            self._runs[record.key] = found
            self._bytes += found.n_bytes
            while self._bytes > KEPT and len(self._runs) > 1:
                _, oldest = self._runs.popitem(last=False)
                self._bytes -= oldest.n_bytes
        self._runs.move_to_end(record.key)
        return self._runs[record.key]

    def clusters(self, row: Row) -> tuple[ClusterRow, ...] | None:
        """Those of the row's run; None where no run ended ok.

        Raises :class:`DataError` as :attr:`Run.clusters` and :meth:`run` do.
        """
        if not row.ok:
            return None
        key = row.ok[0].key
        if key not in self._clusters:
            try:
                run = self.run(row)
                self._clusters[key] = run.clusters if run else ()
            except DataError as error:
                self._clusters[key] = error
        found = self._clusters[key]
        if isinstance(found, DataError):
            raise found
        return found


def labels_of(arrays: Mapping[str, np.ndarray], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Classes and clusters of one split's points, ``(N,)`` each.

    Training points whose class the fit was told are left out, as they are where it is scored.
    Raises :class:`NotStoredError` naming the first that is missing.
    """
    y, labels = f"y_{split}", f"labels_{split}"
    for name in (y, labels):
        if name not in arrays:
            raise NotStoredError(f"the record stores no {name!r}")
    told = arrays.get(TOLD) if split == "train" else None
    if told is None:
        return arrays[y], arrays[labels]
    return _without(arrays[y], told), _without(arrays[labels], told)


def _without(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return values[~np.isin(np.arange(len(values)), rows)]


def by_class(y: np.ndarray, labels: np.ndarray, *, n_clusters: int) -> list[ClusterRow]:
    """The clusters by majority class, then from the largest; empty ones last."""
    clusters = cluster_table(y, labels, n_clusters=n_clusters)
    return sorted(
        clusters, key=lambda c: (c.majority_class is None, c.majority_class or 0, -c.size)
    )
