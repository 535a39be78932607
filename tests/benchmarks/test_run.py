"""The command: its exit statuses, what it prints where, and what it does not import."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.job import Outcome
from deep_em_bench.benchmarks.plan import Cell
from deep_em_bench.benchmarks.run import main
from deep_em_bench.results.store import Store

SUITE = """
title = "trial"
seeds = 2
[[datasets]]
name = "moons"
words = { n_samples = 40 }
[[methods]]
name = "steady"
[[methods]]
name = "raising"
"""

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, plugin: Path) -> Run:
    """Call with further arguments: runs the trial suite, gives the exit status."""
    suite = tmp_path / "trial.toml"
    suite.write_text(SUITE, encoding="utf-8")
    fixed = ["--suite", str(suite), "--plugin", str(plugin), "--out", str(tmp_path / "runs")]
    return lambda *arguments: main([*fixed, "--threads", "1", *arguments])


def test_a_run_is_resumed_and_failures_are_retried_on_demand(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "[1/4] moons · steady[stable] · seed 0 · ok · error 0." in err
    assert "[2/4] moons · raising[stable] · seed 0 · failed · RuntimeError: this method · " in err
    assert "2 ok, 2 failed; 0 finished before" in err
    store = Store(tmp_path / "runs" / "trial")
    times = {path: path.stat().st_mtime_ns for path in store.folder.glob("*.json")}
    assert len(times) == 4

    assert run("--methods", "steady") == 0
    assert "nothing to do; 2 finished before" in capsys.readouterr().err
    assert run() == 1  # two cells are known to fail
    assert "2 failed before: --retry-failed runs them again" in capsys.readouterr().err
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())

    assert run("--retry-failed") == 1
    assert "2 failed; 2 finished before" in capsys.readouterr().err
    assert run("--force", "--methods", "steady", "--seeds", "1") == 0
    assert "[1/1] moons · steady[stable] · seed 1 · ok" in capsys.readouterr().err
    changed = {path for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert len(changed) == 2 + 1


def test_a_dry_run_prints_the_cells_and_runs_none(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--methods", "steady", "--seeds", "0") == 0
    capsys.readouterr()
    assert run("--dry-run") == 0
    out, err = capsys.readouterr()
    assert re.search(r"1 cached, 3 pending, about \S+ h of work: 1 s with --jobs 1$", err, re.M)
    lines = [line.split(maxsplit=1)[1] for line in out.splitlines()]
    assert lines == [
        "cached ok        moons · steady[stable] · seed 0",
        "pending          moons · raising[stable] · seed 0",
        "pending          moons · steady[stable] · seed 1",
        "pending          moons · raising[stable] · seed 1",
    ]
    assert len(Store(tmp_path / "runs" / "trial").keys()) == 1


def test_of_an_empty_folder_nothing_is_expected(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--dry-run") == 0
    assert "0 cached, 4 pending, nothing is known yet" in capsys.readouterr().err


def test_with_several_workers_the_longest_cell_starts_first(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--seeds", "0") == 1
    started: list[str] = []

    def noted(cells: Sequence[Cell], *_: object, **__: object) -> Iterator[Outcome]:
        started.extend(cell.method for cell in cells)
        yield from ()

    monkeypatch.setattr(engine, "run", noted)
    run("--seeds", "0-2")
    assert started == ["steady", "raising"] * 2  # the order of the suite
    started.clear()
    run("--seeds", "0-2", "--jobs", "2")
    assert started == ["raising"] * 2 + ["steady"] * 2  # of what only fails no time is known


def test_dry_runs_of_all_parts_print_every_cell_once(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--dry-run")
    whole = capsys.readouterr().out.splitlines()
    for i in (1, 2, 3):
        run("--dry-run", "--cells", f"{i}/3")
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(whole)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--methods", "steddy"), "unknown row 'steddy'"),
        (("--datasets", "mooons"), "unknown data set 'mooons'; did you mean 'moons'?"),
        (
            ("--set", "steady.stepps=1"),
            "parameter of steady 'stepps'; did you mean 'steps'?",
        ),
        (("--device", "cuda:99"), "device 'cuda:99' cannot be used here"),
        (("--device", "cuda:99", "--dry-run"), "device 'cuda:99' cannot be used here"),
        (
            ("--inception-weights", "nowhere.pth", "--dry-run"),
            "there is no file nowhere.pth; give --inception-weights the path of",
        ),
        (("--plugin", "nowhere.py"), "is not a file"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_1(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    error: str,
) -> None:
    assert run(*arguments) == 1
    out, err = capsys.readouterr()
    assert error in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--seeds", "a"),
        ("--cells", "4/3"),
        ("--set", "steps"),
        ("--profile", "quik"),
        ("--jobs", "0"),
        ("--timeout", "-1"),
        ("--timeout", "nan"),
        ("--backend", "slurm"),
        ("--methods", ","),
        ("--methods=",),
        ("--datasets", "moons", ""),
        ("--scheduler", "tcp://127.0.0.1:8786"),
        ("--replay", "record.json"),  # with --suite and --out
        ("--sweet",),
    ],
)
def test_a_wrong_command_line_is_status_2(run: Run, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2


def test_neither_suite_nor_list_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "--suite" in capsys.readouterr().err
