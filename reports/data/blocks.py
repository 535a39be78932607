"""The runs of a suite as blocks of comparable rows: one profile, data set and number of clusters.

A row is a label of the suite; one that was run with several parameter sets is a row for each. All
numbers come from the frame of :func:`results.load`, by the names of its columns, as in
"test/accuracy". Failed cells count among the runs and nowhere else.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deep_em_bench.core import UserError
from deep_em_bench.reports.data.conflicts import agree, conflicts_of
from deep_em_bench.reports.data.summary import Statistic, statistic
from deep_em_bench.reports.data.titles import SPLITS, data_title, row_title
from deep_em_bench.results import DatasetUsed, Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TIME",
    "Block",
    "Failed",
    "Row",
    "blocks_of",
    "device_of",
]

BASELINES = ("kmeans", "gmm")
"""Methods whose rows come first, in this order."""

ENOUGH = 0.5
"""Share of a block's seeds that a row must have succeeded on to be called best, or ranked."""

TIME = "time_s"
"""The column of seconds that tables show: of the processor on a CPU, else of the clock."""

BUSY = 1.0
"""Load average from which a run began beside other work."""

MESSAGE_LENGTH = 160


@dataclass(frozen=True, kw_only=True)
class Row:
    """The runs of one method in one setting, by seed."""

    label: str
    """Tells it from the other rows of its block."""
    title: str
    records: tuple[Record, ...]
    places: tuple[int, ...]
    """Of its records, in the frame."""

    @functools.cached_property
    def ok(self) -> tuple[Record, ...]:
        """The runs that have a result."""
        return tuple(record for record in self.records if record.status == "ok")

    @property
    def seeds(self) -> set[int]:
        """Of all runs."""
        return {record.seed for record in self.records}

    @property
    def method(self) -> str:
        """The method's registered name."""
        return self.records[0].method.name

    @property
    def n_parameters(self) -> int | None:
        """Numbers that the fitted model consists of; None unless all runs agree about it."""
        sizes = {record.method.n_parameters for record in self.ok}
        return sizes.pop() if len(sizes) == 1 else None


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The runs of one row that ended in the same way without a result."""

    row: Row
    status: str
    seeds: tuple[int, ...]
    message: str
    """Type and first line of the error."""
    record: Record
    """The first of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Rows that may be compared."""

    frame: pd.DataFrame
    rows: tuple[Row, ...]
    """Baselines first, then by label."""
    mixed: tuple[str, ...] = ()
    """What the block mixes though it should not, a sentence each, where that was allowed."""
    _known: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def first(self) -> Record:
        """Any record: the block's facts are those of all."""
        return self.rows[0].records[0]

    @property
    def suite(self) -> str:
        return self.first.suite

    @property
    def profile(self) -> str:
        return self.first.profile

    @property
    def data(self) -> DatasetUsed:
        return self.first.dataset

    @property
    def n_clusters(self) -> int:
        return self.first.n_clusters

    @property
    def name(self) -> str:
        """What its files, figures and LaTeX labels are named after."""
        return f"{self.suite} {self.data.title} {self.n_clusters} {self.profile}"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What identifies it in CSV and JSON."""
        return {
            "suite": self.suite,
            "profile": self.profile,
            "dataset": self.data.title,
            "n_clusters": self.n_clusters,
        }

    @property
    def title(self) -> str:
        """What tells it from the other blocks of its suite."""
        return f"{data_title(self.data)}, K = {self.n_clusters}, {self.profile}"

    @functools.cached_property
    def records(self) -> list[Record]:
        """Of all rows."""
        return [record for row in self.rows for record in row.records]

    @functools.cached_property
    def seeds(self) -> tuple[int, ...]:
        """Of any row."""
        return tuple(sorted({record.seed for record in self.records}))

    @functools.cached_property
    def rated(self) -> tuple[bool, ...]:
        """Of each row whether it succeeded on enough seeds to be called best, or ranked."""
        least = ENOUGH * len(self.seeds)
        return tuple(len({run.seed for run in row.ok}) >= least for row in self.rows)

    @property
    def labelled(self) -> int:
        """Labels that the fit knew, and then the components are the classes; mostly none."""
        return self.data.words.get("labelled") or 0

    @property
    def error(self) -> str:
        """The error rate that heads it: of classes as they are named where labels were known."""
        return "error_rate_classes" if self.labelled else "error_rate"

    @functools.cached_property
    def devices(self) -> Mapping[str, str]:
        """What the fits that succeeded ran on, each with its letter: seconds are those of one."""
        names = sorted({device_of(record) for row in self.rows for record in row.ok})
        return {name: chr(ord("a") + i) for i, name in enumerate(names)}

    def crowded(self, row: Row) -> bool:
        """Whether any run of the row began while the machine had other work."""
        return any((record.resources.load or 0) > BUSY for record in row.ok)

    def ran_on(self, row: Row) -> str:
        """The letters of the row's devices; empty where all rows ran on the same one."""
        if len(self.devices) < 2:
            return ""
        return ", ".join(sorted({self.devices[device_of(record)] for record in row.ok}))

    @functools.cached_property
    def metrics(self) -> Mapping[str, list[str]]:
        """By split, the names of all metrics that any row has a value of."""
        held: dict[str, list[str]] = {split: [] for split in SPLITS}
        places = [place for row in self.rows for place in row.places]
        for column in self.frame.columns:
            split, _, metric = str(column).partition("/")
            if split in held and np.isfinite(self.frame[column].to_numpy()[places]).any():
                held[split].append(metric)
        return held

    def splits(self, wanted: Iterable[str] | None = None) -> list[str]:
        """The splits on which any metric, or any of the wanted ones, was measured."""
        chosen = None if wanted is None else set(wanted)
        return [
            split
            for split, held in self.metrics.items()
            if (held if chosen is None else chosen & set(held))
        ]

    def split(self, wanted: Iterable[str] | None = None) -> str:
        """Where labels are scored: held out where any metric is, else the fitted points."""
        return "test" if "test" in self.splits(wanted) else "train"

    def scores(self, column: str) -> np.ndarray:
        """Rows by seeds ``(R, S)`` of the runs that succeeded; NaN: no such run, or no number.

        Runs of one seed, where versions were mixed, count once, with their mean.
        """
        if column not in self._known:
            self._known[column] = self._scores(column)
        return self._known[column]

    def _scores(self, column: str) -> np.ndarray:
        totals = np.zeros((len(self.rows), len(self.seeds)))
        if column not in self.frame:
            return totals + np.nan
        counts = np.zeros_like(totals)
        values = self.frame[column].to_numpy()
        places = {seed: i for i, seed in enumerate(self.seeds)}
        for i, row in enumerate(self.rows):
            for record, place in zip(row.records, row.places, strict=True):
                if record.status == "ok":
                    totals[i, places[record.seed]] += values[place]
                    counts[i, places[record.seed]] += 1
        return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)

    def statistics(self, column: str) -> list[Statistic | None]:
        """Of each row; None unless every run that succeeded has a finite value.

        A mean over the runs that happen to have one would flatter a method that collapses.
        """
        key = "statistics", column
        if key not in self._known:
            values = self.frame[column].to_numpy() if column in self.frame else None
            self._known[key] = [
                None if values is None else statistic(_of_ok(row, values)) for row in self.rows
            ]
        return self._known[key]

    def statistic(self, row: Row, column: str) -> Statistic | None:
        """Of one row."""
        labels = [each.label for each in self.rows]
        return self.statistics(column)[labels.index(row.label)]

    def real(self, metric: str) -> Statistic | None:
        """Of a metric with real images in the place of samples, over the seeds.

        Of a single value where the seeds agree, as they do where none of them draws the data.
        """
        by_seed: dict[int, list[float]] = {}
        for record in self.records:
            if (value := record.metrics.real.get(metric)) is not None:
                by_seed.setdefault(record.seed, []).append(value)
        means = [sum(values) / len(values) for values in by_seed.values()]
        return statistic(means[:1] if agree(means) else means)

    @property
    def extractors(self) -> tuple[Mapping[str, Any], ...]:
        """The nets behind the scores of samples, as the first run that has some describes them."""
        return next((record.extractors for record in self.records if record.extractors), ())

    @property
    def failures(self) -> list[Failed]:
        """Every run without a result, grouped by row, status and message."""
        groups: dict[tuple[str, str, str], list[tuple[Row, Record]]] = {}
        for row in self.rows:
            for record in row.records:
                if record.error is not None:
                    key = row.label, record.status, _message(record)
                    groups.setdefault(key, []).append((row, record))
        return [
            Failed(
                row=held[0][0],
                status=status,
                seeds=tuple(record.seed for _, record in held),
                message=message,
                record=held[0][1],
            )
            for (_, status, message), held in groups.items()
        ]


def blocks_of(
    records: Sequence[Record], frame: pd.DataFrame, *, mixed: bool = False
) -> list[Block]:
    """The blocks of ``records``, whose rows ``frame`` has in the same order.

    Raises :class:`UserError`, unless ``mixed``, where one label has records of several versions
    of code, or one block of metrics or data.
    """
    frame = _with_time(frame)
    placed = sorted(enumerate(records), key=lambda pair: _place(pair[1]))
    groups = itertools.groupby(placed, key=lambda pair: _place(pair[1]))
    return [_block(list(group), frame, mixed) for _, group in groups]


def device_of(record: Record) -> str:
    """What the fit ran on: a GPU by its name, where that is known."""
    device, gpu = record.resources.device, record.provenance.gpu
    return gpu if gpu and device.startswith("cuda") else device


def _with_time(frame: pd.DataFrame) -> pd.DataFrame:
    """Seconds of the processor where a CPU fitted and they are known, else of the clock."""
    cpu = frame["device"].eq("cpu") & frame["fit_cpu_s"].notna()
    return frame.assign(**{TIME: frame["fit_cpu_s"].where(cpu, frame["fit_s"])})


def _of_ok(row: Row, values: np.ndarray) -> list[float]:
    pairs = zip(row.records, row.places, strict=True)
    return [float(values[place]) for record, place in pairs if record.status == "ok"]


def _place(record: Record) -> tuple[str, str, int]:
    return record.profile, record.dataset.title, record.n_clusters


def _block(placed: list[tuple[int, Record]], frame: pd.DataFrame, mixed: bool) -> Block:
    records = [record for _, record in placed]
    conflicts = list(conflicts_of(records))
    if conflicts and not mixed:
        first = records[0]
        more = f" ({len(conflicts) - 1} more like this)" if len(conflicts) > 1 else ""
        raise UserError(
            f"{first.dataset.title}, K = {first.n_clusters}, profile {first.profile}: "
            f"{conflicts[0].what}{more}; {conflicts[0].remedy}, or show all together with --mixed"
        )
    rows = sorted(_rows(placed), key=_row_place)
    told = tuple(conflict.what for conflict in conflicts)
    return Block(frame=frame, rows=tuple(_distinct(rows)), mixed=told)


def _row_place(row: Row) -> tuple[int, str, str]:
    rank = BASELINES.index(row.method) if row.method in BASELINES else len(BASELINES)
    return rank, row.label.casefold(), row.label


def _rows(placed: list[tuple[int, Record]]) -> Iterator[Row]:
    by_label: dict[str, dict[str, list[tuple[int, Record]]]] = {}
    for place, record in sorted(placed, key=lambda pair: pair[1].seed):
        settings = json.dumps(_settings(record), sort_keys=True)
        by_label.setdefault(record.label, {}).setdefault(settings, []).append((place, record))
    for label, groups in by_label.items():
        differing = _differing([_settings(group[0][1]) for group in groups.values()])
        for group in groups.values():
            first = group[0][1]
            values = _settings(first)
            words = ", ".join(f"{name}={values.get(name, 'unset')}" for name in differing)
            tail = f" ({words})" if words else ""
            yield Row(
                label=label + tail,
                title=row_title(label, first.method) + tail,
                records=tuple(record for _, record in group),
                places=tuple(place for place, _ in group),
            )


def _distinct(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows whose titles are the same are shown by their labels."""
    titles = [row.title for row in rows]
    for row in rows:
        yield row if titles.count(row.title) == 1 else replace(row, title=row.label)


def _settings(record: Record) -> dict[str, Any]:
    method = record.method
    return {"method": method.name, "preset": method.preset, **method.params}


def _differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    names = sorted({name for each in settings for name in each})
    absent = object()  # None is a value
    return [name for name in names if len({repr(s.get(name, absent)) for s in settings}) > 1]


def _message(record: Record) -> str:
    assert record.error is not None, "only called for records with an error"
    lines = record.error.message.strip().splitlines()
    text = f"{record.error.type}: {lines[0]}" if lines else record.error.type
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 1] + "…"
