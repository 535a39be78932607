"""What the harness itself costs, measured: a cell's overhead, large suites, two workers.

``python -m benchmarks.speed harness``. The cells are K-means on small data, so that nearly all of
the time is the harness's; those of the two workers are made equal and long enough to share out.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from deep_em_bench import methods, metrics
from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.job import Setting
from deep_em_bench.benchmarks.plan import Cell, plan
from deep_em_bench.benchmarks.speed.timing import timed
from deep_em_bench.benchmarks.suite import Suite
from deep_em_bench.core.code import code_digest, source_of
from deep_em_bench.results import load
from deep_em_bench.results.record import MethodUsed, Provenance, Record, Scores, Timing
from deep_em_bench.results.store import Store

__all__ = ["Measured", "fill", "harness", "rendered"]

SUITE = """
title = "what the harness costs"
seeds = {seeds}
[[datasets]]
name = "{data}"
n_clusters = 10
[[methods]]
name = "kmeans"
params = {{ n_init = {n_init} }}
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Medians over the rounds; seconds but for what says otherwise."""

    overhead_ms: float
    """Of one cell after the first, in milliseconds: all but its fit, predictions and scores."""
    first_cell: float
    """From the start of a run to its first outcome."""
    n_planned: int
    plan: float
    """To make that many cells, keys included."""
    store: float
    """To write a record for each."""
    resume: float
    """The whole command on that finished suite."""
    load: float
    """``results.load`` of it."""
    listing: float
    """``python -m benchmarks.run --list``."""
    two_workers: float
    """How many times as fast as one they end a suite of equal cells, their start included."""
    equal_cell: float
    """What one of these cells takes."""


def harness(
    *,
    rounds: int = 3,
    n_cells: int = 40,
    n_planned: int = 10_000,
    n_equal: int = 30,
    n_init: int = 400,
) -> Measured:
    """Everything, each in fresh folders. ``n_init`` restarts of K-means make an equal cell.

    By default one worker takes about a minute for the equal cells, so that the two seconds in
    which workers start are to them what they are to a suite.
    """
    with tempfile.TemporaryDirectory(prefix="deep-em-bench-speed-") as name:
        folder = Path(name)
        small = _suite(folder / "small.toml", n_cells, "moons", 1)
        runs = [_run(plan(small), folder / f"small-{i}", 1) for i in range(rounds)]
        equal = _suite(folder / "equal.toml", n_equal, "digits", n_init)
        pairs = [
            [_run(plan(equal), folder / f"equal-{i}-{jobs}", jobs) for jobs in (1, 2)]
            for i in range(rounds)
        ]
        large = _suite(folder / "large.toml", n_planned, "moons", 1)
        cells, plan_s = timed(lambda: [cell for cell in plan(large) if cell.key])
        _, store_s = timed(lambda: fill(Store(folder / "runs" / "large"), cells))
        resume = [timed(lambda: _resume(large, folder / "runs"))[1] for _ in range(rounds)]
        loads = [timed(lambda: load("large", folder / "runs"))[1] for _ in range(rounds)]
        listings = [timed(lambda: _command("--list"))[1] for _ in range(rounds)]
    return Measured(
        overhead_ms=1e3 * median(run.overhead for run in runs),
        first_cell=median(run.first for run in runs),
        n_planned=n_planned,
        plan=plan_s,
        store=store_s,
        resume=median(resume),
        load=median(loads),
        listing=median(listings),
        two_workers=median(one.whole / two.whole for one, two in pairs),
        equal_cell=median(one.own for one, _ in pairs),
    )


def rendered(measured: Measured) -> str:
    """A line a figure, with its target where it has one."""
    n = f"{measured.n_planned:,}"
    rows = [
        ("overhead a cell", f"{measured.overhead_ms:.0f} ms", ""),
        ("first outcome after", f"{measured.first_cell:.1f} s", ""),
        (f"plan of {n} cells", f"{measured.plan:.2f} s", ""),
        (f"records of {n} cells written", f"{measured.store:.1f} s", ""),
        (f"finished suite of {n} cells resumed", f"{measured.resume:.2f} s", ""),
        (f"records of {n} cells loaded", f"{measured.load:.2f} s", "at most 3 s"),
        ("everything listed", f"{measured.listing:.2f} s", "under 1 s"),
        (
            f"two workers against one, cells of {measured.equal_cell:.2f} s",
            f"{measured.two_workers:.2f} times as fast",
            "",
        ),
    ]
    lines = [("", "measured", "target"), *rows]
    return "\n".join(f"{name:44} {value:18} {target}".rstrip() for name, value, target in lines)


def fill(store: Store, cells: Sequence[Cell]) -> None:
    """A record for each cell, as a run of K-means would leave it, with scores drawn by its key.

    Labels are stored with the records of the first seed, which are those that reports show.
    """
    used = engine.look_at(cells, Setting(suite=store.folder.name, folder=store.folder))
    code = code_digest(source_of(methods.registry.get("kmeans").value))
    history = tuple({"iteration": i, "inertia": 1 / (i + 1), "churn": 0.5**i} for i in range(30))
    for cell in cells:
        data, K, draw = used[cell.key], cell.n_clusters or 1, random.Random(cell.key)
        scores = {name: draw.random() for name in metrics.names("clustering")}
        record = Record(
            key=cell.key,
            suite=store.folder.name,
            profile=cell.profile,
            label=cell.label,
            dataset=data,
            n_clusters=K,
            method=MethodUsed(name=cell.method, preset=cell.preset, params=cell.params),
            seed=cell.seed,
            status="ok",
            metrics=Scores(train=scores, test=scores),
            timing=Timing(fit_s=1 + draw.random()),
            provenance=Provenance(code=code, metrics_version=metrics.VERSION),
            history=history,
        )
        rows = np.arange(data.n or 0)
        labels = {"y_train": rows % (data.n_classes or 1), "labels_train": rows % K}
        store.write(record, labels if cell.seed == cells[0].seed else None)


@dataclass(frozen=True, kw_only=True)
class _Run:
    whole: float
    first: float
    overhead: float
    """Of a cell after the first."""
    own: float
    """What a cell's method, predictions and scores took."""


def _run(cells: tuple[Cell, ...], folder: Path, jobs: int) -> _Run:
    setting = Setting(suite="speed", folder=folder, threads=1, jobs=jobs)
    started, ends = time.perf_counter(), []
    for outcome in engine.run(cells, setting):
        if outcome.status != "ok":
            raise RuntimeError(f"a cell of the measurement failed: {outcome.message}")
        ends.append(time.perf_counter())
    times = [record.timing for record in Store(folder)]
    own = [(t.fit_s or 0) + (t.predict_s or 0) + (t.evaluate_s or 0) for t in times]
    each = (ends[-1] - ends[0]) / (len(ends) - 1)
    return _Run(
        whole=ends[-1] - started,
        first=ends[0] - started,
        overhead=each - median(own) / jobs,
        own=median(own),
    )


def _suite(path: Path, seeds: int, data: str, n_init: int) -> Suite:
    path.write_text(SUITE.format(seeds=seeds, data=data, n_init=n_init), encoding="utf-8")
    return Suite.read(path)


def _resume(suite: Suite, out: Path) -> None:
    said = _command("--suite", str(suite.path), "--out", str(out))
    if "nothing to do" not in said:
        raise RuntimeError(f"the measured suite was not finished: {said}")


def _command(*arguments: str) -> str:
    """What ``benchmarks.run`` says on standard error."""
    command = [sys.executable, "-m", "deep_em_bench", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr
