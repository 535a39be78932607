"""Bands that scores must stay in: made from a run, kept in TOML, compared with another run."""

from __future__ import annotations

import json
import math
import statistics
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.core import ConfigError
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


@dataclass(frozen=True, kw_only=True, order=True)
class Row:
    """One row of a suite's table on one data set."""

    dataset: str
    n_clusters: int
    label: str

    def __str__(self) -> str:
        return f"{self.dataset} · K={self.n_clusters} · {self.label}"


@dataclass(frozen=True, kw_only=True)
class Band:
    """Both ends are inside."""

    low: float
    high: float


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
        held = values.setdefault(row, {})
        for split, scores in (("train", record.metrics.train), ("test", record.metrics.test)):
            for name in METRICS:
                value = scores.get(name)
                if value is not None:
                    held.setdefault(f"{split}/{name}", []).append(value)
    return values


def bands_of(values: Values) -> Bands:
    """Around each median over the seeds: plus and minus ``max(0.05, 3 * MAD)``.

    MAD is the median absolute deviation of the seeds from their median. Like the median it does
    not mind one seed whose data are harder than the others': they are so on every machine, which
    is no reason for a wider band. A band is cut to what the metric can be.
    """
    return {
        row: {name: _band(name, seeds) for name, seeds in held.items()}
        for row, held in values.items()
    }


def widened(bands: Bands, values: Values) -> Bands:
    """``bands``, of which those that a median falls out of reach over the band of ``values`` too.

    For another processor, whose rounding a small budget carries far: a baseline that was widened
    there holds on both.
    """
    made = {row: dict(held) for row, held in bands.items()}
    for row, held in bands_of(values).items():
        known = made.setdefault(row, {})
        for name, new in held.items():
            old = known.get(name, new)
            if not old.low <= statistics.median(values[row][name]) <= old.high:
                new = Band(low=min(old.low, new.low), high=max(old.high, new.high))
                known[name] = new
            known.setdefault(name, new)
    return made


def outside(values: Values, bands: Bands) -> list[str]:
    """A sentence for each median outside its band, and for each one too many or missing."""
    said = []
    for row in sorted({*values, *bands}):
        held, allowed = values.get(row, {}), bands.get(row, {})
        for name in sorted({*held, *allowed}):
            if name not in held:
                said.append(f"{row}: {name} is in the baseline and was not measured")
            elif name not in allowed:
                said.append(f"{row}: {name} was measured and is not in the baseline")
            else:
                median, band = statistics.median(held[name]), allowed[name]
                if not band.low <= median <= band.high:
                    said.append(
                        f"{row}: {name} has median {median:.4f}; "
                        f"expected {band.low:.4f} to {band.high:.4f}"
                    )
    return said


def read(path: Path) -> Bands:
    """The bands in a file that :func:`text` wrote. Raises :class:`ConfigError`."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            Row(dataset=item["dataset"], n_clusters=item["n_clusters"], label=item["label"]): {
                name: _checked(band) for name, band in item["bands"].items()
            }
            for item in raw["rows"]
        }
    except FileNotFoundError as error:
        raise ConfigError(f"no baseline at {path}; write one with --update-baseline") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"baseline {path} cannot be used ({type(error).__name__}: {error}); "
            f"write it again with --update-baseline"
        ) from error


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


def _checked(band: Mapping[str, Any]) -> Band:
    low, high = float(band["low"]), float(band["high"])
    if not low <= high:
        raise ValueError(f"band from {low} to {high}")
    return Band(low=low, high=high)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a TOML basic string, for printable text
