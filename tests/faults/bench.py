"""A tiny suite, the command that runs it, and what must hold of its records at any moment."""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from deep_em_bench.results.record import Record, Scores
from deep_em_bench.results.store import Store
from tests.environment import environment

__all__ = [
    "ENGINES",
    "N_CELLS",
    "Bench",
    "Command",
    "Ending",
    "await_that",
    "engines_here",
    "undisturbed",
]

PLUGIN = Path(__file__).with_name("fault_methods.py")
MARK = "FAULT_HARNESS_MARK"
"""An environment variable with the same value in all processes of one command."""

BECOME = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"

SEEDS = 4
N_CELLS = 2 * SEEDS
"""Cells of the suite that is disturbed: two methods, so many seeds."""

HEAD = """
title = "a tiny suite to disturb"
seeds = %d
[[datasets]]
name = "moons"
words = { n_samples = 1000 }
n_clusters = 8
"""
ENGINES = {
    "one job": ("--jobs", "1"),
    "loky": ("--jobs", "2"),
    "dask": ("--backend", "dask"),
}
SOUND = ("fault_none", "fault_other")

Ending = tuple[str, str, Scores, tuple[str, ...]]
"""The parts of a record that are the same in every run."""


class Command:
    """One run of the command, and all processes that belong to it."""

    def __init__(
        self,
        arguments: list[str],
        *,
        program: tuple[str, ...] = ("-m", "deep_em_bench", "run"),
        before: str = "",
        stdin: IO[str] | None = None,
    ) -> None:
        run = [sys.executable, *program, *arguments]
        if before:
            run = [sys.executable, "-c", f"{before}; {BECOME}", *run]
        self._mark = secrets.token_hex(8)
        variables = environment(**{MARK: self._mark})
        self.process = subprocess.Popen(
            run,
            env=variables,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def family(self) -> Iterator[psutil.Process]:
        """The living processes of the command, its own included."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get(MARK) == self._mark:
                    yield process

    def end(self, seconds: float = 240.0) -> tuple[int, str]:
        """Its exit status and standard error, once it and all that it started are gone."""
        try:
            _, printed = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            for process in self.family():
                process.kill()
            printed = self.process.communicate()[1]
            raise AssertionError(f"it did not end within {seconds:g} s: {printed}") from None
        await_that(lambda: not list(self.family()), "no process is left")
        return self.process.returncode, printed


class Bench:
    """A suite in a folder of its own, whose records are watched."""

    def __init__(
        self, folder: Path, methods: tuple[str, ...] = SOUND, *, seeds: int = SEEDS
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.suite = folder / "trial.toml"
        rows = "".join(f'[[methods]]\nname = "{name}"\n' for name in methods)
        self.suite.write_text(HEAD % seeds + rows, encoding="utf-8")
        self.out = folder / "runs"
        self.records = self.out / "trial"
        self._sound: dict[str, bytes] = {}

    def start(self, *arguments: str, **how: Any) -> Command:
        """Run the command on the suite; ``how`` are keywords of :class:`Command`.

        ``before`` is what the process does before it becomes the command; ``program`` stands in
        place of the command.
        """
        fixed = ["--suite", str(self.suite), "--plugin", str(PLUGIN), "--out", str(self.out)]
        return Command([*fixed, "--threads", "1", *arguments], **how)

    def run(self, *arguments: str, **how: Any) -> tuple[int, str]:
        """The same to its end: exit status and what it printed on standard error."""
        return self.start(*arguments, **how).end()

    def endings(self) -> dict[str, Ending]:
        """How each cell ended, by key."""
        return {record.key: _ending(record) for record in Store(self.records)}

    def by_method(self) -> dict[str, Ending]:
        """How the last cell of each method ended."""
        return {record.method.name: _ending(record) for record in Store(self.records)}

    def check(self, printed: str = "") -> int:
        """Assert that no result was lost or damaged since the last check; returns their number.

        ``printed`` is what a command printed since: a cell that it reports has its record.
        """
        store, results = Store(self.records), {}
        for key in store.keys():  # noqa: SIM118 - a store iterates over its records
            record = store.read(key)  # raises for a half one
            if record.status == "ok":
                assert store.arrays(key).keys() >= {"labels_train", "responsibilities_train"}
                assert len(record.history) == 50
                results[key] = (self.records / f"{key}.json").read_bytes()
        for key, content in self._sound.items():
            assert results.get(key) == content, f"the finished record {key} was lost or changed"
        reported = printed.count(" · ok · ")
        assert len(results) - len(self._sound) >= reported, printed
        self._sound = results
        return len(results)

    def forget(self) -> None:
        """Of the records that a test breaks by itself."""
        self._sound = {}

    def begun(self, folder: Path, cells: int) -> Bench:
        """Another bench, with the records of the first ``cells`` of this one's, by key."""
        other = Bench(folder)
        other.records.mkdir(parents=True)
        for key in Store(self.records).keys()[:cells]:
            for path in self.records.glob(f"{key}.*"):
                shutil.copy(path, other.records)
        assert other.check() == cells
        return other


def engines_here() -> dict[str, tuple[str, ...]]:
    """The engines that are installed, and the options that choose each."""
    there = importlib.util.find_spec("distributed") is not None
    return {name: options for name, options in ENGINES.items() if name != "dask" or there}


def undisturbed(folder: Path) -> Bench:
    """The suite run to its end, with nothing in its way."""
    bench = Bench(folder)
    status, printed = bench.run("--jobs", "1")
    assert status == 0, printed
    assert bench.check(printed) == N_CELLS
    return bench


def await_that(condition: Callable[[], bool], what: str, seconds: float = 240.0) -> None:
    """Wait until the condition holds; raises AssertionError with ``what`` was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def _ending(record: Record) -> Ending:
    error = f"{record.error.type}: {record.error.message}" if record.error else ""
    return record.status, error, record.metrics, tuple(record.artifacts.values())
