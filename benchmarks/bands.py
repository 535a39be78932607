"""Bands that scores must stay in: from one run, in a TOML file, compared with another run."""

from __future__ import annotations

import json
import math
import statistics
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.core import ConfigError
from deep_em_bench.core.files import read_bounded
from deep_em_bench.core.schema import Strict, converted
from deep_em_bench.metrics import info
from deep_em_bench.results.record import DatasetUsed, Record

__all__ = [
    "Band",
    "Bands",
    "Row",
    "Values",
    "bands_of",
    "outside",
    "read",
    "text",
    "title",
    "values_of",
    "widened",
]

METRICS = ("error_rate", "nmi")
LEAST_TOLERANCE = 0.05
MADS = 3
MOST_BYTES = 2**20


@dataclass(frozen=True, kw_only=True, order=True)
class Row:
    """One row of a suite's table on one data set."""

    dataset: str
    n_clusters: int
    label: str

    def __str__(self) -> str:
        return f"{self.dataset} · K={self.n_clusters} · {self.label}"


class Band(Strict, frozen=True, kw_only=True):
    """Both ends are inside."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"the band goes from {self.low} to {self.high}; expected low <= high")


class _FileRow(Strict, frozen=True, kw_only=True):
    dataset: str
    n_clusters: int
    label: str
    bands: Mapping[str, Band]


class _File(Strict, frozen=True, kw_only=True):
    rows: tuple[_FileRow, ...]


Values = Mapping[Row, Mapping[str, list[float]]]
"""By row and "<split>/<metric>": the value at each seed."""

Bands = Mapping[Row, Mapping[str, Band]]


def title(spec: DatasetSpec) -> str:
    """A data set as a suite asks for it: ``digits(subset=600)``."""
    return DatasetUsed(name=spec.name, words=spec.words).title


def values_of(ended: Iterable[tuple[Cell, Record]]) -> Values:
    """The gate's metrics of cells that are ``ok``."""
    values: dict[Row, dict[str, list[float]]] = {}
    for cell, record in ended:
        row = Row(dataset=title(cell.dataset), n_clusters=record.n_clusters, label=record.label)
        seeds = values.setdefault(row, {})
        for split, scores in (("train", record.metrics.train), ("test", record.metrics.test)):
            for name in METRICS:
                value = scores.get(name)
                if value is not None:
                    seeds.setdefault(f"{split}/{name}", []).append(value)
    return values


def bands_of(values: Values) -> Bands:
    """The median over the seeds plus and minus ``max(0.05, 3 * MAD)``, within the metric's range.

    MAD is the median absolute deviation of the seeds from their median. One seed with harder data
    widens neither: its data are harder on every machine.
    """
    return {
        row: {name: _band(name, seeds) for name, seeds in metrics.items()}
        for row, metrics in values.items()
    }


def widened(bands: Bands, values: Values) -> Bands:
    """``bands``, extended by the band of ``values`` where a median is outside.

    For another processor, whose rounding a small budget amplifies: the result holds on both.
    """
    result = {row: dict(metrics) for row, metrics in bands.items()}
    for row, metrics in bands_of(values).items():
        known = result.setdefault(row, {})
        for name, new in metrics.items():
            old = known.get(name, new)
            if not old.low <= statistics.median(values[row][name]) <= old.high:
                new = Band(low=min(old.low, new.low), high=max(old.high, new.high))
                known[name] = new
            known.setdefault(name, new)
    return result


def outside(values: Values, bands: Bands) -> list[str]:
    """A sentence for each median outside its band, and for each extra or missing one."""
    sentences = []
    for row in sorted({*values, *bands}):
        measured, allowed = values.get(row, {}), bands.get(row, {})
        for name in sorted({*measured, *allowed}):
            if name not in measured:
                sentences.append(f"{row}: {name} is in the baseline and was not measured")
            elif name not in allowed:
                sentences.append(f"{row}: {name} was measured and is not in the baseline")
            else:
                median, band = statistics.median(measured[name]), allowed[name]
                if not band.low <= median <= band.high:
                    sentences.append(
                        f"{row}: {name} has median {median:.4f}; "
                        f"expected {band.low:.4f} to {band.high:.4f}"
                    )
    return sentences


def read(path: Path) -> Bands:
    """The bands in a file that :func:`text` wrote. Raises :class:`ConfigError`."""
    try:
        raw = tomllib.loads(read_bounded(path, MOST_BYTES).decode())
        rows = converted(_File, raw).rows
    except FileNotFoundError as error:
        raise ConfigError(f"no baseline at {path}; write one with --update-baseline") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"baseline {path} cannot be used ({error}); write it again with --update-baseline"
        ) from error
    return {
        Row(dataset=row.dataset, n_clusters=row.n_clusters, label=row.label): row.bands
        for row in rows
    }


def text(bands: Bands, heading: str) -> str:
    """The TOML of the bands, rows sorted, under a comment."""
    parts = [f"# {line}" for line in heading.splitlines()]
    for row in sorted(bands):
        parts += ["", "[[rows]]", f"dataset = {_quoted(row.dataset)}"]
        parts += [f"n_clusters = {row.n_clusters}", f"label = {_quoted(row.label)}"]
        for name, band in sorted(bands[row].items()):
            ends = f"{{ low = {band.low:.4f}, high = {band.high:.4f} }}"
            parts.append(f"bands.{_quoted(name)} = {ends}")
    return "\n".join(parts) + "\n"


def _band(name: str, seeds: list[float]) -> Band:
    median = statistics.median(seeds)
    spread = statistics.median(abs(value - median) for value in seeds)
    reach = max(LEAST_TOLERANCE, MADS * spread)
    low, high = info(name.partition("/")[2]).bounds
    return Band(
        low=max(median - reach, -math.inf if low is None else low),
        high=min(median + reach, math.inf if high is None else high),
    )


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a TOML basic string, for printable text
