"""Cells in processes of their own: whatever one does, each ends with a record.

All run under one fork server, and most in one run: processes are the expensive part.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import multiprocessing.forkserver
import re
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import psutil
import pytest

from deep_em_bench.benchmarks.engine import dask, engine, isolate
from deep_em_bench.benchmarks.plan import DatasetSpec
from deep_em_bench.core import ConfigError, DataError, UserError
from deep_em_bench.results import replace
from deep_em_bench.results.store import Store
from tests.benchmarks.trial import Ended, by_method, cells_of, setting_for

BEHAVIOURS = (
    "steady",
    "raising",
    "wordy",
    "diverging",
    "crashing",
    "killed",
    "leaving",
    "leaving_at_once",
    "odd_history",
    "odd_precision",
    "unspeakable",
    "chatty",
    "twin",
    "without_descriptors",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "trial"


@pytest.fixture(scope="module")
def ended(folder: Path, plugin: Path) -> Ended:
    """One run of every behaviour that does not hang."""
    outcomes = list(engine.run(cells_of(*BEHAVIOURS), setting_for(folder, plugin)))
    return by_method(outcomes, Store(folder))


@pytest.mark.parametrize(
    ("method", "status", "kind", "message"),
    [
        ("raising", "failed", "RuntimeError", "this method"),
        ("wordy", "failed", "ValueError", "x" * 10**5),
        ("diverging", "diverged", "DivergenceError", "loss became nan"),
        ("crashing", "failed", "SIGSEGV", "killed by SIGSEGV"),
        ("killed", "failed", "SIGKILL", "killed by SIGKILL (often by the system, for lack of"),
        ("leaving", "failed", "SystemExit", "3"),
        ("leaving_at_once", "failed", "ProcessEnded", "exit status 3 and without a record"),
        ("odd_history", "failed", "DataError", "`history[0]`"),
        ("odd_precision", "failed", "DataError", "`resources.precision` is 8; expected str"),
        ("unspeakable", "failed", "UnspeakableError", "its text cannot be had: KeyboardInterrupt"),
    ],
)
def test_each_way_to_fail_is_a_record(
    ended: Ended, method: str, status: str, kind: str, message: str
) -> None:
    outcome, record = ended[method]
    assert outcome.status == record.status == status
    assert record.error is not None
    assert record.error.type == kind
    assert message in record.error.message
    assert kind in outcome.message
    assert "\n" not in outcome.message
    assert len(outcome.message) < 700
    assert outcome.error_rate is None
    assert record.n_clusters == 2
    assert record.dataset.n == 40  # also where the cell could not say so itself


@pytest.mark.parametrize("method", ["crashing", "leaving"])
def test_a_crash_tells_where(ended: Ended, method: str) -> None:
    _, record = ended[method]
    assert record.error is not None
    assert "plugin_methods.py" in record.error.traceback
    assert "in fit" in record.error.traceback


@pytest.mark.parametrize("method", ["steady", "chatty", "twin", "without_descriptors"])
def test_the_others_are_not_touched(ended: Ended, folder: Path, method: str) -> None:
    outcome, record = ended[method]
    assert outcome.status == record.status == "ok"
    assert outcome.error_rate == record.metrics.test["error_rate"]
    assert set(record.metrics.test) == set(record.metrics.train)
    assert outcome.seconds > 0
    assert len(Store(folder).arrays(record.key)["labels_train"]) == 40


def test_every_record_says_where_it_comes_from(ended: Ended) -> None:
    for _, record in ended.values():
        assert record.suite == "trial"
        assert record.provenance.python.startswith("3.")
        assert record.provenance.code.startswith("v1+sha:")
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
    assert not any(item.stale for item in done.values())

    def left(rerun: engine.Rerun) -> list[str]:
        return [cell.method for cell in engine.pending(cells, done, rerun)]

    well = {"steady", "chatty", "twin", "without_descriptors"}
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


@pytest.mark.parametrize("reason", ["schema", "permission", "size"])
def test_a_record_that_may_be_whole_is_not_replaced_unless_forced(
    ended: Ended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    _, record = ended["steady"]
    store = Store(tmp_path)
    store.write(record)
    (path,) = tmp_path.glob("*.json")
    if reason == "schema":
        later = path.read_text(encoding="utf-8").replace('"schema": 2', '"schema": 3')
        path.write_text(later, encoding="utf-8")
    elif reason == "size":
        monkeypatch.setattr("deep_em_bench.results.store.MOST_TEXT", path.stat().st_size - 1)
    else:

        def refuse(*_: object, **__: object) -> NoReturn:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr("deep_em_bench.results.store.read_bounded", refuse)
    with pytest.raises(UserError, match=rf"{path.name}.* --force replaces it\Z"):
        engine.done(cells_of("steady"), store)
    assert engine.done(cells_of("steady"), store, "all") == {}


@pytest.mark.parametrize(
    "change", [{"method_version": 9}, {"method_version": None}, {"plugins": {"a.py": "0" * 64}}]
)
def test_a_record_of_other_code_is_stale(
    ended: Ended, tmp_path: Path, change: dict[str, Any]
) -> None:
    _, record = ended["steady"]
    older = replace(record.provenance, **change)
    Store(tmp_path).write(replace(record, provenance=older))
    (found,) = engine.done(cells_of("steady"), Store(tmp_path)).values()
    assert found.stale


def test_a_killed_fork_server_is_replaced(tmp_path: Path, plugin: Path) -> None:
    """Between two cells, when the next one cannot know of it."""
    cells = cells_of("steady", "twin")
    statuses = []
    for outcome in engine.run(cells, setting_for(tmp_path, plugin)):
        statuses.append(outcome.status)
        server = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        psutil.Process(server).kill()
    assert statuses == ["ok", "ok"]


def test_a_program_without_a_guard_stops_the_run(tmp_path: Path, plugin: Path) -> None:
    with pytest.raises(UserError, match=r"put the call below: if __name__ == '__main__':\Z"):
        list(engine.run(cells_of("unguarded"), setting_for(tmp_path, plugin)))


def test_a_scheduler_that_ends_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def result() -> NoReturn:
        raise CancelledError

    fake = SimpleNamespace(KilledWorker=GoneError, as_completed=iter)
    monkeypatch.setitem(sys.modules, "distributed", fake)
    client: Any = SimpleNamespace(map=lambda *_, **__: [SimpleNamespace(result=result)])
    with pytest.raises(UserError, match="the dask scheduler ended; start it again"):
        list(dask.outcomes(client, isolate.supervise, []))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EAGAIN, "no more processes"), "process: no more processes; free some"),
        (EOFError(), "process: its fork server was killed again and again; free some"),
    ],
)
def test_what_cannot_be_started_is_said(
    tmp_path: Path, plugin: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def start() -> NoReturn:
        raise error

    child = SimpleNamespace(start=start)
    context = SimpleNamespace(Process=lambda **_: child)
    monkeypatch.setattr(isolate, "_context", lambda job: context)
    with pytest.raises(UserError, match=message):
        list(engine.run(cells_of("steady"), setting_for(tmp_path, plugin)))


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


def test_there_are_no_more_workers_than_cells(
    tmp_path: Path, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_spread", None)
    setting = setting_for(tmp_path, plugin, jobs=10, threads=None)
    (outcome,) = engine.run(cells_of("steady"), setting)
    used = Store(tmp_path).read(outcome.cell.key).resources
    assert (used.jobs, used.threads) == (1, 1)
    assert list(engine.run((), setting)) == []


def test_a_folder_that_cannot_be_written_stops_the_run_before_it_starts(
    tmp_path: Path, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    setting = setting_for(tmp_path / "file" / "runs", plugin)

    def supervise(*_: object) -> NoReturn:
        raise AssertionError("a cell was started")

    monkeypatch.setattr(engine, "supervise", supervise)
    with pytest.raises(UserError, match="cannot write to"):
        list(engine.run(cells_of("steady"), setting))


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        *(
            ({word: 1}, f"unknown word of data set blobs {word!r}")
            for word in ("name", "seed", "device")
        ),
        ({"n_samples": 10**17}, "blobs cannot be loaded with {'n_samples': 100000000000000000}: "),
        ({"n_samples": {"a": 1}}, "n_samples is {'a': 1}; expected a whole number"),
    ],
)
def test_words_that_no_data_set_can_have_stop_the_run_before_it_starts(
    tmp_path: Path, plugin: Path, words: dict[str, object], message: str
) -> None:
    spec = DatasetSpec(name="blobs", words=words)
    cells = [dataclasses.replace(cells_of("steady")[0], dataset=spec)]
    with pytest.raises(ConfigError, match=rf"\A[^\n]*{re.escape(message)}[^\n]*\Z"):
        list(engine.run(cells, setting_for(tmp_path / "runs", plugin)))
    assert not (tmp_path / "runs").exists()


def test_the_missing_extra_is_named(
    tmp_path: Path, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="pip install distributed"):
        list(engine.run(cells_of("steady"), setting_for(tmp_path, plugin), backend="dask"))


class GoneError(Exception):
    pass


HERE = "tcp://nowhere:1"


@pytest.mark.parametrize(
    ("answer", "scheduler", "message"),
    [
        (OSError("timed out"), HERE, f"no dask scheduler answers at {HERE}; give the address"),
        (ValueError("missing port"), HERE, f"no dask scheduler answers at {HERE}"),
        ({}, HERE, "the dask cluster has no workers"),
        (RuntimeError("Nanny"), None, "a dask cluster cannot be started on this machine (Nanny)"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_named(
    tmp_path: Path,
    plugin: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Exception | dict[str, int],
    scheduler: str | None,
    message: str,
) -> None:
    @contextlib.contextmanager
    def client(address: str | None) -> Iterator[SimpleNamespace]:
        if isinstance(answer, Exception):
            raise answer
        yield SimpleNamespace(nthreads=lambda: answer)

    fake = SimpleNamespace(Client=client, KilledWorker=GoneError)
    monkeypatch.setitem(sys.modules, "distributed", fake)
    outcomes = engine.run(
        cells_of("steady"),
        setting_for(tmp_path, plugin),
        backend="dask",
        scheduler=scheduler,
    )
    with pytest.raises(UserError, match=re.escape(message)):
        list(outcomes)
