"""The cell's own process: it runs the cell and sends the record to its supervisor.

It writes nothing to the folder of records, so a method that uses up file descriptors or lowers
the limits of its process cannot keep a record from being written.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Container, Mapping
from multiprocessing import reduction
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

import numpy as np
import psutil

from deep_em_bench.benchmarks.engine.job import Job
from deep_em_bench.benchmarks.engine.provenance import Host, loaded
from deep_em_bench.core import DataError, UserError
from deep_em_bench.results.record import Failure, Record

__all__ = [
    "THREAD_VARIABLES",
    "Descriptor",
    "OnRow",
    "Result",
    "adopt_orphans",
    "kill_descendants",
    "kill_group",
    "run_cell",
]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

PR_SET_CHILD_SUBREAPER = 36
"""Of Linux's ``prctl``."""
TRIES = 100

OnRow = Callable[[Mapping[str, Any]], None]
Result = tuple[Record, Mapping[str, np.ndarray]]


class Descriptor:
    """An open file that a child process gets as an argument, on systems other than Windows."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self.number),)  # type: ignore[attr-defined]


def _received(duplicate: Any) -> Descriptor:
    return Descriptor(duplicate.detach())


def run_cell(
    job: Job, host: Host, sender: Connection, trace: Descriptor | None, lock: Descriptor | None
) -> None:
    """Run the cell, send its record and arrays, and end this process.

    A :class:`UserError` that is not the cell's own is sent in place of a record. Python's stack
    is written to ``trace`` on a crash and on SIGTERM; ``lock`` stays open until this process ends.
    """
    gc.freeze()  # else a collection would write to, hence copy, every page shared with the server
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor acts on it
    adopt_orphans()
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # so that its children can be ended when it is gone
    os.dup2(2, 1)  # standard output is for the command's own data
    threading.Thread(target=_die_with_supervisor, daemon=True).start()
    if trace is not None:
        faulthandler.enable(trace.number, all_threads=False)
        faulthandler.register(signal.SIGTERM, trace.number, all_threads=False, chain=True)
    _send(sender, _result(job, host, _row_sender(sender) if job.setting.watch else None))
    sender.close()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(0)  # at the interpreter's own end a method's threads could keep it waiting


def _result(job: Job, host: Host, on_row: OnRow | None) -> Result | UserError:
    from deep_em_bench import methods

    try:
        for plugin in job.setting.plugins:
            methods.registry.load_plugin(plugin)
        from deep_em_bench.benchmarks.execute import execute

        _refuse_other_code(job)
        _limit_threads(job.threads)
        record, arrays = execute(job, host, on_row)
    except UserError as error:
        return error
    try:
        return _plain(record, arrays)
    except DataError as error:  # the method's history or arrays are not what files can hold
        return job.record(host, "failed", Failure(type="DataError", message=str(error))), {}


def _refuse_other_code(job: Job) -> None:
    """Raise :class:`UserError` on a machine with another version than the command's."""
    here = loaded(job.cell.method)
    for what, now, asked in (
        ("deep-em-bench", here.package, job.code.package),
        (f"method {job.cell.method}", here.method_version, job.code.method_version),
    ):
        if now != asked:
            raise UserError(
                f"{what} has version {now} on {platform.node()} and version {asked} where the "
                f"command runs; install the same on both"
            )


def _plain(record: Record, arrays: Mapping[str, np.ndarray]) -> Result:
    """The record as it will be read, without objects that only a plugin in this process knows.

    Raises :class:`DataError` for what no record can hold.
    """
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.hasobject:
            raise DataError(f"array {name!r} holds Python objects; give numbers or fixed strings")
    return Record.from_json(record.to_json(), where="the cell's record"), plain


def _row_sender(sender: Connection) -> OnRow:
    def send(row: Mapping[str, Any]) -> None:
        _send(sender, {k: v for k, v in row.items() if isinstance(v, int | float | str)})

    return send


def _send(sender: Connection, message: Any) -> None:
    """Send it to the supervisor; if that was killed, end too: the cell did not fail."""
    try:
        sender.send(message)
    except (BrokenPipeError, ConnectionResetError):
        _leave()


def _die_with_supervisor() -> None:
    """A supervisor that was killed cannot end its cell; the cell then ends itself."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    _leave()


def _leave() -> NoReturn:
    """End this cell's process and all that it started."""
    kill_descendants(os.getpid())
    kill_group(os.getpid())
    os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, also of those in other sessions.

    Without it they go to the system's first process, where nobody knows whose they were.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_descendants(pid: int, *, spared: Container[int | None] = ()) -> None:
    """Kill what the process started, but for the ``spared`` children and what they started."""
    for _ in range(TRIES):  # one of them may start another meanwhile
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(pid).children():
                if child.pid not in spared:
                    family += [child, *_descendants(child)]
        if not sum(map(_killed, family)):
            return
        time.sleep(0.01)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _killed(process: psutil.Process) -> bool:
    """Kill it; whether it was alive."""
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        process.kill()
    except psutil.Error:
        return False
    return alive


def kill_group(leader: int) -> None:
    """Kill the processes of a cell's group."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _limit_threads(threads: int) -> None:
    if os.environ.get(THREAD_VARIABLES[0]) != str(threads):
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
