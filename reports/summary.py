"""Records of a suite, arranged as comparison tables: what stands in a row, and what may not.

A block is one table: one profile, one data set with its words, one number of clusters. Its rows
are the suite's labels; a label that was run with several parameter sets has a row for each. Failed
cells count among the runs and nowhere else.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deep_em_bench import metrics
from deep_em_bench.core import ConfigError, UserError
from deep_em_bench.reports.conflicts import agree, conflicts_of
from deep_em_bench.reports.text import device_of, letter, number
from deep_em_bench.results import Record

__all__ = ["Block", "Failed", "Row", "Statistic", "direction", "enough", "summarise"]

SPLITS = ("train", "test", "generation")
BASELINES = ("kmeans", "gmm")
"""Methods whose rows come first, in this order."""

KEPT = 0.5
"""Share of a table's seeds that a row must have ended well on to be called best, or ranked."""

MESSAGE_LENGTH = 160


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """One number over the runs of a row that ended ok."""

    n: int
    mean: float
    std: float | None
    """With n - 1 in the denominator; None for a single run."""
    median: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """The runs of one method in one setting, by seed."""

    label: str
    records: tuple[Record, ...]

    @functools.cached_property
    def ok(self) -> tuple[Record, ...]:
        """The runs that have a result."""
        return tuple(record for record in self.records if record.status == "ok")

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of all runs."""
        return tuple(record.seed for record in self.records)

    @property
    def n(self) -> str:
        """Runs that ended ok, of all, as in "9/10"."""
        return f"{len(self.ok)}/{len(self.records)}"

    @property
    def fit_s(self) -> Statistic | None:
        """Wall-clock seconds of ``fit``."""
        return _statistic([record.timing.fit_s for record in self.ok])

    @property
    def n_parameters(self) -> int | None:
        """Numbers that the fitted model consists of; None unless all runs agree about it."""
        sizes = {record.method.n_parameters for record in self.ok}
        return sizes.pop() if len(sizes) == 1 else None

    def statistic(self, split: str, metric: str) -> Statistic | None:
        """Of one metric; None unless every run that ended ok has a finite value of it.

        A mean over the runs that happen to have one would flatter a method that collapses.
        """
        if (split, metric) not in self._statistics:
            values = [getattr(record.metrics, split).get(metric) for record in self.ok]
            self._statistics[split, metric] = _statistic(values)
        return self._statistics[split, metric]

    @functools.cached_property
    def _statistics(self) -> dict[tuple[str, str], Statistic | None]:
        """Kept, since every format of a report asks for the same ones."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The runs of one row that ended in the same way without a result."""

    label: str
    status: str
    seeds: tuple[int, ...]
    message: str
    """Type and first line of the error."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One comparison table."""

    suite: str
    profile: str
    dataset: str
    """Name and words, as in "mnist(subset=10000)"."""
    n: int | None
    n_test: int | None
    n_clusters: int
    rows: tuple[Row, ...]
    """Baselines first, then by label."""
    mixed: tuple[str, ...]
    """What the table mixes though it should not, a sentence each, where that was allowed."""

    @property
    def place(self) -> str:
        """What its files, figures and LaTeX labels are named after."""
        return f"{self.suite} {self.dataset} {self.n_clusters} {self.profile}"

    @functools.cached_property
    def records(self) -> list[Record]:
        """Of all rows."""
        return [record for row in self.rows for record in row.records]

    @functools.cached_property
    def seeds(self) -> tuple[int, ...]:
        """Of any row."""
        return tuple(sorted({record.seed for record in self.records}))

    @functools.cached_property
    def rated(self) -> tuple[Row, ...]:
        """The rows that ended well on enough seeds to be called best, or ranked: :data:`KEPT`."""
        n = len(self.seeds)
        return tuple(row for row in self.rows if enough(len({run.seed for run in row.ok}), n))

    @property
    def labelled(self) -> int:
        """Labels that the fit knew, and then the components are the classes; mostly none."""
        return self.records[0].dataset.words.get("labelled") or 0

    @functools.cached_property
    def devices(self) -> Mapping[str, str]:
        """What the fits that ended well ran on, each with its letter: seconds are those of one."""
        names = sorted({device_of(record) for row in self.rows for record in row.ok})
        return {name: letter(i) for i, name in enumerate(names)}

    def ran_on(self, row: Row) -> str:
        """The letters of the row's devices; empty where all rows ran on the same one."""
        if len(self.devices) < 2:
            return ""
        return ", ".join(sorted({self.devices[device_of(record)] for record in row.ok}))

    @property
    def failures(self) -> list[Failed]:
        """Every run without a result, grouped by row, status and message."""
        groups: dict[tuple[str, str, str], list[int]] = {}
        for row in self.rows:
            for record in row.records:
                if record.error is not None:
                    key = (row.label, record.status, _message(record))
                    groups.setdefault(key, []).append(record.seed)
        return [
            Failed(label=label, status=status, seeds=tuple(seeds), message=message)
            for (label, status, message), seeds in groups.items()
        ]

    @property
    def generative(self) -> tuple[Row, ...]:
        """The rows that gave samples to score, and those that gave nothing at all."""
        return tuple(
            row
            for row in self.rows
            if not row.ok or any(record.metrics.generation for record in row.ok)
        )

    @property
    def extractors(self) -> tuple[Mapping[str, Any], ...]:
        """The nets behind the scores of samples, as the first run that has some tells of them."""
        told = (record.extractors for record in self.records if record.extractors)
        return next(told, ())

    def real(self, metric: str) -> Statistic | None:
        """Of a metric with real images in the place of samples, over the seeds.

        Of a single value where the seeds agree, as they do where none of them draws the data: real
        images have no runs. None where no record tells it.
        """
        by_seed: dict[int, list[float]] = {}
        for record in self.records:
            if (value := record.metrics.real.get(metric)) is not None:
                by_seed.setdefault(record.seed, []).append(value)
        means = [sum(values) / len(values) for values in by_seed.values()]
        return _statistic(means[:1] if agree(means) else means)

    def metrics(self, split: str) -> list[str]:
        """Names of all metrics that any row has a value of."""
        return list(self._metrics[split])

    @functools.cached_property
    def _metrics(self) -> dict[str, list[str]]:
        """By split."""
        found = {s: {name for r in self.records for name in getattr(r.metrics, s)} for s in SPLITS}
        return {split: sorted(names) for split, names in found.items()}

    def splits(self, wanted: Iterable[str] | None = None) -> list[str]:
        """The splits on which any metric, or any of the wanted ones, was measured."""
        found = {split: set(self.metrics(split)) for split in SPLITS}
        return [s for s in SPLITS if (found[s] if wanted is None else found[s] & set(wanted))]

    def best(self, split: str, metric: str) -> set[str]:
        """Labels of the rated rows with the best mean; equals as printed are all best.

        Empty where the metric has no better direction, or fewer than two rows have a number.
        """
        if (split, metric) not in self._best:
            self._best[split, metric] = self._found_best(split, metric)
        return self._best[split, metric]

    @functools.cached_property
    def _best(self) -> dict[tuple[str, str], set[str]]:
        """Kept: every row asks."""
        return {}

    def _found_best(self, split: str, metric: str) -> set[str]:
        sign = {"lower": 1, "higher": -1, "none": 0}[direction(metric)]
        if not sign:
            return set()
        found = {row.label: s.mean for row in self.rows if (s := row.statistic(split, metric))}
        means = {row.label: found[row.label] for row in self.rated if row.label in found}
        if len(found) < 2 or not means:
            return set()
        best = number(min(means.values(), key=lambda mean: sign * mean), metric)
        return {label for label, mean in means.items() if number(mean, metric) == best}


def summarise(
    records: Iterable[Record], *, profile: str | None = None, mixed: bool = False
) -> list[Block]:
    """The tables of ``records``, by profile, data and number of clusters.

    Raises :class:`UserError` for a profile without records, and, unless ``mixed``, where one
    label has records of several code versions, or one table several versions of metrics or data.
    """
    records = list(records)
    profiles = sorted({record.profile for record in records})
    if profile is not None and profile not in profiles:
        raise UserError(
            f"no records with profile {profile!r}; there are some with: {', '.join(profiles)}"
        )
    kept = [record for record in records if profile in (None, record.profile)]
    return [
        _block(list(group), mixed)
        for _, group in itertools.groupby(sorted(kept, key=_table), key=_table)
    ]


def enough(n: int, of: int) -> bool:
    """Whether results for ``n`` seeds of so many may be called best: :data:`KEPT`."""
    return n >= KEPT * of


@functools.cache
def direction(metric: str) -> metrics.Direction:
    """Which values of a metric are better; "none" too for one that is registered no more."""
    try:
        return metrics.info(metric).direction
    except ConfigError:
        return "none"


def _table(record: Record) -> tuple[str, str, int]:
    return record.profile, record.dataset.title, record.n_clusters


def _block(records: list[Record], mixed: bool) -> Block:
    first = records[0]
    conflicts = list(conflicts_of(records))
    if conflicts and not mixed:
        more = f" ({len(conflicts) - 1} more like this)" if len(conflicts) > 1 else ""
        raise UserError(
            f"{first.dataset.title}, K = {first.n_clusters}, profile {first.profile}: "
            f"{conflicts[0].what}{more}; {conflicts[0].remedy}, or show all together with --mixed"
        )
    return Block(
        suite=first.suite,
        profile=first.profile,
        dataset=first.dataset.title,
        n=first.dataset.n,
        n_test=first.dataset.n_test,
        n_clusters=first.n_clusters,
        rows=tuple(sorted(_rows(records), key=_place)),
        mixed=tuple(conflict.what for conflict in conflicts),
    )


def _place(row: Row) -> tuple[int, str, str]:
    name = row.records[0].method.name
    rank = BASELINES.index(name) if name in BASELINES else len(BASELINES)
    return rank, row.label.casefold(), row.label


def _rows(records: list[Record]) -> Iterator[Row]:
    by_label: dict[str, dict[str, list[Record]]] = {}
    for record in sorted(records, key=lambda record: record.seed):
        settings = json.dumps(_settings(record), sort_keys=True)
        by_label.setdefault(record.label, {}).setdefault(settings, []).append(record)
    for label, groups in by_label.items():
        differing = _differing([_settings(group[0]) for group in groups.values()])
        for group in groups.values():
            settings = _settings(group[0])
            said = ", ".join(f"{name}={settings.get(name, 'unset')}" for name in differing)
            yield Row(label=f"{label} ({said})" if said else label, records=tuple(group))


def _settings(record: Record) -> dict[str, Any]:
    method = record.method
    return {"method": method.name, "preset": method.preset, **method.params}


def _differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    names = sorted({name for each in settings for name in each})
    absent = object()  # None is a value
    return [name for name in names if len({repr(s.get(name, absent)) for s in settings}) > 1]


def _statistic(values: Sequence[float | None]) -> Statistic | None:
    known = sorted(value for value in values if value is not None)
    n = len(known)  # mostly a few: for so few numpy would take ten times as long
    if n == 0 or n < len(values):
        return None
    mean = math.fsum(known) / n
    squares = math.fsum((value - mean) ** 2 for value in known)
    return Statistic(
        n=n,
        mean=mean,
        std=math.sqrt(squares / (n - 1)) if n > 1 else None,
        median=(known[(n - 1) // 2] + known[n // 2]) / 2,
    )


def _message(record: Record) -> str:
    assert record.error is not None, "only called for records with an error"
    lines = record.error.message.strip().splitlines()
    text = f"{record.error.type}: {lines[0]}" if lines else record.error.type
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 1] + "…"
