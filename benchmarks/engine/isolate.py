"""A process for every cell, so that a crash, a leak or a hang costs that one cell.

Processes are forked from a server that has the heavy modules imported already (``forkserver``): a
cell's start costs tens of milliseconds, not a fresh import of torch. Where forking is missing or
unsafe (Windows, macOS) each is started anew. The child writes its own record; this side watches
from outside, ends what takes too long, and writes the record of what could not write its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil

from deep_em_bench.benchmarks.engine.gpus import Lock, claimed
from deep_em_bench.benchmarks.engine.job import Job, Outcome
from deep_em_bench.benchmarks.engine.limits import Limits
from deep_em_bench.benchmarks.engine.provenance import Host, host
from deep_em_bench.benchmarks.scoring import headline
from deep_em_bench.core import DataError, UserError
from deep_em_bench.core.errors import one_line
from deep_em_bench.results.record import Failure, Record, Status
from deep_em_bench.results.store import Store

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

__all__ = ["deaf_children", "supervise"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PRELOAD = "deep_em_bench.benchmarks.engine.preload"
PATIENCE = 5.0
"""Seconds a process gets to end by itself before more is done about it."""

OnRow = Callable[[Mapping[str, Any]], None]


def supervise(job: Job, on_row: OnRow | None = None) -> Outcome:
    """Run the cell in a process of its own; when this returns, its record is in the store.

    ``on_row`` gets the method's history rows as they come, if the job's setting says ``watch``.
    A cell that may run on a GPU waits for one that is free. Raises :class:`UserError` where
    records cannot be written.
    """
    if not job.takes_device:
        return _supervised(job, on_row)
    with claimed(job.setting.device) as (device, lock):
        setting = dataclasses.replace(job.setting, device=device)
        return _supervised(dataclasses.replace(job, setting=setting), on_row, lock)


def _supervised(job: Job, on_row: OnRow | None, lock: Lock | None = None) -> Outcome:
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="deep-em-bench-"))
            trace = Path(folder, "trace")
            trace.touch()
            child, receiver = _started(job, trace, lock)
        except OSError as error:
            raise UserError(
                f"cannot start a cell's process: {error.strerror or error}; free some memory, "
                f"processes, or space for temporary files"
            ) from error
        started = time.perf_counter()  # from here on: before a first cell, its server had to start
        try:
            ended = _watch(job, child, receiver, on_row)
        finally:
            _end(child)
            receiver.close()
        if isinstance(ended, UserError):
            raise ended
        if isinstance(ended, Outcome):
            return dataclasses.replace(ended, seconds=time.perf_counter() - started)
        # It could not write its record itself.
        status, failure = ended
        text = trace.read_text(encoding="utf-8", errors="replace")
        failure = dataclasses.replace(failure, traceback=text)
    record = Store(job.setting.folder).write(job.record(host(), status, failure))
    return _outcome(job, record, time.perf_counter() - started)


def _started(
    job: Job, trace: Path, lock: Lock | None, tries: int = 3
) -> tuple[BaseProcess, Connection]:
    """The cell's process, and where it says how it goes. Raises ``OSError``."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    with sender:
        child = _context(job).Process(target=_child, args=(job, host(), sender, trace, lock))
        try:
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
    for name in THREAD_VARIABLES:  # BLAS and OpenMP read them when loaded, so before the server is
        os.environ[name] = str(job.threads)
    # On macOS the system's own libraries do not survive a fork after their first use.
    if "forkserver" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD, *job.setting.preload])
    with deaf_children():
        forkserver.ensure_running()
    return context


@contextlib.contextmanager
def deaf_children() -> Iterator[None]:
    """Processes started in here never hear the terminal's Ctrl-C, not even while they import.

    It is this process that acts on one; one that comes in here is heard at the end.
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
) -> Outcome | UserError | tuple[Status, Failure]:
    """What the child says of its end, or what became of it where it says nothing."""
    assert child.pid is not None, "it was started"
    limits = Limits(job.setting, child.pid)
    while True:
        if wait([receiver, child.sentinel], limits.pause()):
            if not receiver.poll():  # the sentinel alone: it ended without a word
                return "failed", _crash(child)
            try:
                said = receiver.recv()
            except (EOFError, OSError):  # it ended before a word, or within one
                return "failed", _crash(child)
            if isinstance(said, Outcome | UserError):
                child.join(PATIENCE)
                return said
            if on_row is not None:
                on_row(said)
        passed = limits.passed()
        if passed is not None:
            return passed


def _crash(child: BaseProcess) -> Failure:
    child.join(PATIENCE)
    code = child.exitcode
    if code is not None and code < 0:
        known = {number.value: number.name for number in signal.Signals}
        name = known.get(-code, f"signal {-code}")
        cause = " (often by the system, for lack of memory)" if name == "SIGKILL" else ""
        return Failure(type=name, message=f"the cell's process was killed by {name}{cause}")
    message = f"the cell's process ended with exit status {code} and without a record"
    return Failure(type="ProcessEnded", message=message)


def _end(child: BaseProcess) -> None:
    """See to it that the child and what it started are gone."""
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
    _kill_group(child.pid)  # what lost its parent on the way


def _kill_group(leader: int) -> None:
    """End the processes of a cell's group."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _child(job: Job, at: Host, sender: Connection, trace: Path, lock: Lock | None) -> None:
    """The cell's process: execute, write, say how it went; the lock is held to its end."""
    gc.freeze()  # else a collection would write to, hence copy, every page shared with the server
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor's to act on
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # so that what it starts can be found once it is gone
    os.dup2(2, 1)  # what a method prints is no output of the harness
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        file = trace.open("w")
    except FileNotFoundError:  # the supervisor was interrupted meanwhile, and tidied up
        _leave()
    with file:
        _trace_into(file.fileno())
        _tell(sender, _executed(job, at, _row_sender(sender) if job.setting.watch else None))
        sender.close()
        sys.stderr.flush()
        # Nothing is left to do but tearing down, which a method's own threads could hold up.
        os._exit(0)


def _executed(job: Job, at: Host, on_row: OnRow | None) -> Outcome | UserError:
    """How the cell ended; the error where it is none of the cell's, and stops the run."""
    from deep_em_bench import methods

    store = Store(job.setting.folder)
    try:
        for plugin in job.setting.plugins:
            methods.registry.load_plugin(plugin)
        from deep_em_bench.benchmarks.execute import execute

        _limit_threads(job.threads)
        record, arrays = execute(job, at, on_row)
        try:
            store.write(record, arrays)
        except DataError as error:  # the method's history or arrays are not what files can hold
            failure = Failure(type=type(error).__name__, message=str(error))
            record = store.write(job.record(at, "failed", failure))
    except UserError as error:
        return error
    return _outcome(job, record)


def _outcome(job: Job, record: Record, seconds: float = 0.0) -> Outcome:
    lines = f"{record.error.type}: {record.error.message}".splitlines() if record.error else [""]
    return Outcome(
        cell=job.cell,
        status=record.status,
        message=one_line(lines[0]),
        error_rate=headline(record.metrics),
        seconds=seconds,
    )


def _row_sender(sender: Connection) -> OnRow:
    def send(row: Mapping[str, Any]) -> None:
        _tell(sender, {k: v for k, v in row.items() if isinstance(v, int | float | str)})

    return send


def _tell(sender: Connection, said: Any) -> None:
    """Send it to the supervisor; where that was killed, end: it is no failure of the cell's."""
    try:
        sender.send(said)
    except (BrokenPipeError, ConnectionResetError):
        _leave()


def _trace_into(file: int) -> None:
    """Have Python's stack written there on a crash, and when the supervisor ends a hanging fit."""
    faulthandler.enable(file, all_threads=False)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGTERM, file, all_threads=False, chain=True)


def _die_with_parent() -> None:
    """A supervisor that was killed cannot end its cell; the cell then ends itself."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    _leave()


def _leave() -> NoReturn:
    """End this cell's process and what it started."""
    _kill_group(os.getpid())
    os._exit(1)


def _limit_threads(threads: int) -> None:
    if os.environ.get(THREAD_VARIABLES[0]) != str(threads):
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
