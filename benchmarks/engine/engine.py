"""Which cells are left to run, on which data, and their outcomes one after the other."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Literal

from deep_em_bench.benchmarks.engine.dask import connected, n_threads, outcomes
from deep_em_bench.benchmarks.engine.isolate import deaf_children, supervise
from deep_em_bench.benchmarks.engine.job import Job, Outcome, Setting
from deep_em_bench.benchmarks.engine.provenance import Code, loaded
from deep_em_bench.benchmarks.engine.schedule import seconds_of
from deep_em_bench.benchmarks.parameters import accepts
from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.core import ConfigError, DataError, UnreadableError, UserError
from deep_em_bench.core.files import sweep_folders
from deep_em_bench.results.record import DatasetUsed, Status
from deep_em_bench.results.store import Store

__all__ = ["Backend", "Done", "Rerun", "done", "look_at", "pending", "run"]

Backend = Literal["loky", "dask"]
Rerun = Literal["none", "failed", "all"]
"""Which finished cells are run again: none, those whose record is not ok, or all."""

log = logging.getLogger(__name__)

MOST_KILLS = 3
"""How often in a row workers may be killed before a cell ends."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A cell that has a record already."""

    status: Status
    stale: bool
    """Whether the method has another version by now, or its plugin other files."""
    data_digest: str | None = None
    """Of the arrays that it had; None is unknown."""
    seconds: float | None = None
    """What it took, where it succeeded."""


def done(cells: Iterable[Cell], store: Store, rerun: Rerun = "none") -> dict[str, Done]:
    """The cells that have a readable record, by key; logs a warning for a damaged one.

    Raises :class:`UserError` for a record that may be whole, but cannot be read here, unless
    all cells are run again.
    """
    finished: dict[str, Done] = {}
    keys = set(store.keys())
    for cell in cells:
        if cell.key in keys:
            try:
                record = store.read(cell.key, history=False)
            except DataError as error:
                if isinstance(error, UnreadableError) and rerun != "all":
                    raise UserError(f"{error}; --force replaces it") from error
                log.warning("run again: %s", error)
                continue
            made, now = record.provenance, _code(cell.method)
            finished[cell.key] = Done(
                status=record.status,
                stale=(made.method_version, made.plugins) != (now.method_version, now.plugins),
                data_digest=record.dataset.data_digest,
                seconds=seconds_of(record),
            )
    return finished


def pending(
    cells: Sequence[Cell], finished: Mapping[str, Done], rerun: Rerun = "none"
) -> list[Cell]:
    """The cells to run, in their order."""
    return [
        cell
        for cell in cells
        if rerun == "all"
        or cell.key not in finished
        or (rerun == "failed" and finished[cell.key].status != "ok")
    ]


def look_at(cells: Iterable[Cell], setting: Setting) -> dict[str, DatasetUsed]:
    """The data of each cell, by key; each data set is loaded (and downloaded if need be) once.

    Raises :class:`DataError` or :class:`ConfigError` for data that cannot be had.
    """
    specs = {repr(cell.dataset): cell.dataset for cell in cells}  # words may be unhashable
    used = {text: _described(spec, setting) for text, spec in specs.items()}
    return {cell.key: used[repr(cell.dataset)] for cell in cells}


def run(
    cells: Sequence[Cell],
    setting: Setting,
    *,
    backend: Backend = "loky",
    scheduler: str | None = None,
    on_row: Callable[[Mapping[str, Any]], None] | None = None,
) -> Generator[Outcome, None, None]:
    """Run every cell; yields its outcome as soon as its record is written, in any order.

    With one job the cells run one after the other under this process. With more, joblib's workers
    supervise them on this machine (``loky``), or those of the dask cluster of a ``scheduler``.

    Raises :class:`UserError` before the first cell starts for data that cannot be had and for
    a folder that records cannot be written to.
    """
    used = look_at(cells, setting)
    Store(setting.folder).check_writable()
    sweep_folders()
    setting = dataclasses.replace(setting, preload=_modules(cells))

    def queue(jobs: int, threads: int) -> list[Job]:
        running = dataclasses.replace(setting, jobs=jobs)
        return [
            Job(
                cell=cell,
                setting=running,
                dataset=used[cell.key],
                n_clusters=cell.n_clusters or used[cell.key].n_classes or 1,
                threads=setting.threads or threads,
                code=_code(cell.method),
                takes_device="device" in accepts(cell.method),
            )
            for cell in cells
        ]

    if backend == "dask":
        with connected(scheduler) as client:
            yield from outcomes(client, _supervise_in_worker, queue(n_threads(client), 1))
    elif (jobs := min(setting.jobs, len(cells))) > 1:
        with _loky(jobs):
            yield from _spread(queue(jobs, 1))
    else:
        # With --jobs a single last cell has one thread, too, so that its seconds can be compared.
        for job in queue(1, _cores() if setting.jobs == 1 else 1):
            yield supervise(job, on_row)


def _described(spec: DatasetSpec, setting: Setting) -> DatasetUsed:
    from deep_em_bench import datasets

    datasets.check_words(spec.name, spec.words)  # a replayed record is no suite that was planned
    where = {"device": setting.device, "data_dir": setting.data_dir}
    try:
        return DatasetUsed(**datasets.load(spec.name, **where, **spec.words).describe())
    except UserError:
        raise
    except Exception as error:  # the loader's own code, and words that it cannot take
        text = " ".join(str(error).split())
        raise ConfigError(
            f"data set {spec.name} cannot be loaded with {dict(spec.words)}: "
            f"{type(error).__name__}: {text}; change its words, or correct its loader"
        ) from error


def _spread(queue: Sequence[Job]) -> Generator[Outcome, None, None]:
    """The jobs through joblib's workers; those of a killed worker start once more."""
    import joblib

    waiting = {job.cell.key: job for job in queue}
    kills = 0
    while waiting:
        # A batch would keep the outcomes of its first cells back until its last one is done.
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        with deaf_children():
            ended = parallel(
                joblib.delayed(_supervise_in_worker)(job) for job in [*waiting.values()]
            )
        try:
            with contextlib.closing(ended):
                for outcome in ended:
                    waiting.pop(outcome.cell.key)
                    kills = 0
                    yield outcome
        except BrokenProcessPool as error:
            kills += 1
            if kills == MOST_KILLS:
                raise UserError(
                    f"workers were killed {kills} times in a row before a cell ended; take "
                    f"fewer --jobs, or --max-memory; what was finished is kept"
                ) from error
            log.warning("a worker was killed; %d cells start again", len(waiting))


def _supervise_in_worker(job: Job) -> Outcome:
    """:func:`supervise` in a worker of joblib."""
    # Daemons, as dask's workers are, may have no children; cells end themselves with their worker.
    multiprocessing.current_process().daemon = False
    return supervise(job)


def _begin_worker(command: int) -> None:
    """Have this loky worker end with the command's process, and not before it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command itself ends its workers

    def watch() -> None:
        # Where the command was killed before this began, another process is the parent already.
        while os.getppid() == command:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _loky(jobs: int) -> Iterator[None]:
    """joblib set up for so many workers on this machine."""
    import joblib

    first = {"initializer": _begin_worker, "initargs": (os.getpid(),)}
    with _quiet_tracker(), joblib.parallel_config("loky", n_jobs=jobs, **first):
        yield


@contextlib.contextmanager
def _quiet_tracker() -> Iterator[None]:
    """Silence loky's tracker, which tidies up after a command that ends at once, and warns."""
    name, silence = "PYTHONWARNINGS", "ignore:resource_tracker:UserWarning"
    before = os.environ.get(name)
    os.environ[name] = f"{before},{silence}" if before else silence
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _modules(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Modules of this package that the cells import; those of plugins have no importable name."""
    from deep_em_bench import datasets, methods

    kinds = {methods.registry.get(cell.method).value.__module__ for cell in cells}
    loaders = {datasets.registry.get(cell.dataset.name).value.__module__ for cell in cells}
    return tuple(sorted(m for m in kinds | loaders if m.startswith("deep_em_bench.")))


@functools.cache
def _code(method: str) -> Code:
    return loaded(method)


def _cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
