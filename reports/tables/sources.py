"""Where the numbers come from: what was run at a glance; settings, data, machines and columns."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deep_em_bench.reports.data.blocks import Block, device_of
from deep_em_bench.reports.data.conflicts import digests
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.titles import (
    data_title,
    metric_info,
    named_seeds,
    preset_facts,
)
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import (
    Cell,
    Column,
    Format,
    Group,
    Line,
    Table,
    metric_column,
    text_column,
)
from deep_em_bench.reports.tables.published import comparable
from deep_em_bench.results import Record

__all__ = ["days", "sources", "status"]

MANY = 200
"""Lines of one table."""

DIGESTS = 3
"""Files of one data set that are listed."""

BUDGETS = ("max_iter", "epochs", "steps", "finetune_steps")
"""Parameters that say how long a method is trained."""

COUNT = Format(kind="count")


def status(data: Gathered) -> dict[str, str]:
    """What was run, and whether it may be compared with published numbers."""
    records = data.records
    ended = Counter(record.status for record in records)
    counts = [f"{n:,} {status}" for status, n in sorted(ended.items(), key=_ok_first)]
    seeds = sorted({len(block.seeds) for block in data.blocks})
    n = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    presets = sorted({f"{r.method.name}[{r.method.preset}]" for r in records})
    facts = {
        "Comparable with published numbers": comparable(data),
        "Profile": _some(sorted({record.profile for record in records})),
        "Runs": ", ".join(counts),
        "n": f"{n} a row, {named_seeds(record.seed for record in records)}",
        "Data": _some([data_title(block.data) for block in data.blocks]),
        "Presets": _some(presets, 6),
        "Budgets": _budgets(records),
        "Devices": _some(sorted({device_of(record) for record in records})),
        "Run": days(records),
    }
    if mixed := caption.mixed(data.blocks):
        facts["MIXED"] = " ".join(mixed)
    if data.outdated:
        facts["Left out"] = (
            f"no longer in the suite: {_some(data.outdated, 6)}; ask for them by --methods"
        )
    return facts


def sources(data: Gathered) -> Iterator[Table]:
    """Five tables: settings, presets, data, code and machines, columns."""
    yield _settings(data.blocks)
    yield _presets(data.records)
    yield _data(data.blocks)
    yield _machines(data.records)
    yield _columns(data.metrics)


def days(records: Sequence[Record]) -> str:
    """The first and the last day on which a cell ended."""
    found = sorted({record.provenance.utc[:10] for record in records} - {""})
    return " to ".join(dict.fromkeys([*found[:1], *found[-1:]])) or "at an unknown time"


def _settings(blocks: Sequence[Block]) -> Table:
    codes: dict[tuple[str, ...], set[str]] = {}
    for block in blocks:
        for row in block.rows:
            used = row.records[0].method
            settings = ", ".join(f"{k}={_value(v)}" for k, v in sorted(used.params.items()))
            place = (row.title, row.label, used.preset, settings)
            codes.setdefault(place, set()).update(r.provenance.code for r in row.records)
    lines = [(*place, ", ".join(sorted(found))) for place, found in codes.items()]
    heads = ("Method", "Label", "Preset", "Settings", "Code")
    return _listed("Methods and settings", heads, lines)


def _presets(records: Sequence[Record]) -> Table:
    """Where each preset is from, and in what it departs from that."""
    lines = []
    for method, name in sorted({(r.method.name, r.method.preset) for r in records}):
        facts = preset_facts(method, name)
        departs = tuple(map(str, facts.get("deviations") or ()))
        source = str(facts.get("source") or "not known here")
        lines.append((method, name, source, Cell(items=departs)))
    heads = ("Method", "Preset", "Source", "Departs from it in")
    return _listed("Presets", heads, lines, "As the present code has them.")


def _data(blocks: Sequence[Block]) -> Table:
    lines = []
    for block in blocks:
        data = block.data
        drawn = len(set(map(digests, block.records)))
        files = [f"{name} {digest[:12]}" for name, digest in sorted(data.sha256.items())]
        more = [f"{len(files) - DIGESTS} more"] if len(files) > DIGESTS else []
        lines.append(
            (
                block.title,
                data.n,
                data.n_test,
                " × ".join(map(str, data.shape or ())),
                data.n_classes,
                data.where,
                data.licence,
                f"{drawn} draws, by seed" if drawn > 1 else ", ".join(files[:DIGESTS] + more),
            )
        )
    heads = ("Data", "Training", "Held out", "Shape", "Classes", "From", "Licence", "Files")
    return _listed("Data", heads, lines, numeric=("Training", "Held out", "Classes"))


def _machines(records: Sequence[Record]) -> Table:
    counted = Counter(map(_machine, records))
    lines = [(*place, n) for place, n in counted.most_common()]
    heads = ("Commit", "Software", "Machine", "Device", "Threads", "Metrics", "Runs")
    return _listed("Code and machines", heads, lines, numeric=("Runs",))


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
        f"{used.threads or 'unknown'}{crowd}",
        made.metrics_version,
    )


def _columns(metrics: Sequence[str]) -> Table:
    lines = []
    for name in metrics:
        info = metric_info(name)
        better = "" if info.direction == "none" else f"{info.direction} is better"
        lines.append((metric_column(name).title, name, better, _range(*info.bounds), info.source))
    return _listed("Columns", ("Column", "Metric", "Direction", "Range", "Definition"), lines)


def _listed(
    title: str,
    heads: Sequence[str],
    lines: Sequence[Sequence[Any]],
    said: str = "",
    numeric: Sequence[str] = (),
) -> Table:
    more = len(lines) - MANY
    return Table(
        name=title.lower(),
        title=title,
        columns=tuple(
            Column(name=head.lower(), title=head, format=COUNT)
            if head in numeric
            else text_column(head.lower(), head)
            for head in heads
        ),
        groups=(
            Group(
                lines=tuple(
                    Line(
                        cells=tuple(
                            c if isinstance(c, Cell) else Cell(value=c or None) for c in line
                        )
                    )
                    for line in lines[:MANY]
                )
            ),
        ),
        caption=(said,) * bool(said),
        notes=(("", f"{more:,} more lines are told by the runs."),) * (more > 0),
    )


def _budgets(records: Sequence[Record]) -> str:
    """The range of each parameter that says how long methods are trained."""
    found: dict[str, set[int]] = {}
    for record in records:
        for name in BUDGETS:
            if isinstance(value := record.method.params.get(name), int):
                found.setdefault(name, set()).add(value)
    told = [
        f"{name} {min(values):,}" + (f" to {max(values):,}" if len(values) > 1 else "")
        for name, values in found.items()
    ]
    return ", ".join(told) or "none to set"


def _some(names: Sequence[str], most: int = 3) -> str:
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def _ok_first(item: tuple[str, int]) -> tuple[bool, str]:
    return item[0] != "ok", item[0]


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return "any" if low is high else f"from {low:g}" if high is None else f"up to {high:g}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, Mapping | list | tuple) else str(value)
