"""Processes of a running suite killed at random moments, and the suite resumed."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.bench import ENGINES, N_CELLS, Bench, Command, Ending

__all__ = ["Tally", "kill_rounds"]

VICTIMS = ("main", "worker", "cell", "fork server", "everything")
MOMENTS = ("any time", "a worker started", "a cell ended", "a file was written")
ROUNDS_A_SUITE = 3
"""Kills after which the suite is resumed to its end and compared."""


@dataclass
class Tally:
    """What was done, and what came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    """By engine and victim."""
    moments: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    """Rounds whose command had ended before the kill."""
    suites: int = 0
    """Resumed to their end and found equal to the undisturbed one."""
    failed_rows: Counter[str] = field(default_factory=Counter)
    """Error types that the kills left in records, before the resumption."""
    leftovers: int = 0
    """Temporary files that stayed, which nothing reads."""

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.kills.total()} kills, {self.missed} came too late; no record lost or damaged"
        for name, count in sorted(self.kills.items()):
            yield f"  {count:3}  {name}"
        yield "moments: " + _listed(self.moments)
        yield f"{self.suites} suites resumed to the records of the undisturbed one"
        yield f"rows left by kills: {_listed(self.failed_rows)}; files left: {self.leftovers}"


def kill_rounds(
    folder: Path,
    whole: Bench,
    rounds: int,
    *,
    seed: int = 0,
    engines: tuple[str, ...] = ("one job", "loky"),
    seconds: float = math.inf,
    say: Callable[[str], None] = lambda line: None,
) -> Tally:
    """Kill something so many times; assert after each what must hold of the records.

    What a suite is resumed to is compared with the ``whole`` one, which nothing disturbed. After
    so many ``seconds`` no further round begins. A round whose kill comes too late is not counted.
    """
    deadline = time.monotonic() + seconds
    random_ = random.Random(seed)
    expected = whole.endings()
    tally = Tally()
    bench = Bench(folder / "suite-0")
    for number in itertools.count():
        engine = engines[number % len(engines)]
        _round(bench, engine, random_, tally, say)
        last = tally.kills.total() == rounds or time.monotonic() > deadline
        if last or number % ROUNDS_A_SUITE == ROUNDS_A_SUITE - 1 or bench.check() == len(expected):
            _resume(bench, expected, tally)
            bench = Bench(folder / f"suite-{number + 1}")
        if last:
            break
    return tally


def _round(
    bench: Bench,
    engine: str,
    random_: random.Random,
    tally: Tally,
    say: Callable[[str], None],
) -> None:
    command = bench.start(*ENGINES[engine], "--retry-failed")
    victim = random_.choice(VICTIMS[:1] + VICTIMS[2:] if engine == "one job" else VICTIMS)
    moment = random_.choice(MOMENTS)
    _await(moment, bench, command, random_)
    hit = _kill(command, victim, random_)
    status, printed = command.end()
    fatal = victim in ("main", "everything")
    if fatal and status >= 0:  # it had come to its end when the signal did
        hit = 0
    total = bench.check(printed)
    say(f"{engine}: {victim} killed ({moment}): {hit} gone, exit {status}, {total} results")
    if not hit:
        tally.missed += 1
        return
    tally.kills[f"{engine}: {victim}"] += 1
    tally.moments[moment] += 1
    if fatal:
        assert status == -signal.SIGKILL, f"{status}: {printed}"
    else:
        assert status in (0, 1), f"{status}: {printed}"
        # A cluster that lost a worker while it started is the one thing that ends a command.
        stopped = engine == "dask" and "error: a dask cluster cannot be started" in printed
        assert stopped or len(bench.endings()) == N_CELLS, f"cells without a row: {printed}"
    if engine != "dask":  # which logs what it notices
        assert "Traceback" not in printed, printed
    tally.failed_rows.update(
        error.partition(":")[0] for _, error, *_ in bench.endings().values() if error
    )


def _resume(bench: Bench, expected: dict[str, Ending], tally: Tally) -> None:
    status, printed = bench.run("--jobs", "1", "--retry-failed")
    assert status == 0, printed
    assert bench.check(printed) == len(expected)
    assert bench.endings() == expected
    tally.suites += 1
    tally.leftovers += len(list(bench.records.glob("*.tmp")))


def _await(moment: str, bench: Bench, command: Command, random_: random.Random) -> None:
    """Until the moment has come, or the command has ended."""

    def files() -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(bench.records)
        return []

    if moment == "any time":
        time.sleep(random_.uniform(0, 4))
        return
    if moment == "a worker started":
        while command.process.poll() is None:
            if {"worker", "fork server"} & set(map(_role, command.family())):
                time.sleep(random_.uniform(0, 2))
                return
            time.sleep(0.02)
    before = len(files())
    while command.process.poll() is None:
        now = files()
        if moment == "a cell ended" and len(now) > before:
            time.sleep(random_.uniform(0, 0.3))
            return
        if moment == "a file was written" and any(name.endswith(".tmp") for name in now):
            return
        time.sleep(0.001)


def _kill(command: Command, victim: str, random_: random.Random) -> int:
    """How many processes were killed."""
    if victim == "main":
        alive = command.process.poll() is None
        command.process.kill()
        return int(alive)
    if victim == "everything":
        alive = command.process.poll() is None
        members = list(command.family())
        for process in members:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return len(members) if alive else 0
    while command.process.poll() is None:  # cells come and go: until one is hit
        chosen = [process for process in command.family() if _role(process) == victim]
        with contextlib.suppress(psutil.Error, IndexError):
            random_.choice(chosen).kill()
            return 1
    return 0


def _role(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        line, parent = " ".join(process.cmdline()), process.parent()
        above = " ".join(parent.cmdline()) if parent else ""
        if "resource_tracker import" in line or "deep_em_bench run" in line:
            return "main"
        if "multiprocessing.forkserver" in line:
            return "cell" if "multiprocessing.forkserver" in above else "fork server"
        return "worker"
    return "gone"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
