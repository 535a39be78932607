"""Faults that are brought about on purpose, one after the other, and what must come of each.

Every scenario takes an empty folder, asserts, and returns a phrase of what it saw.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.bench import Bench, await_that

__all__ = ["SCENARIOS", "SkippedError"]

ILL = {
    "fault_hang": ("timeout", "Timeout: stopped after 8 s"),
    "fault_leak": ("memory", "MemoryLimit: stopped at "),
    "fault_segfault": ("failed", "SIGSEGV: the cell's process was killed by SIGSEGV"),
    "fault_raise": ("failed", "RuntimeError: this never works"),
    "fault_shape": ("failed", "ContractError: labels_ has shape (999,); expected (1000,)"),
    "fault_nan": ("failed", "ContractError: predict_proba(X) has 1 rows with NaN or infinity"),
}
"""How the cells of methods that fail end."""


class SkippedError(Exception):
    """This machine does not allow the scenario."""


def methods_that_fail(folder: Path) -> str:
    """Each failure is a row with its reason, and touches no other cell."""
    sound = Bench(folder / "sound", ("fault_none", "fault_other"), seeds=1)
    assert sound.run()[0] == 0
    bench = Bench(folder / "all", ("fault_none", *ILL, "fault_other"), seeds=1)
    status, said = bench.run("--jobs", "2", "--timeout", "8", "--max-memory", "900")
    assert status == 1, said
    assert bench.check(said) == 2
    ended = bench.by_method()
    for method, (how, why) in ILL.items():
        found = ended.pop(method)
        assert found[0] == how, found
        assert found[1].startswith(why), found
    assert ended == sound.by_method()
    again, said = bench.run("--timeout", "8")
    assert again == 1
    assert "nothing to do; 8 finished before" in said
    assert "6 failed before: --retry-failed" in said
    return f"{len(ILL)} rows with their reasons, 2 others as without them"


def an_interruption(folder: Path) -> str:
    """SIGINT, once and twice, with one job and with two."""
    times = 0
    for jobs in ("1", "2"):
        for signals in (1, 2):
            bench = Bench(folder / f"{jobs}-{signals}")
            command = bench.start("--jobs", jobs)
            await_that(lambda b=bench: _records(b) > 0, "a record")
            for _ in range(signals):
                command.process.send_signal(signal.SIGINT)
            status, said = command.end()
            assert status == 130, f"{status}: {said}"
            assert "Traceback" not in said, said
            assert said.rstrip().endswith("interrupted: what was finished is kept"), said
            kept = bench.check(said)
            assert kept >= 1
            _ends_well(bench, folder)
            times += 1
    return f"{times} times exit status 130, resumed"


def a_full_disk(folder: Path) -> str:
    """A disk that is full in the middle of a suite, and has room again."""
    with _small_disk(folder / "disk") as disk:
        bench = Bench(disk)
        status, said = bench.run("--seeds", "0-1")
        assert status == 0, said
        before = bench.check(said)
        room = os.statvfs(disk)
        filler = disk / "filler"
        filler.write_bytes(b"x" * (room.f_bavail * room.f_frsize - 30_000))
        status, said = bench.run("--jobs", "2")
        _stopped_by(said, status, "No space left on device")
        kept = bench.check(said)
        assert before <= kept < 12
        filler.unlink()
        _ends_well(bench, folder)
        return f"stopped with {kept} of 12 records, resumed"


def a_quota(folder: Path) -> str:
    """No file may be longer than 2,000 bytes."""
    bench = Bench(folder / "suite")
    assert bench.run("--seeds", "0")[0] == 0
    before = bench.check()
    status, said = bench.run(preexec_fn=_no_long_files)
    _stopped_by(said, status, "File too large")
    assert bench.check(said) == before
    _ends_well(bench, folder)
    return f"stopped with {before} of 12 records, resumed"


def a_read_only_folder(folder: Path) -> str:
    """The folder of records cannot be written to."""
    with _small_disk(folder / "disk") as disk:
        bench = Bench(disk)
        assert bench.run("--seeds", "0")[0] == 0
        before = bench.check()
        _mount("-o", "remount,ro", str(disk))
        status, said = bench.run("--jobs", "2")
        _stopped_by(said, status, "Read-only file system")
        assert bench.check(said) == before
        _mount("-o", "remount,rw", str(disk))
        _ends_well(bench, folder)
        return f"stopped with {before} of 12 records, resumed"


def broken_records(folder: Path) -> str:
    """Files that are cut, of zeros, empty, or under another's name are named and run again."""
    bench = Bench(folder / "suite")
    assert bench.run("--jobs", "2")[0] == 0
    expected = bench.endings()
    paths = sorted(bench.records.glob("*.json"))
    cut, zeros, empty, other = paths[:4]
    cut.write_bytes(cut.read_bytes()[:-40])
    zeros.write_bytes(bytes(zeros.stat().st_size))
    empty.write_bytes(b"")
    other.write_bytes(paths[5].read_bytes())
    assert len(bench.endings()) == 8
    bench.forget()
    status, said = bench.run()
    assert status == 0, said
    assert "4 ok; 8 finished before" in said
    for path in (cut, zeros, empty, other):
        assert f"run again: {path}" in said
    assert bench.endings() == expected
    return "4 of 12 named, run again, equal"


SCENARIOS: dict[str, Callable[[Path], str]] = {
    "methods that fail": methods_that_fail,
    "SIGINT": an_interruption,
    "full disk": a_full_disk,
    "quota": a_quota,
    "read-only folder": a_read_only_folder,
    "broken records": broken_records,
}


def _ends_well(bench: Bench, folder: Path) -> None:
    """The resumed suite has exactly the records of an undisturbed one."""
    status, said = bench.run("--jobs", "2")
    assert status == 0, said
    assert bench.check(said) == 12
    undisturbed = Bench(folder / "undisturbed")
    if not undisturbed.endings():
        assert undisturbed.run("--jobs", "2")[0] == 0
    assert bench.endings() == undisturbed.endings()


def _stopped_by(said: str, status: int, reason: str) -> None:
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    assert status == 1, f"{status}: {said}"
    assert len(lines) == 1, said
    assert "cannot write to" in lines[0], said
    assert reason in lines[0], said
    assert "Traceback" not in said, said


def _no_long_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def _records(bench: Bench) -> int:
    return len(list(bench.records.glob("*.json")))


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A file system in memory with 1 MiB of room; only the superuser of a Linux may make one."""
    folder.mkdir(parents=True)
    try:
        _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        raise SkippedError("a small file system cannot be mounted here") from error
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
