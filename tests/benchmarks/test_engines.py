"""One suite through every engine: the same records come out."""

from __future__ import annotations

import dataclasses
import importlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.job import Setting
from deep_em_bench.benchmarks.plan import Selection, plan
from deep_em_bench.benchmarks.suite import DatasetRow, MethodRow, Suite
from deep_em_bench.core import UserError
from deep_em_bench.results.record import Record, Scores
from deep_em_bench.results.store import Store
from tests.environment import environment

MURDER = Path(__file__).parents[1] / "faults" / "fault_methods.py"
"""Has a method that kills the worker over it."""

TRIAL = Suite(
    name="trial",
    path=Path("trial.toml"),
    title="trial",
    reproduces="-",
    seeds=(0, 1),
    datasets=(DatasetRow(name="moons", words={"n_samples": 40}),),
    methods=(MethodRow(name="steady"), MethodRow(name="kmeans"), MethodRow(name="raising")),
    profiles={},
)

Ending = tuple[str, str, Scores, str]


def endings(folder: Path) -> dict[str, Ending]:
    """What of each record must not depend on the engine."""
    return {record.key: _ending(record) for record in Store(folder)}


def _ending(record: Record) -> Ending:
    error = record.error.type if record.error else ""
    return record.status, error, record.metrics, " ".join(record.artifacts.values())


def setting_for(folder: Path, plugin: Path, jobs: int = 1) -> Setting:
    return Setting(suite="trial", folder=folder, threads=1, plugins=(plugin,), jobs=jobs)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, plugin: Path) -> dict[str, Ending]:
    """Of the cells one after the other."""
    folder = tmp_path_factory.mktemp("runs")
    assert len(list(engine.run(plan(TRIAL), setting_for(folder, plugin)))) == 6
    found = endings(folder)
    assert sorted(ending[0] for ending in found.values()) == ["failed"] * 2 + ["ok"] * 4
    return found


def test_loky(tmp_path: Path, plugin: Path, expected: dict[str, Ending]) -> None:
    outcomes = list(engine.run(plan(TRIAL), setting_for(tmp_path, plugin, jobs=2)))
    assert len(outcomes) == 6
    assert endings(tmp_path) == expected


def test_two_halves(tmp_path: Path, plugin: Path, expected: dict[str, Ending]) -> None:
    for part in (1, 2):
        cells = plan(TRIAL, "quick", Selection(shard=(part, 2)))
        assert len(cells) == 3
        list(engine.run(cells, setting_for(tmp_path / str(part), plugin)))
    halves = [endings(tmp_path / str(part)) for part in (1, 2)]
    assert halves[0].keys().isdisjoint(halves[1])
    assert halves[0] | halves[1] == expected


def test_dask(tmp_path: Path, plugin: Path, expected: dict[str, Ending]) -> None:
    """A cluster of one worker with one thread, started as ``LocalCluster`` starts it."""
    pytest.importorskip("distributed")
    run = [sys.executable, "-W", "ignore", __file__, str(tmp_path), str(plugin)]
    done = subprocess.run(run, env=environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "1 worker, 6 outcomes",
        "dask gave a cell up, for the workers that ran it were all killed; start them with more "
        "memory, or take --max-memory; what was finished is kept",
    ]
    assert endings(tmp_path) == expected


def test_a_killed_worker_costs_no_cell(
    tmp_path: Path,
    plugin: Path,
    expected: dict[str, Ending],
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes = []
    for outcome in engine.run(plan(TRIAL), setting_for(tmp_path, plugin, jobs=2)):
        outcomes.append(outcome.cell.key)
        if len(outcomes) == 1:
            workers()[0].send_signal(signal.SIGKILL)
    assert sorted(outcomes) == sorted(expected)
    assert endings(tmp_path) == expected


def workers() -> list[psutil.Process]:
    """joblib's, below this process."""
    found = psutil.Process().children()
    return [child for child in found if "popen_loky_posix" in " ".join(child.cmdline())]


def through_dask(folder: str, plugin: str) -> None:
    """What :func:`test_dask` runs in a process of its own, which dask fills with threads."""
    from deep_em_bench import methods

    dask: Any = importlib.import_module("dask")
    distributed: Any = importlib.import_module("distributed")
    setting = setting_for(Path(folder), Path(plugin))
    setting = dataclasses.replace(setting, plugins=(*setting.plugins, MURDER))
    for path in setting.plugins:
        methods.registry.load_plugin(path)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        count = len(client.nthreads())
        setattr(engine, "supervise", None)  # the workers have their own  # noqa: B010
        address = cluster.scheduler_address
        outcomes = list(engine.run(plan(TRIAL), setting, backend="dask", scheduler=address))
        print(count, "worker,", len(outcomes), "outcomes")
        murder = dataclasses.replace(TRIAL, seeds=(0,), methods=(MethodRow(name="fault_murder"),))
        try:
            list(engine.run(plan(murder), setting, backend="dask", scheduler=address))
        except UserError as error:
            print(error)


if __name__ == "__main__":
    through_dask(*sys.argv[1:])
