"""A record's cell run again from the record alone, and compared with it.

The same code, machine, versions and one thread on a CPU give metrics that are equal to the bit.
Each difference in these is printed, and each metric that differs.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import structs

from deep_em_bench.benchmarks.engine.job import Setting
from deep_em_bench.benchmarks.engine.progress import work
from deep_em_bench.benchmarks.options import setting_from
from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.benchmarks.suite import generation_of
from deep_em_bench.core import DataError
from deep_em_bench.core.errors import one_line, printable
from deep_em_bench.core.files import read_bounded
from deep_em_bench.results.record import Record
from deep_em_bench.results.store import MOST_TEXT, Store

__all__ = ["cell_of", "differences", "replay"]

NOT_FINITE = {"inf", "-inf", "nan"}
"""How a record writes the settings that JSON has no numbers for."""

ADVICE = "give the .json of a record"

PROVENANCE = (
    *("package", "method_version", "plugins", "metrics_version"),
    *("python", "os", "cpu", "gpu"),
)
RESOURCES = ("device", "precision", "compile", "threads")

Row = tuple[str, Any, Any]
"""What is compared: its name, the recorded and the replayed value."""


def replay(chosen: argparse.Namespace) -> int:
    """Run the record's cell, print its metrics beside the recorded ones; 0 where all are equal.

    Raises :class:`DataError` for a file that holds no record.
    """
    recorded = _read(chosen.replay)
    cell = cell_of(recorded)
    with tempfile.TemporaryDirectory(prefix="deep-em-bench-") as folder:
        work([cell], _setting(recorded, setting_from(chosen, recorded.suite, Path(folder))))
        replayed = Store(folder).read(cell.key)
    for name, before, now in differences(recorded, replayed):
        print(one_line(f"not the same: {name} was {before}, is {now}"), file=sys.stderr)
    rows = list(_compared(recorded, replayed))
    width = max(len(name) for name, *_ in rows)
    for name, before, now in rows:
        verdict = "equal" if before == now else "DIFFERS"
        print(printable(f"{name:{width}}  {before!s:22}  {now!s:22}  {verdict}"))
    return int(any(before != now for _, before, now in rows))


def cell_of(record: Record) -> Cell:
    """The cell that a record is of, with every word and parameter written out.

    Raises :class:`ConfigError` where the method has changed so that it takes them no more, or
    for samples that are scored as no suite asks for.
    """
    from deep_em_bench import methods
    from deep_em_bench.benchmarks.parameters import RESERVED, resolve
    from deep_em_bench.methods.parameters import earlier_values

    method, sampled = record.method, record.generation
    earlier = earlier_values(methods.registry.get(method.name).value)
    named = {name: value for name, value in earlier.items() if name not in RESERVED}
    named |= _revived(method.params)
    preset, params = resolve(method.name, method.preset, named)
    return Cell(
        dataset=DatasetSpec(name=record.dataset.name, words=_revived(record.dataset.words)),
        n_clusters=record.n_clusters,
        method=method.name,
        preset=preset,
        label=record.label,
        params=params,
        seed=record.seed,
        profile=record.profile,
        generation=generation_of(sampled, "key `generation`") if sampled else None,
    )


def differences(recorded: Record, replayed: Record) -> Iterator[Row]:
    """Possible reasons for different metrics: code, machine, versions, threads, data."""
    was, now = recorded.provenance, replayed.provenance
    yield from _differing(PROVENANCE, *map(structs.asdict, (was, now)))
    yield from _differing(sorted({*was.versions, *now.versions}), was.versions, now.versions)
    yield from _differing(
        RESOURCES, structs.asdict(recorded.resources), structs.asdict(replayed.resources)
    )
    data = structs.asdict(recorded.dataset), structs.asdict(replayed.dataset)
    yield from _differing(["data_digest", "sha256", "n"], *data)
    before, after = (sorted(record.artifacts.values()) for record in (recorded, replayed))
    if before and after and before != after:
        yield "sha256 of the predictions", before[0][:12], after[0][:12]


def _differing(names: Any, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Row]:
    for name in names:
        if was.get(name) not in (None, now.get(name)):  # None: nobody wrote it down
            yield name, was.get(name), now.get(name)


def _compared(recorded: Record, replayed: Record) -> Iterator[Row]:
    yield "status", _ending(recorded), _ending(replayed)
    for split in ("train", "test", "generation", "real"):
        was, now = getattr(recorded.metrics, split), getattr(replayed.metrics, split)
        for metric in sorted({*was, *now}):
            yield f"{split}/{metric}", was.get(metric, "-"), now.get(metric, "-")


def _ending(record: Record) -> str:
    return f"{record.status} ({record.error.type})" if record.error else record.status


def _read(path: Path) -> Record:
    try:
        text = read_bounded(path, MOST_TEXT)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {ADVICE}") from error
    return Record.from_json(text, where=str(path), history=False, advice=ADVICE)


def _setting(recorded: Record, asked: Setting) -> Setting:
    """As the record says, but for what the command says otherwise."""
    used = recorded.resources
    changes: dict[str, Any] = {
        "device": used.device if asked.device == "auto" else asked.device,
        "precision": asked.precision or used.precision,
        "compile": asked.compile or bool(used.compile),
        "threads": asked.threads or used.threads,
    }
    return dataclasses.replace(asked, **changes, jobs=1)


def _revived(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they were before they became JSON: tuples, and numbers that are not finite."""
    return {name: _alive(value) for name, value in settings.items()}


def _alive(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_alive, value))
    return float(value) if isinstance(value, str) and value in NOT_FINITE else value
