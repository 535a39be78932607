"""Cells in processes of their own: whatever one does, each ends with a record.

All run under one fork server, and most in one run: processes are the expensive part.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from benchmarks import engine
from benchmarks.job import Outcome, Setting
from benchmarks.plan import Cell, plan
from benchmarks.suite import DatasetRow, MethodRow, Suite
from core import DataError, UserError
from results.record import Record
from results.store import Store

Ended = dict[str, tuple[Outcome, Record]]

BEHAVIOURS = (
    "steady",
    "raising",
    "diverging",
    "crashing",
    "killed",
    "leaving",
    "odd_history",
    "chatty",
    "twin",
)


def cells_of(*methods: str) -> tuple[Cell, ...]:
    suite = Suite(
        name="trial",
        path=Path("trial.toml"),
        title="trial",
        reproduces="-",
        seeds=(0,),
        datasets=(DatasetRow(name="moons", words={"n_samples": 40}),),
        methods=tuple(MethodRow(name=name) for name in methods),
        profiles={},
    )
    return plan(suite)


def setting_for(folder: Path, plugin: Path, **more: object) -> Setting:
    made = Setting(suite="trial", folder=folder, threads=1, plugins=(plugin,))
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def by_method(outcomes: Sequence[Outcome], store: Store) -> Ended:
    return {o.cell.method: (o, store.read(o.cell.key)) for o in outcomes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "trial"


@pytest.fixture(scope="module")
def ended(folder: Path, plugin: Path) -> Ended:
    """One run of every behaviour that does not hang."""
    outcomes = list(engine.run(cells_of(*BEHAVIOURS), setting_for(folder, plugin)))
    return by_method(outcomes, Store(folder))


@pytest.mark.parametrize(
    ("method", "status", "kind", "said"),
    [
        ("raising", "failed", "RuntimeError", "this method"),
        ("diverging", "diverged", "DivergenceError", "loss became nan"),
        ("crashing", "failed", "SIGSEGV", "killed by SIGSEGV"),
        ("killed", "failed", "SIGKILL", "killed by SIGKILL (often by the system, for lack of"),
        ("leaving", "failed", "ProcessEnded", "ended with exit status 3 and without a record"),
        ("odd_history", "failed", "DataError", "history[0].model"),
    ],
)
def test_each_way_to_fail_is_a_record(
    ended: Ended, method: str, status: str, kind: str, said: str
) -> None:
    outcome, record = ended[method]
    assert outcome.status == record.status == status
    assert record.error is not None
    assert record.error.type == kind
    assert said in record.error.message
    assert kind in outcome.message
    assert "\n" not in outcome.message
    assert outcome.error_rate is None
    assert record.n_clusters == 2
    assert record.dataset.n == 40  # also where the cell could not say so itself


def test_a_crash_tells_where(ended: Ended) -> None:
    _, record = ended["crashing"]
    assert record.error is not None
    assert "plugin_methods.py" in record.error.traceback
    assert "in fit" in record.error.traceback


@pytest.mark.parametrize("method", ["steady", "chatty", "twin"])
def test_the_others_are_not_touched(ended: Ended, folder: Path, method: str) -> None:
    outcome, record = ended[method]
    assert outcome.status == record.status == "ok"
    assert outcome.error_rate == record.metrics.test["error_rate"]
    assert set(record.metrics.test) == set(record.metrics.train)
    assert 0 < outcome.seconds < 60
    assert len(Store(folder).arrays(record.key)["labels_train"]) == 40


def test_every_record_says_where_it_comes_from(ended: Ended) -> None:
    for _, record in ended.values():
        assert record.suite == "trial"
        assert record.provenance.python.startswith("3.")
        assert len(record.provenance.code) == 64
        assert record.provenance.utc.endswith("+00:00")
        assert record.resources.threads == 1
    assert len({record.provenance.code for _, record in ended.values()}) == 1  # one file


def test_nothing_but_records_and_arrays_is_left(ended: Ended, folder: Path) -> None:
    assert len(ended) == len(BEHAVIOURS)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".npz"}


def test_what_a_method_prints_is_no_output(
    tmp_path: Path, plugin: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert [o.status for o in engine.run(cells_of("chatty"), setting_for(tmp_path, plugin))] == [
        "ok"
    ]
    assert "no output" not in capfd.readouterr().out


def test_a_finished_cell_is_not_pending(ended: Ended, folder: Path) -> None:
    cells = cells_of(*BEHAVIOURS, "wrong_shape")
    done = engine.done(cells, Store(folder))
    assert {cell.method for cell in cells if cell.key in done} == set(BEHAVIOURS)
    assert all(item.same_code for item in done.values())

    def left(rerun: engine.Rerun) -> list[str]:
        return [cell.method for cell in engine.pending(cells, done, rerun)]

    well = {"steady", "chatty", "twin"}
    assert left("none") == ["wrong_shape"]
    assert left("failed") == [name for name in (*BEHAVIOURS, "wrong_shape") if name not in well]
    assert left("all") == [*BEHAVIOURS, "wrong_shape"]


def test_a_damaged_record_is_run_again(
    ended: Ended, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, record = ended["steady"]
    store = Store(tmp_path)
    store.write(record)
    (path,) = tmp_path.glob("*.json")
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    assert engine.done(cells_of("steady"), store) == {}
    assert path.name in caplog.text


def test_a_record_of_other_code_is_known_for_it(ended: Ended, tmp_path: Path) -> None:
    _, record = ended["steady"]
    older = dataclasses.replace(record.provenance, code="1" * 64)
    Store(tmp_path).write(dataclasses.replace(record, provenance=older))
    (found,) = engine.done(cells_of("steady"), Store(tmp_path)).values()
    assert not found.same_code


def test_a_hanging_cell_is_ended_and_its_stack_is_kept(tmp_path: Path, plugin: Path) -> None:
    setting = setting_for(tmp_path, plugin, timeout=1.0)
    outcomes = list(engine.run(cells_of("hanging", "twin"), setting))
    ended = by_method(outcomes, Store(tmp_path))
    outcome, record = ended["hanging"]
    assert outcome.status == record.status == "timeout"
    assert 1 <= outcome.seconds < 20
    assert record.error is not None
    assert record.error.message == "stopped after 1 s; allow more with --timeout"
    assert "plugin_methods.py" in record.error.traceback
    assert ended["twin"][1].status == "ok"


def test_rows_are_seen_while_a_fit_runs(tmp_path: Path, plugin: Path) -> None:
    rows: list[object] = []
    setting = setting_for(tmp_path, plugin, watch=True)
    list(engine.run(cells_of("steady"), setting, on_row=rows.append))
    assert [row["iteration"] for row in rows] == [1, 2, 3]  # type: ignore[index]


def test_workers_run_cells_side_by_side(tmp_path: Path, plugin: Path) -> None:
    setting = setting_for(tmp_path, plugin, jobs=2, threads=None)
    outcomes = list(engine.run(cells_of("steady", "killed", "twin"), setting))
    ended = by_method(outcomes, Store(tmp_path))
    assert {name: record.status for name, (_, record) in ended.items()} == {
        "steady": "ok",
        "killed": "failed",
        "twin": "ok",
    }
    assert {record.resources.jobs for _, record in ended.values()} == {2}
    assert {record.resources.threads for _, record in ended.values()} == {1}


def test_a_folder_that_cannot_be_written_stops_the_run(tmp_path: Path, plugin: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot write to"):
        list(engine.run(cells_of("steady"), setting_for(tmp_path / "file" / "runs", plugin)))


def test_data_that_are_not_there_stop_the_run_before_it_starts(
    tmp_path: Path, plugin: Path
) -> None:
    cell = cells_of("steady")[0]
    spec = dataclasses.replace(cell.dataset, name="artificial_characters", words={})
    cells = [cell, dataclasses.replace(cell, dataset=spec)]
    setting = setting_for(tmp_path / "runs", plugin, data_dir=tmp_path / "data")
    with pytest.raises(DataError):
        list(engine.run(cells, setting))
    assert not (tmp_path / "runs").exists()


def test_the_missing_extra_is_named(
    tmp_path: Path, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'deep-em-bench\[dask\]'"):
        list(engine.run(cells_of("steady"), setting_for(tmp_path, plugin), backend="dask"))


SUITE = """
title = "trial"
seeds = 1
[[datasets]]
name = "moons"
words = { n_samples = 40 }
[[methods]]
name = "steady"
[[methods]]
name = "hanging"
"""


@pytest.fixture
def command(tmp_path: Path, plugin: Path) -> Callable[[], tuple[subprocess.Popen[str], int]]:
    """Starts the command on a hanging suite; gives it, and the hanging cell's process id."""

    def start() -> tuple[subprocess.Popen[str], int]:
        (tmp_path / "trial.toml").write_text(SUITE, encoding="utf-8")
        marker = tmp_path / "pid"
        arguments = ["--suite", "trial.toml", "--plugin", str(plugin), "--out", "runs"]
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.run", *arguments],
            cwd=tmp_path,
            env={
                **os.environ,
                "HANGING_METHOD_PID_FILE": str(marker),
                "PYTHONPATH": str(Path(engine.__file__).parent.parent),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(lambda: marker.is_file() and marker.read_text(encoding="utf-8") != "")
        return process, int(marker.read_text(encoding="utf-8"))

    return start


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_interruption_keeps_what_is_finished(
    tmp_path: Path, command: Callable[[], tuple[subprocess.Popen[str], int]]
) -> None:
    process, cell = command()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "[1/2] moons · steady[stable] · seed 0 · ok · error" in said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not psutil.pid_exists(cell)
    store = Store(tmp_path / "runs" / "trial")
    assert [record.status for record in store] == ["ok"]


def test_a_cell_does_not_outlive_its_supervisor(
    command: Callable[[], tuple[subprocess.Popen[str], int]],
) -> None:
    process, cell = command()
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not psutil.pid_exists(cell))
