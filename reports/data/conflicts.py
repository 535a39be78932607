"""What records should not stand in one table together: versions of code, of metrics, of data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from deep_em_bench.reports.data.titles import named_seeds
from deep_em_bench.results import Record

__all__ = ["Conflict", "agree", "conflicts_of", "digests"]

COUNTS = ("n_real", "n_fake", "n_floor", "n_curve")
"""Of images, in an extractor's entry: FID and inception score move with them."""

RERUN = "run these cells again with --force"

K = TypeVar("K", str, int)


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """One thing that is mixed."""

    what: str
    """A sentence without its full stop."""
    remedy: str


def conflicts_of(records: Sequence[Record]) -> Iterator[Conflict]:
    """What should not be compared: versions of code under one label, of metrics, of the data."""
    for label, held in sorted(_grouped(records, lambda record: record.label).items()):
        codes = [(record.provenance.code, record) for record in held]
        yield from _versions(f"{label} mixes code versions", codes, RERUN)
    scored = [(r.provenance.metrics_version, r) for r in records if r.status == "ok"]
    rescore = f"score all again with python -m benchmarks.rescore --suite {records[0].suite}"
    yield from _versions("the table mixes metrics versions", scored, rescore)
    for seed, held in sorted(_grouped(records, lambda record: record.seed).items()):
        # Generated data differ between seeds by design, and between methods never.
        known = all(r.dataset.data_digest for r in held)
        drawn = {
            (r.dataset.n, r.dataset.n_test, r.dataset.data_digest if known else digests(r))
            for r in held
        }
        if len(drawn) > 1:
            what = f"seed {seed} was run on {len(drawn)} versions of the data"
            yield Conflict(what=what, remedy=RERUN)
            break
    yield from _of_real_images(records)


def digests(record: Record) -> tuple[str, ...]:
    """Of the files of its data: the same bytes are the same data, whatever the files are called.

    The file of learnt features is named after the code that made it, which may change and give
    the same features.
    """
    return tuple(sorted(record.dataset.sha256.values()))


def agree(values: Sequence[float]) -> bool:
    """Whether they differ by no more than the arithmetic of two machines."""
    return all(math.isclose(v, values[0], rel_tol=1e-3, abs_tol=1e-4) for v in values)


def _of_real_images(records: Sequence[Record]) -> Iterator[Conflict]:
    """Scores of samples stand beside each other only by the same nets and at the same counts."""
    nets = [
        (_described(net), str(net.get("name")), record)
        for record in records
        for net in record.extractors
    ]
    for name in sorted({name for _, name, _ in nets}):
        found = [(said, record) for said, other, record in nets if other == name]
        yield from _versions(f"the table mixes nets or counts behind {name}", found, RERUN)
    for seed, held in sorted(_grouped(records, lambda record: record.seed).items()):
        told = [record.metrics.real for record in held]
        names = sorted({name for real in told for name in real})
        values = {n: [v for real in told if (v := real.get(n)) is not None] for n in names}
        if differing := [name for name in names if not agree(values[name])]:
            what = f"seed {seed} has several scores of the real images: {', '.join(differing)}"
            yield Conflict(what=what, remedy=RERUN)
            return


def _grouped(records: Iterable[Record], key: Callable[[Record], K]) -> dict[K, list[Record]]:
    groups: dict[K, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


def _described(net: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{name} = {net.get(name)}" for name in COUNTS)
    return f"{str(net.get('sha256'))[:12]}, {counts}"


def _versions(what: str, found: list[tuple[str, Record]], remedy: str) -> Iterator[Conflict]:
    seeds: dict[str, set[int]] = {}
    for version, record in found:
        seeds.setdefault(version, set()).add(record.seed)
    if len(seeds) > 1:
        listed = "; ".join(f"{v} ({named_seeds(s)})" for v, s in sorted(seeds.items()))
        yield Conflict(what=f"{what}: {listed}", remedy=remedy)
