"""Faults that are brought about on purpose, one after the other, and what must come of each.

Every scenario takes an empty folder and the suite as it ends undisturbed, asserts, and returns a
phrase of what it saw.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.bench import N_CELLS, Bench, Ending, await_that, engines_here

__all__ = ["SCENARIOS", "SkippedError"]

ILL = {
    "fault_hang": ("timeout", "Timeout: stopped after 15 s"),
    "fault_leak": ("memory", "MemoryLimit: stopped at "),
    "fault_segfault": ("failed", "SIGSEGV: the cell's process was killed by SIGSEGV"),
    "fault_raise": ("failed", "RuntimeError: this never works"),
    "fault_shape": ("failed", "ContractError: labels_ has shape (999,); expected (1000,)"),
    "fault_nan": ("failed", "ContractError: predict_proba(X) has 1 rows with NaN or infinity"),
}
"""How the cells of methods that fail end."""


class SkippedError(Exception):
    """This machine does not allow the scenario."""


def methods_that_fail(folder: Path, whole: Bench) -> str:
    """Each failure is a row with its reason, and touches no other cell."""
    bench = Bench(folder, ("fault_none", *ILL, "fault_other"), seeds=1)
    status, said = bench.run("--jobs", "2", "--timeout", "15", "--max-memory", "900")
    assert status == 1, said
    assert bench.check(said) == 2
    ended = bench.by_method()
    for method, (how, why) in ILL.items():
        found = ended.pop(method)
        assert found[0] == how, found
        assert found[1].startswith(why), found
    assert len(ended) == 2
    _are_among(whole, {key: end for key, end in bench.endings().items() if end[0] == "ok"})
    again, said = bench.run("--timeout", "15")
    assert again == 1
    assert "nothing to do; 8 finished before" in said
    assert "6 failed before: --retry-failed" in said
    return f"{len(ILL)} rows with their reasons, 2 others as without them"


def an_interruption(folder: Path, whole: Bench) -> str:
    """SIGINT, once and twice, through every engine."""
    times = 0
    for engine, options in engines_here().items():
        for signals in (1, 2):
            bench = Bench(folder / f"{engine}-{signals}")
            command = bench.start(*options)
            await_that(lambda b=bench: _records(b) > 0, "a record")
            for _ in range(signals):
                command.process.send_signal(signal.SIGINT)
            status, said = command.end()
            assert status == 130, f"{status}: {said}"
            assert "Traceback" not in said, said
            assert said.rstrip().endswith("interrupted: what was finished is kept"), said
            kept = bench.check(said)
            assert kept >= 1
            _ends_well(bench, whole)
            times += 1
    return f"{times} times exit status 130, resumed"


def a_full_disk(folder: Path, whole: Bench) -> str:
    """A disk that is full in the middle of a suite, and has room again."""
    with _small_disk(folder / "disk") as disk:
        bench = whole.begun(disk, 4)
        room = os.statvfs(disk)
        filler = disk / "filler"
        filler.write_bytes(b"x" * (room.f_bavail * room.f_frsize - 30_000))
        status, said = bench.run("--jobs", "2")
        _stopped_by(said, status, "No space left on device")
        kept = bench.check(said)
        assert 4 <= kept < N_CELLS
        filler.unlink()
        _ends_well(bench, whole)
        return f"stopped with {kept} of {N_CELLS} records, resumed"


def a_quota(folder: Path, whole: Bench) -> str:
    """No file may be longer than 2,000 bytes."""
    bench = whole.begun(folder, 2)
    status, said = bench.run(longest_file=2000)
    _stopped_by(said, status, "File too large")
    assert bench.check(said) == 2
    _ends_well(bench, whole)
    return f"stopped with 2 of {N_CELLS} records, resumed"


def a_read_only_folder(folder: Path, whole: Bench) -> str:
    """The folder of records cannot be written to."""
    with contextlib.ExitStack() as stack:
        if os.geteuid() == 0:  # whom permissions do not keep out
            disk, reason = (
                stack.enter_context(_small_disk(folder / "disk")),
                "Read-only file system",
            )
        else:
            disk, reason = folder, "Permission denied"
        bench = whole.begun(disk, 2)
        _forbid(bench.records, disk)
        status, said = bench.run("--jobs", "2")
        _stopped_by(said, status, reason)
        assert bench.check(said) == 2
        _permit(bench.records, disk)
        _ends_well(bench, whole)
        return f"stopped with 2 of {N_CELLS} records, resumed"


def broken_records(folder: Path, whole: Bench) -> str:
    """Files that are cut, of zeros, empty, or under another's name are named and run again."""
    bench = whole.begun(folder, N_CELLS)
    paths = sorted(bench.records.glob("*.json"))
    cut, zeros, empty, other = paths[:4]
    cut.write_bytes(cut.read_bytes()[:-40])
    zeros.write_bytes(bytes(zeros.stat().st_size))
    empty.write_bytes(b"")
    other.write_bytes(paths[5].read_bytes())
    assert len(bench.endings()) == N_CELLS - 4
    bench.forget()
    status, said = bench.run()
    assert status == 0, said
    assert f"4 ok; {N_CELLS - 4} finished before" in said
    for path in (cut, zeros, empty, other):
        assert f"run again: {path}" in said
    assert bench.endings() == whole.endings()
    return f"4 of {N_CELLS} named, run again, equal"


def workers_killed_again_and_again(folder: Path, whole: Bench) -> str:
    """A cell that no worker survives stops the command, which says so; the others are kept."""
    reasons = {"loky": "workers were killed 3 times in a row", "dask": "dask gave a cell up"}
    tried = engines_here()
    del tried["one job"]
    for engine, options in tried.items():
        bench = Bench(folder / engine, ("fault_none", "fault_murder"), seeds=1)
        status, said = bench.run(*options)
        assert status == 1, f"{status}: {said}"
        assert f"error: {reasons[engine]}" in said, said
        assert said.rstrip().endswith("what was finished is kept"), said
        kept = bench.check(said)  # the other cell's, unless it died with its neighbour each time
        assert kept <= 1
        _are_among(whole, bench.endings())
    return f"{', '.join(tried)}: stopped with a line, what was finished kept"


SCENARIOS: dict[str, Callable[[Path, Bench], str]] = {
    "methods that fail": methods_that_fail,
    "SIGINT": an_interruption,
    "full disk": a_full_disk,
    "quota": a_quota,
    "read-only folder": a_read_only_folder,
    "broken records": broken_records,
    "workers killed again and again": workers_killed_again_and_again,
}


def _ends_well(bench: Bench, whole: Bench) -> None:
    """The resumed suite has exactly the records of the undisturbed one."""
    status, said = bench.run("--jobs", "1")
    assert status == 0, said
    assert bench.check(said) == N_CELLS
    assert bench.endings() == whole.endings()


def _are_among(whole: Bench, endings: dict[str, Ending]) -> None:
    expected = whole.endings()
    assert {key: expected[key] for key in endings} == endings


def _stopped_by(said: str, status: int, reason: str) -> None:
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    assert status == 1, f"{status}: {said}"
    assert len(lines) == 1, said
    assert "cannot write to" in lines[0], said
    assert reason in lines[0], said
    assert "Traceback" not in said, said


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


def _forbid(records: Path, disk: Path) -> None:
    """Let nothing be written to the folder of records."""
    if os.geteuid() == 0:
        _mount("-o", "remount,ro", str(disk))
    else:
        records.chmod(0o500)


def _permit(records: Path, disk: Path) -> None:
    """The reverse of :func:`_forbid`."""
    if os.geteuid() == 0:
        _mount("-o", "remount,rw", str(disk))
    else:
        records.chmod(0o700)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
