"""Faults that are brought about on purpose, one after the other, and what must come of each.

Every scenario takes an empty folder and the suite as it ends undisturbed, asserts, and returns a
phrase of what it saw.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.environment import environment
from tests.faults.bench import N_CELLS, Bench, Ending, await_that, engines_here

__all__ = ["SCENARIOS", "SkippedError"]

SOUND = ("fault_descriptors", "fault_limits", "fault_daemon")
"""Methods that end well, and leave the cell's process in a state that could spoil its record."""

ILL = {
    "fault_daemon_crash": ("failed", "SIGSEGV: the cell's process was killed by SIGSEGV"),
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
    bench = Bench(folder, ("fault_none", *ILL, *SOUND), seeds=1)
    status, printed = bench.run("--jobs", "2", "--timeout", "15", "--max-memory", "900")
    assert status == 1, printed
    assert bench.check(printed) == 1 + len(SOUND)  # and no process is left
    ended = bench.by_method()
    for method, (how, why) in ILL.items():
        assert ended[method][0] == how, ended[method]
        assert ended[method][1].startswith(why), ended[method]
    for method in SOUND:
        assert ended[method] == ended["fault_none"]
    again, printed = bench.run("--timeout", "15")
    assert again == 1
    assert f"nothing to do; {1 + len(ILL) + len(SOUND)} finished before" in printed
    assert f"{len(ILL)} failed before: --retry-failed" in printed
    return f"{len(ILL)} rows with their reasons, {len(SOUND)} succeeded, no process left"


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
            status, printed = command.end()
            assert status == 130, f"{status}: {printed}"
            assert "Traceback" not in printed, printed
            assert printed.rstrip().endswith("interrupted: what was finished is kept"), printed
            kept = bench.check(printed)
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
        status, printed = bench.run("--jobs", "2")
        _stopped_by(printed, status, "No space left on device")
        kept = bench.check(printed)
        assert 4 <= kept < N_CELLS
        filler.unlink()
        _ends_well(bench, whole)
        return f"stopped with {kept} of {N_CELLS} records, resumed"


def a_quota(folder: Path, whole: Bench) -> str:
    """No file may be longer than 2,000 bytes."""
    bench = whole.begun(folder, 2)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    status, printed = bench.run(before=limit)
    _stopped_by(printed, status, "File too large")
    assert bench.check(printed) == 2
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
        status, printed = bench.run("--jobs", "2")
        _stopped_by(printed, status, reason)
        assert bench.check(printed) == 2
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
    status, printed = bench.run()
    assert status == 0, printed
    assert f"4 ok; {N_CELLS - 4} finished before" in printed
    for path in (cut, zeros, empty, other):
        assert f"run again: {path}" in printed
    assert bench.endings() == whole.endings()
    return f"4 of {N_CELLS} named, run again, equal"


def workers_killed_again_and_again(folder: Path, whole: Bench) -> str:
    """A cell that no worker survives stops the command, which says so; the others are kept."""
    reasons = {"loky": "workers were killed 3 times in a row", "dask": "dask gave a cell up"}
    tried = engines_here()
    del tried["one job"]
    for engine, options in tried.items():
        bench = Bench(folder / engine, ("fault_none", "fault_murder"), seeds=1)
        status, printed = bench.run(*options)
        assert status == 1, f"{status}: {printed}"
        assert f"error: {reasons[engine]}" in printed, printed
        assert printed.rstrip().endswith("what was finished is kept"), printed
        kept = bench.check(
            printed
        )  # the other cell's, unless it died with its neighbour each time
        assert kept <= 1
        _are_among(whole, bench.endings())
    return f"{', '.join(tried)}: stopped with a line, what was finished kept"


def closed_streams(folder: Path, whole: Bench) -> str:
    """Standard input, output and error are closed."""
    bench = Bench(folder)
    status, _ = bench.run("--jobs", "2", before="import os; os.closerange(0, 3)")
    assert status == 0
    assert bench.check() == N_CELLS
    assert bench.endings() == whole.endings()
    return "the records of the undisturbed suite"


def wrong_calls(folder: Path, whole: Bench) -> str:
    """A script without the guard of its main module, one on standard input, a name not UTF-8."""
    bench = Bench(folder)
    script = folder / "script.py"
    call = "import sys; from deep_em_bench.benchmarks.run import main; sys.exit(main())"
    script.write_text(call, encoding="utf-8")
    status, printed = bench.run(program=(str(script),))
    assert status == 1, printed
    assert printed.splitlines()[-1].endswith("put the call below: if __name__ == '__main__':")
    assert "Traceback" not in printed, printed
    with script.open(encoding="utf-8") as program:
        status, printed = bench.run(program=("-",), stdin=program)
    assert status == 1, printed
    assert "is <stdin>, which cells' processes cannot import; write it to a file" in printed
    assert "Traceback" not in printed, printed
    bench.suite = bench.suite.rename(folder / os.fsdecode(b"\xff.toml"))
    status, printed = bench.run()
    assert status == 2, printed
    assert "\\udcff.toml' is not printable UTF-8 text; rename the file" in printed
    assert bench.check() == 0
    return "a line each"


def a_killed_commands_folder(folder: Path, whole: Bench) -> str:
    """A later command removes it, once it is old; not before."""
    bench, temporary = Bench(folder), folder / "tmp"
    temporary.mkdir()
    there = f"import os; os.environ['TMPDIR'] = {str(temporary)!r}"
    command = bench.start(before=there)
    await_that(lambda: _records(bench) > 0, "a record")
    command.process.kill()
    command.end()
    (left,) = temporary.iterdir()
    bench.run("--force", "--seeds", "0", before=there)
    assert list(temporary.iterdir()) == [left]
    os.utime(left, (0, 0))
    bench.run("--force", "--seeds", "0", before=there)
    assert list(temporary.iterdir()) == []
    return "removed"


def a_killed_scheduler(folder: Path, whole: Bench) -> str:
    """Of a dask cluster with one thread, whose worker runs the cells."""
    bench = Bench(folder)
    with _cluster(folder) as (address, scheduler):
        command = bench.start("--backend", "dask", "--scheduler", address)
        await_that(lambda: _records(bench) > 0, "a record")
        here = [" ".join(process.cmdline()) for process in command.family()]
        assert not any("forkserver" in line for line in here), here
        scheduler.kill()
        status, printed = command.end()
    assert status == 1, printed
    lines = printed.splitlines()
    assert lines[-1].startswith("error: the dask scheduler ended"), printed
    assert all(" · ok · " in line or " cells, " in line for line in lines[:-1]), printed
    kept = bench.check(printed)
    assert kept < N_CELLS
    _ends_well(bench, whole)
    return f"stopped with {kept} of {N_CELLS} records, resumed"


def a_worker_of_another_version(folder: Path, whole: Bench) -> str:
    """It refuses its first cell, and the command stops."""
    bench = Bench(folder)
    patch = "import deep_em_bench; deep_em_bench.__version__ = '0.0'"
    (folder / "sitecustomize.py").write_text(patch, encoding="utf-8")
    with _cluster(folder, folder) as (address, _):
        status, printed = bench.run("--backend", "dask", "--scheduler", address)
    assert status == 1, printed
    (line,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: deep-em-bench has version 0.0 on "), line
    assert bench.check() == 0
    return "refused with a line"


@contextlib.contextmanager
def _cluster(folder: Path, *paths: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and the process of a dask scheduler that has one worker with one thread."""
    if "dask" not in engines_here():
        raise SkippedError("dask is not installed")
    distributed: Any = importlib.import_module("distributed")
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    parts = {"scheduler": ["--port", "0"], "worker": ["--nthreads", "1", "--no-nanny"]}
    with contextlib.ExitStack() as stack:
        started = []
        for name, options in parts.items():
            run = [sys.executable, "-m", f"distributed.cli.dask_{name}", *common, *options]
            part = subprocess.Popen(run, stderr=subprocess.DEVNULL, env=environment(*paths))
            started.append(stack.enter_context(part))
            stack.callback(part.kill)
        await_that(file.is_file, "the scheduler's address")
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        with distributed.Client(address) as client:
            client.wait_for_workers(1, timeout=60)
        yield address, started[0]


SCENARIOS: dict[str, Callable[[Path, Bench], str]] = {
    "methods that fail": methods_that_fail,
    "SIGINT": an_interruption,
    "full disk": a_full_disk,
    "quota": a_quota,
    "read-only folder": a_read_only_folder,
    "broken records": broken_records,
    "workers killed again and again": workers_killed_again_and_again,
    "closed streams": closed_streams,
    "wrong calls": wrong_calls,
    "killed command's folder": a_killed_commands_folder,
    "killed scheduler": a_killed_scheduler,
    "worker of another version": a_worker_of_another_version,
}


def _ends_well(bench: Bench, whole: Bench) -> None:
    """The resumed suite has exactly the records of the undisturbed one."""
    status, printed = bench.run("--jobs", "1")
    assert status == 0, printed
    assert bench.check(printed) == N_CELLS
    assert bench.endings() == whole.endings()


def _are_among(whole: Bench, endings: dict[str, Ending]) -> None:
    expected = whole.endings()
    assert {key: expected[key] for key in endings} == endings


def _stopped_by(printed: str, status: int, reason: str) -> None:
    lines = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert status == 1, f"{status}: {printed}"
    assert len(lines) == 1, printed
    assert "cannot write to" in lines[0], printed
    assert reason in lines[0], printed
    assert "Traceback" not in printed, printed


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
