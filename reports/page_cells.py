"""Every cell of a suite as compact JSON, from which the page's script makes a table.

What many cells share (settings, data, machine, error) is written once and referred to by place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.summary import Block, direction
from deep_em_bench.reports.text import ARROWS, SPLIT_NAMES, number, of_samples
from deep_em_bench.results import Failure, Record, Timing

__all__ = ["Places", "cell_data", "row_places", "titled", "traceback_of"]

TIMING = Timing.__struct_fields__

TRACEBACK = 4000
"""Characters from which a traceback is cut in its middle."""

TRACEBACKS = 4_000_000
"""Characters that all different tracebacks have together."""

Places = Mapping[tuple[str, str], int]
"""By the title of a block and the label of a row."""

SIGNIFICANT = 7
"""Digits of a number."""


def cell_data(blocks: Sequence[Block], shown: Sequence[str]) -> dict[str, Any]:
    """The cells of all blocks in the order of the tables, with what they refer to.

    ``shown`` are the metrics with a column; the others stand in a cell's details.
    """
    shared = _Shared()
    scored = [
        (split, metric)
        for split in SPLIT_NAMES
        for metric in sorted({name for block in blocks for name in block.metrics(split)})
    ]
    splits = {split for split, metric in scored if metric in shown}
    states: dict[str, int] = {}
    rows, cells = [], []
    for i, block in enumerate(blocks):
        for row in block.rows:
            method = row.records[0].method
            settings = {"name": method.name, "preset": method.preset, "params": method.params}
            for record in row.records:
                state = states.setdefault(record.status, len(states))
                cells.append(_cell(record, len(rows), state, scored, shared))
            rows.append({"label": row.label, "block": i, "method": settings})
    return {
        "suite": blocks[0].suite if blocks else "",
        "blocks": [titled(block) for block in blocks],
        "rows": rows,
        "status": list(states),
        "timing": TIMING,
        "metrics": [
            {
                "split": SPLIT_NAMES[split],
                "name": metric,
                "head": f"{HEADINGS.get(metric, metric)} {ARROWS[direction(metric)]}".strip(),
                "sub": SPLIT_NAMES[split] if len(splits) > 1 else "",
                "digits": None if of_samples(metric) else _decimals(metric),
            }
            for split, metric in scored
        ],
        "columns": [
            scored.index((split, metric))
            for split in SPLIT_NAMES
            for metric in shown
            if (split, metric) in scored
        ],
        "shared": shared.values,
        "cells": cells,
    }


def row_places(blocks: Sequence[Block]) -> Places:
    """Of every row its place among the rows of :func:`cell_data`."""
    labels = [(titled(block), row.label) for block in blocks for row in block.rows]
    return {label: place for place, label in enumerate(labels)}


def titled(block: Block) -> str:
    """What tells a block from the others of its suite."""
    return f"{block.dataset}, K = {block.n_clusters}, {block.profile}"


def traceback_of(error: Failure) -> str:
    """The traceback, a long one without its middle."""
    text = error.traceback.strip()
    if len(text) <= TRACEBACK:
        return text
    half = TRACEBACK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


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
        held = {"type": error.type, "message": error.message, "traceback": traceback_of(error)}
        if repr(held) not in self._places:
            self._tracebacks += len(held["traceback"])
        if self._tracebacks > TRACEBACKS:
            held["traceback"] = "The traceback stands in the cell's own file, as many others do."
        return self.place(held)


def _cell(
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
        [_rounded(getattr(record.metrics, split).get(metric)) for split, metric in scored],
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


def _scored_with(record: Record) -> dict[str, Any]:
    """What stands behind the scores of samples; empty where there are none."""
    nets = {str(net.get("name", i)): dict(net) for i, net in enumerate(record.extractors)}
    real = {"real images": record.metrics.real} if record.metrics.real else {}
    return {**record.generation, **nets, **real}


def _decimals(metric: str) -> int:
    return len(number(0.0, metric).partition(".")[2])


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{SIGNIFICANT}g}")
