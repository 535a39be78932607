"""A process for every cell, so that a crash, a leak or a hang costs that one cell.

Processes are forked from a server that has imported the heavy modules already (``forkserver``), so
that a cell starts in tens of milliseconds. Where forking is missing or unsafe (Windows, macOS)
each process is spawned. This side watches the cell from outside, ends it at its limits with all
that it started, and writes its record.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver, reduction, resource_tracker, util
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import psutil

from deep_em_bench.benchmarks.engine.cell import (
    THREAD_VARIABLES,
    Descriptor,
    OnRow,
    Result,
    kill_descendants,
    kill_group,
    run_cell,
)
from deep_em_bench.benchmarks.engine.gpus import claimed
from deep_em_bench.benchmarks.engine.job import Job, Outcome, Setting
from deep_em_bench.benchmarks.engine.provenance import host
from deep_em_bench.benchmarks.scoring import headline
from deep_em_bench.core import DataError, UserError
from deep_em_bench.core.errors import one_line
from deep_em_bench.core.files import claim_folder
from deep_em_bench.core.guard import UNGUARDED
from deep_em_bench.results.record import Failure, Record, Status, replace
from deep_em_bench.results.store import Store

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

__all__ = ["Limits", "deaf_children", "resident_mb", "supervise"]

PRELOAD = "deep_em_bench.benchmarks.engine.preload"
PATIENCE = 5.0
"""Seconds a process gets to end by itself before more is done about it."""
LOOK = 0.1
"""Seconds between two looks at the memory; growth in between is noticed at their end."""
LONGEST = 3600.0
"""Seconds of one wait; the system's own waiting allows no more than some weeks."""

_starting = threading.Lock()
"""Held while a cell's process starts and is not among the active children yet."""


@dataclass(frozen=True)
class Ending:
    """How a cell ended that has sent no record."""

    status: Status
    failure: Failure


def supervise(job: Job, on_row: OnRow | None = None) -> Outcome:
    """Run the cell in a process of its own and write its record.

    ``on_row`` gets the method's history rows as they come, if the job's setting says ``watch``.
    A cell that may use a GPU waits for a free one. Raises :class:`UserError` where records
    cannot be written.
    """
    if not job.takes_device:
        return _supervised(job, on_row)
    with claimed(job.setting.device) as (device, lock):
        setting = dataclasses.replace(job.setting, device=device)
        return _supervised(dataclasses.replace(job, setting=setting), on_row, lock)


def _supervised(job: Job, on_row: OnRow | None, lock: Descriptor | None = None) -> Outcome:
    with contextlib.ExitStack() as stack:
        try:
            trace = stack.enter_context(tempfile.TemporaryFile())
            child, receiver = _started(job, trace, lock)
        except OSError as error:
            raise UserError(
                f"cannot start a cell's process: {error.strerror or error}; free some memory, "
                f"processes, or space for temporary files"
            ) from error
        started = time.perf_counter()  # not earlier: the first start includes the fork server's
        try:
            result = _watch(job, child, receiver, on_row)
        finally:
            _end(child)
            receiver.close()
        if isinstance(result, UserError):
            raise result
        if isinstance(result, Ending):
            trace.seek(0)
            text = trace.read().decode(errors="replace")
            failure = replace(result.failure, traceback=text)
            result = job.record(host(), result.status, failure), {}
    record = _written(job, *result)
    return _outcome(job, record, time.perf_counter() - started)


def _started(
    job: Job, trace: IO[bytes], lock: Descriptor | None, tries: int = 3
) -> tuple[BaseProcess, Connection]:
    """The cell's process and the connection that it sends to. Raises ``OSError``."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    stack = Descriptor(trace.fileno()) if hasattr(reduction, "DupFd") else None
    with sender:
        child = _context(job).Process(target=run_cell, args=(job, host(), sender, stack, lock))
        try:
            with _starting:
                child.start()
        except (EOFError, ConnectionError) as error:
            receiver.close()
            if tries == 1:
                raise OSError("its fork server was killed again and again") from error
        else:
            return child, receiver
    time.sleep(0.1)  # the fork server was killed; the next start brings up another
    return _started(job, trace, lock, tries - 1)


def _context(job: Job) -> ForkServerContext | SpawnContext:
    """The way children are started; the first call decides what the fork server imports."""
    _refuse_program_without_file()
    for name in THREAD_VARIABLES:  # BLAS and OpenMP read them when loaded, so before the server is
        os.environ[name] = str(job.threads)
    # On macOS the system's own libraries do not survive a fork after their first use.
    if "forkserver" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD, *job.setting.preload])
    with deaf_children():
        forkserver.ensure_running()
    claim_folder(Path(util.get_temp_dir()))  # where the fork server has its socket
    return context


def _refuse_program_without_file() -> None:
    """Raise :class:`UserError` for a program on standard input, which no process can import."""
    program = sys.modules["__main__"]
    path = getattr(program, "__file__", None)
    if path is not None and program.__spec__ is None and not Path(path).is_file():
        raise UserError(
            f"the program that calls main() is {path}, which cells' processes cannot import; "
            f"write it to a file"
        )


@contextlib.contextmanager
def deaf_children() -> Iterator[None]:
    """Processes started in this block ignore the terminal's Ctrl-C, also while they import.

    This process acts on it, at the end of the block at the latest.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # first, for its own start ends with SIGINT let through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which is inherited
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch(
    job: Job, child: BaseProcess, receiver: Connection, on_row: OnRow | None
) -> Result | UserError | Ending:
    """What the cell sends at its end, or how it ended without sending anything."""
    assert child.pid is not None, "it was started"
    limits = Limits(job.setting, child.pid)
    while True:
        if wait([receiver, child.sentinel], limits.pause()):
            if not receiver.poll():  # it ended without a message
                return _crash(child)
            try:
                message = receiver.recv()
            except (EOFError, OSError):  # it ended before a message, or within one
                return _crash(child)
            if isinstance(message, tuple | UserError):
                child.join(PATIENCE)
                return message
            if on_row is not None:
                on_row(message)
        ending = limits.ending()
        if ending is not None:
            return ending


def _crash(child: BaseProcess) -> UserError | Ending:
    child.join(PATIENCE)
    code = child.exitcode
    if code == UNGUARDED:
        return UserError(
            "the program that calls main() is imported by every cell's process; "
            "put the call below: if __name__ == '__main__':"
        )
    if code is not None and code < 0:
        known = {number.value: number.name for number in signal.Signals}
        name = known.get(-code, f"signal {-code}")
        cause = " (often by the system, for lack of memory)" if name == "SIGKILL" else ""
        message = f"the cell's process was killed by {name}{cause}"
        return Ending("failed", Failure(type=name, message=message))
    message = f"the cell's process ended with exit status {code} and without a record"
    return Ending("failed", Failure(type="ProcessEnded", message=message))


def _end(child: BaseProcess) -> None:
    """End the cell's process and all that it started."""
    assert child.pid is not None, "it was started"
    if child.is_alive():
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(child.pid)
            family = [parent, *parent.children(recursive=True)]
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()
            for process in psutil.wait_procs(family, timeout=PATIENCE)[1]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        child.join()
    kill_group(child.pid)
    server = getattr(forkserver, "_forkserver")._forkserver_pid  # noqa: B009 - private
    if server is not None:  # it has adopted what lost its parent, in whatever session
        with _starting:
            active = frozenset(process.pid for process in multiprocessing.active_children())
            kill_descendants(server, spared=active)


class Limits:
    """The limits, by its setting, of a cell whose process ``pid`` has just started."""

    def __init__(self, setting: Setting, pid: int) -> None:
        started = time.perf_counter()
        self._setting = setting
        self._pid = pid
        timeout, memory = setting.timeout, setting.max_memory
        self._deadline = math.inf if timeout is None else started + timeout
        self._next_look = math.inf if memory is None else started

    def pause(self) -> float | None:
        """Seconds until the next look at the limits; None where there is no limit."""
        until = min(self._deadline, self._next_look)
        return None if until == math.inf else min(LONGEST, max(0.0, until - time.perf_counter()))

    def ending(self) -> Ending | None:
        """How the cell ends at the limit that it exceeds; None while it keeps to all."""
        now = time.perf_counter()
        if now >= self._deadline:
            message = f"stopped after {self._setting.timeout:g} s; allow more with --timeout"
            return Ending("timeout", Failure(type="Timeout", message=message))
        if now < self._next_look or self._setting.max_memory is None:
            return None
        resident = resident_mb(self._pid)
        self._next_look = time.perf_counter() + LOOK
        if resident <= self._setting.max_memory:
            return None
        message = (
            f"stopped at {math.ceil(resident)} MiB, over the {self._setting.max_memory:g} MiB "
            f"allowed; allow more with --max-memory"
        )
        return Ending("memory", Failure(type="MemoryLimit", message=message))


def resident_mb(pid: int) -> float:
    """MiB of memory that a process and all that it started hold; 0 once it is gone.

    Pages that two of them share count for each: libraries, and what a fork has not written to.
    """
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0.0
    return sum(map(_resident_bytes, family)) / 2**20


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # it ended since it was listed
        return 0


def _written(job: Job, record: Record, arrays: Mapping[str, np.ndarray]) -> Record:
    store = Store(job.setting.folder)
    try:
        return store.write(record, arrays)
    except DataError as error:  # more than a record may hold
        failure = Failure(type=type(error).__name__, message=str(error))
        return store.write(job.record(host(), "failed", failure))


def _outcome(job: Job, record: Record, seconds: float) -> Outcome:
    lines = f"{record.error.type}: {record.error.message}".splitlines() if record.error else [""]
    return Outcome(
        cell=job.cell,
        status=record.status,
        message=one_line(lines[0]),
        error_rate=headline(record.metrics),
        seconds=seconds,
    )
