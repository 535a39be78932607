"""Every run of a suite as compact JSON, from which the page's script makes a table.

What many runs share (settings, data, machine, error) is written once and referred to by place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from deep_em_bench.reports.data import statistics
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.titles import SPLITS
from deep_em_bench.reports.data.tracebacks import traceback_of
from deep_em_bench.reports.tables.model import metric_column
from deep_em_bench.results import Failure, Record, Timing

__all__ = ["run_data"]

TIMING = Timing.__struct_fields__

TRACEBACKS = 4_000_000
"""Characters that all tracebacks have together."""

SIGNIFICANT = 7
"""Digits of a number."""


def run_data(data: Gathered) -> dict[str, Any]:
    """The runs of all blocks in the order of the tables, with what they refer to."""
    shared = _Shared()
    scored = [
        (split, metric)
        for split in SPLITS
        for metric in sorted({name for block in data.blocks for name in block.metrics[split]})
    ]
    splits = {split for split, metric in scored if metric in data.metrics}
    states: dict[str, int] = {}
    rows, runs = [], []
    for i, block in enumerate(data.blocks):
        for row in block.rows:
            used = row.records[0].method
            settings = {"name": used.name, "preset": used.preset, "params": used.params}
            for record in row.records:
                state = states.setdefault(record.status, len(states))
                runs.append(_run(record, len(rows), state, scored, shared))
            rows.append({"label": row.title, "id": row.label, "block": i, "method": settings})
    most = max((len(block.seeds) for block in data.blocks), default=0)
    return {
        "suite": data.suite,
        "blocks": [block.title for block in data.blocks],
        "rows": rows,
        "status": list(states),
        "timing": TIMING,
        "metrics": [_metric(split, metric, len(splits) > 1) for split, metric in scored],
        "columns": [
            scored.index((split, metric))
            for split in SPLITS
            for metric in data.metrics
            if (split, metric) in scored
        ],
        "tails": [statistics.tail(n) if n > 1 else None for n in range(most + 1)],
        "shared": shared.values,
        "cells": runs,
    }


class _Shared:
    """Values by place, each once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}
        self._tracebacks = 0

    def place(self, value: Mapping[str, Any]) -> int:
        key = repr(value)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]

    def error(self, error: Failure) -> int:
        failure = {"type": error.type, "message": error.message, "traceback": traceback_of(error)}
        if repr(failure) not in self._places:
            self._tracebacks += len(failure["traceback"])
        if self._tracebacks > TRACEBACKS:
            failure["traceback"] = "The traceback stands in the run's own file, as many others do."
        return self.place(failure)


def _run(
    record: Record, row: int, state: int, scored: Sequence[tuple[str, str]], shared: _Shared
) -> list[Any]:
    """In the order in which the script takes it apart."""
    resources, provenance = structs.asdict(record.resources), structs.asdict(record.provenance)
    provenance["code"] = record.provenance.code
    memory = [resources.pop("peak_rss_mb"), resources.pop("peak_gpu_mb")]
    utc = provenance.pop("utc")
    data = structs.asdict(record.dataset) | {
        "n_clusters": record.n_clusters,
        "profile": record.profile,
    }
    return [
        row,
        record.seed,
        state,
        record.key,
        record.method.n_parameters,
        [_rounded(_score(record, split, metric)) for split, metric in scored],
        [_rounded(getattr(record.timing, name)) for name in TIMING],
        [_rounded(value) for value in memory],
        shared.place(resources),
        shared.place(data),
        shared.place(provenance),
        utc,
        [[name.replace(record.key, "*"), digest] for name, digest in record.artifacts.items()],
        None if record.error is None else shared.error(record.error),
        shared.place(_scored_with(record)),
    ]


def _score(record: Record, split: str, metric: str) -> float | None:
    scores = getattr(record.metrics, split)
    if metric == "accuracy" and metric not in scores:
        error = scores.get("error_rate")
        return None if error is None else 1 - error
    return scores.get(metric)


def _metric(split: str, metric: str, several: bool) -> dict[str, Any]:
    column = metric_column(metric)
    return {
        "split": SPLITS[split],
        "name": metric,
        "head": column.head,
        "sub": SPLITS[split] if several else "",
        "digits": {"share": 3, "decimal": 1}.get(column.format.kind),
    }


def _scored_with(record: Record) -> dict[str, Any]:
    """What stands behind the scores of samples; empty where there are none."""
    nets = {str(net.get("name", i)): dict(net) for i, net in enumerate(record.extractors)}
    real = {"real images": record.metrics.real} if record.metrics.real else {}
    return {**record.generation, **nets, **real}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{SIGNIFICANT}g}")
