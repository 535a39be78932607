"""A tiny suite, the command that runs it, and what must hold of its records at every moment."""

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
"""The environment variable that all processes of one command have in common."""

LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Sets the limit, and becomes the command."""

SEEDS = 4
N_CELLS = 2 * SEEDS
"""Of the suite that is disturbed: two sound methods, so many seeds."""

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
"""What of a record does not depend on how it came about."""


class Command:
    """One run of the command, and all processes that belong to it."""

    def __init__(self, arguments: list[str], *, longest_file: int | None = None) -> None:
        run = [sys.executable, "-m", "deep_em_bench", "run", *arguments]
        if longest_file is not None:
            run = [sys.executable, "-c", LIMITED, str(longest_file), *run]
        self._mark = secrets.token_hex(8)
        variables = environment(**{MARK: self._mark})
        self.process = subprocess.Popen(
            run,
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def family(self) -> Iterator[psutil.Process]:
        """Every process of the command that is alive, its own included."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get(MARK) == self._mark:
                    yield process

    def end(self, seconds: float = 240.0) -> tuple[int, str]:
        """Its exit status and what it said, once it and all that it started are gone."""
        try:
            _, said = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            for process in self.family():
                process.kill()
            said = self.process.communicate()[1]
            raise AssertionError(f"it did not end within {seconds:g} s: {said}") from None
        await_that(lambda: not list(self.family()), "no process is left")
        return self.process.returncode, said


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

    def start(self, *arguments: str, longest_file: int | None = None) -> Command:
        """Run the command on the suite; no file may have more than ``longest_file`` bytes."""
        fixed = ["--suite", str(self.suite), "--plugin", str(PLUGIN), "--out", str(self.out)]
        return Command([*fixed, "--threads", "1", *arguments], longest_file=longest_file)

    def run(self, *arguments: str, longest_file: int | None = None) -> tuple[int, str]:
        """The same to its end: exit status and what it said."""
        return self.start(*arguments, longest_file=longest_file).end()

    def endings(self) -> dict[str, Ending]:
        """How each cell ended, by key."""
        return {record.key: _ending(record) for record in Store(self.records)}

    def by_method(self) -> dict[str, Ending]:
        """How the last cell of each method ended."""
        return {record.method.name: _ending(record) for record in Store(self.records)}

    def check(self, said: str = "") -> int:
        """Assert that no result was lost or damaged since the last check; how many there are.

        ``said`` is what a command wrote since: a cell that it told of has its record.
        """
        store, found = Store(self.records), {}
        for key in store.keys():  # noqa: SIM118 - a store iterates over its records
            record = store.read(key)  # raises for a half one
            if record.status == "ok":
                assert store.arrays(key).keys() >= {"labels_train", "responsibilities_train"}
                assert len(record.history) == 50
                found[key] = (self.records / f"{key}.json").read_bytes()
        for key, content in self._sound.items():
            assert found.get(key) == content, f"the finished record {key} was lost or changed"
        told = said.count(" · ok · ")
        assert len(found) - len(self._sound) >= told, f"{told} cells were told of: {said}"
        self._sound = found
        return len(found)

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
    status, said = bench.run("--jobs", "1")
    assert status == 0, said
    assert bench.check(said) == N_CELLS
    return bench


def await_that(condition: Callable[[], bool], what: str, seconds: float = 240.0) -> None:
    """Wait until the condition holds; an AssertionError says what did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def _ending(record: Record) -> Ending:
    error = f"{record.error.type}: {record.error.message}" if record.error else ""
    return record.status, error, record.metrics, tuple(record.artifacts.values())
