"""Where the numbers of the page come from: settings, data, code and machines, metrics."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deep_em_bench import metrics
from deep_em_bench.core import ConfigError
from deep_em_bench.reports.conflicts import digests
from deep_em_bench.reports.page_cells import titled
from deep_em_bench.reports.page_tables import metric_column
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import ABSENT
from deep_em_bench.reports.web import Cell, Column, Group, Part, Table, number_cell, text_cell
from deep_em_bench.results import Record

if TYPE_CHECKING:
    from deep_em_bench.methods import Preset

__all__ = ["sources"]

MANY = 200
"""Lines of one table; the rest stands in the table of cells."""

DIGESTS = 3
"""Files of one data set that are listed."""


def sources(blocks: Sequence[Block], shown: Sequence[str]) -> Iterator[Part]:
    """Four parts: methods with their settings, data, code and machines, columns."""
    records = [record for block in blocks for record in block.records]
    yield Part(title="Methods and settings", tables=(_settings(blocks), _presets(records)))
    yield Part(title="Data", tables=(_data(blocks),))
    yield Part(title="Code and machines", tables=(_machines(records),))
    if known := [name for name in shown if _info(name)]:
        yield Part(title="Columns", tables=(_columns(known),))


def _settings(blocks: Sequence[Block]) -> Table:
    codes: dict[tuple[str, str, str, str], set[str]] = {}
    for block in blocks:
        for row in block.rows:
            method = row.records[0].method
            settings = ", ".join(f"{k}={_value(v)}" for k, v in sorted(method.params.items()))
            place = (row.label, method.name, method.preset, settings)
            codes.setdefault(place, set()).update(r.provenance.code for r in row.records)
    lines = [
        (*map(text_cell, place), text_cell(", ".join(sorted(found))))
        for place, found in codes.items()
    ]
    names = ("Row", "Method", "Preset", "Settings", "Code")
    return _listed("Methods and settings", names, lines)


def _presets(records: Sequence[Record]) -> Table:
    """Where each preset is from, and in what it departs from that."""
    lines = []
    for method, name in sorted({(r.method.name, r.method.preset) for r in records}):
        preset = _preset(method, name)
        lines.append(
            (
                text_cell(method),
                text_cell(name),
                text_cell(preset.source if preset else "", tag="" if preset else "not known here"),
                Cell(
                    text="" if preset and preset.deviations else ABSENT,
                    items=preset.deviations if preset else (),
                ),
            )
        )
    told = _listed("Presets", ("Method", "Preset", "Source", "Departs from it in"), lines)
    return replace(told, sentences=("Sources and deviations are as the present code has them.",))


def _preset(method: str, name: str) -> Preset | None:
    """None for a method or a preset that is registered no more."""
    from deep_em_bench import methods  # and with it torch, which is slow to import

    try:
        return methods.registry.get(method).attributes["presets"].get(name)
    except ConfigError:
        return None


def _data(blocks: Sequence[Block]) -> Table:
    lines = []
    for block in blocks:
        data = block.records[0].dataset
        drawn = set(map(digests, block.records))
        files = [f"{name} {digest[:12]}" for name, digest in sorted(data.sha256.items())]
        more = [f"{len(files) - DIGESTS} more"] if len(files) > DIGESTS else []
        by_seed = f"{len(drawn)} draws, by seed" if len(drawn) > 1 else ""
        lines.append(
            (
                text_cell(titled(block)),
                _count(data.n),
                _count(data.n_test),
                text_cell(" × ".join(map(str, data.shape or ()))),
                _count(data.n_classes),
                text_cell(data.where or ""),
                text_cell(data.licence or ""),
                text_cell(by_seed or ", ".join(files[:DIGESTS] + more)),
            )
        )
    names = ("Data", "Training", "Held out", "Shape", "Classes", "From", "Licence")
    names += ("Files, sha256",)
    return _listed("Data", names, lines, numeric=("Training", "Held out", "Classes"))


def _machines(records: Sequence[Record]) -> Table:
    counted = Counter(map(_machine, records))
    lines = [
        (*map(text_cell, place), number_cell(n, f"{n:,}")) for place, n in counted.most_common()
    ]
    names = ("Commit", "Software", "Machine", "Device", "Threads", "Metrics", "Cells")
    return _listed("Code and machines", names, lines, numeric=("Cells",))


def _machine(record: Record) -> tuple[str, ...]:
    made, used = record.provenance, record.resources
    commit = (made.git_sha or "")[:10] + (" dirty" if made.dirty else "")
    versions = [f"{name} {version}" for name, version in sorted(made.versions.items())]
    python = f"Python {made.python}" if made.python else ""
    crowd = f", {used.jobs} cells at a time" if used.jobs > 1 else ""
    return (
        commit.strip(),
        ", ".join(filter(None, [python, *versions])),
        ", ".join(filter(None, [made.cpu, made.gpu, made.os])),
        used.device,
        f"{used.threads or ABSENT}{crowd}",
        made.metrics_version,
    )


def _columns(shown: Sequence[str]) -> Table:
    lines = []
    for name in shown:
        metric = _info(name)
        assert metric is not None, "only called for metrics that are registered"
        better = "" if metric.direction == "none" else f"{metric.direction} is better"
        place = (metric_column(name).name, name, better, _range(*metric.bounds), metric.source)
        lines.append(tuple(map(text_cell, place)))
    return _listed("Columns", ("Column", "Metric", "Direction", "Range", "Definition"), lines)


def _listed(
    title: str,
    names: Sequence[str],
    lines: Sequence[tuple[Cell, ...]],
    numeric: Sequence[str] = (),
) -> Table:
    more = len(lines) - MANY
    return Table(
        title=title,
        columns=tuple(Column(name=name, numeric=name in numeric) for name in names),
        groups=(Group(lines=tuple(lines[:MANY])),),
        notes=(f"{more:,} more lines are told by the cells.",) * (more > 0),
    )


def _info(name: str) -> metrics.Metric | None:
    try:
        return metrics.info(name)
    except ConfigError:
        return None


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return "any" if low is high else f"from {low:g}" if high is None else f"up to {high:g}"


def _count(n: int | None) -> Cell:
    return number_cell(n, f"{n:,}" if n is not None else "")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value)
    return str(value)
