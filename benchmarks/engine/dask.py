"""Cells on a dask cluster: the one that is named, or one started on this machine."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from deep_em_bench.benchmarks.engine.job import Job, Outcome
from deep_em_bench.core import UserError

if TYPE_CHECKING:
    from distributed import Client  # type: ignore[import-not-found]

__all__ = ["connected", "n_threads", "outcomes"]


@contextlib.contextmanager
def connected(scheduler: str | None) -> Iterator[Client]:
    """A client of the cluster at the address ``scheduler``, or of one started here.

    Raises :class:`UserError` where dask is not installed or no scheduler answers.
    """
    try:
        from distributed import Client  # type: ignore[import-not-found]
    except ImportError as error:
        raise UserError(
            "--backend dask needs dask; install it: pip install distributed"
        ) from error
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":  # which prints errors that it raises, too
            logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        try:
            client = stack.enter_context(Client(scheduler))
        except (OSError, ValueError, RuntimeError) as error:
            if scheduler is None:
                raise UserError(
                    f"a dask cluster cannot be started on this machine ({error}); run it again, "
                    f"or start one and give its --scheduler"
                ) from error
            raise UserError(
                f"no dask scheduler answers at {scheduler}; "
                f"give the address that it printed at its start"
            ) from error
        yield client


def n_threads(client: Client) -> int:
    """How many cells the cluster runs at a time. Raises :class:`UserError` if it has no worker."""
    threads: Any = client.nthreads()  # no coroutine, for the client is not asynchronous
    if not threads:
        raise UserError("the dask cluster has no workers; start some")
    return sum(threads.values())


def outcomes(
    client: Client, run: Callable[[Job], Outcome], jobs: Sequence[Job]
) -> Iterator[Outcome]:
    """The outcome of ``run`` for each job, as they come; the workers start the first ones first.

    A job whose worker was killed starts again on another one. Raises :class:`UserError` where
    dask gives such a job up, and where the scheduler ends.
    """
    from distributed import KilledWorker, as_completed  # type: ignore[import-not-found]

    futures = client.map(run, jobs, pure=False)
    try:
        for future in as_completed(futures):
            yield future.result()
    except KilledWorker as error:
        raise UserError(
            "dask gave a cell up, for the workers that ran it were all killed; start them "
            "with more memory, or take --max-memory; what was finished is kept"
        ) from error
    except (CancelledError, OSError) as error:
        raise UserError(
            "the dask scheduler ended; start it again, and run again: what was finished is kept"
        ) from error
