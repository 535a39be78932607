"""The reports of a large suite, timed: ``python -m reports`` in all formats, a process of its own.

``python -m benchmarks.speed reports``. By default ten data sets, twenty methods and fifty seeds.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from deep_em_bench.benchmarks.plan import plan
from deep_em_bench.benchmarks.speed.harness import fill
from deep_em_bench.benchmarks.speed.timing import timed
from deep_em_bench.benchmarks.suite import DatasetRow, MethodRow, Suite
from deep_em_bench.results.store import Store

__all__ = ["ReportsMeasured", "rendered", "reports"]

TARGET = 20
"""Seconds that ten thousand records may take."""


@dataclass(frozen=True, kw_only=True)
class ReportsMeasured:
    """Of one suite."""

    n_records: int
    seconds: float
    """The whole command; the median over rounds."""


def reports(
    *, rounds: int = 3, n_datasets: int = 10, n_methods: int = 20, n_seeds: int = 50
) -> ReportsMeasured:
    """All formats of a suite with so many records, over those of the round before."""
    suite = Suite(
        name="large",
        path=Path("large.toml"),
        title="what reports cost",
        reproduces="-",
        seeds=tuple(range(n_seeds)),
        datasets=tuple(
            DatasetRow(name="moons", words={"noise": i / 100}, n_clusters=(10,))
            for i in range(n_datasets)
        ),
        methods=tuple(
            MethodRow(name="kmeans", label=f"kmeans[{i}]", params={"n_init": i})
            for i in range(1, n_methods + 1)
        ),
        profiles={},
    )
    with tempfile.TemporaryDirectory(prefix="deep-em-bench-speed-") as name:
        runs, out = Path(name) / "runs", Path(name) / "out"
        store = Store(runs / suite.name)
        fill(store, plan(suite))
        seconds = [timed(lambda: _report(suite.name, runs, out))[1] for _ in range(rounds)]
        n_records = len(store.keys())
    return ReportsMeasured(n_records=n_records, seconds=median(seconds))


def rendered(measured: ReportsMeasured) -> str:
    """One line, with the target."""
    return (
        f"{measured.n_records:,} records reported in all formats: {measured.seconds:.1f} s "
        f"(target for 10,000: {TARGET} s)"
    )


def _report(suite: str, runs: Path, out: Path) -> None:
    places = ["--root", str(runs), "--out", str(out)]
    command = [sys.executable, "-m", "deep_em_bench", "report", "--suite", suite, *places]
    subprocess.run(command, capture_output=True, check=True)
