"""A dask cluster under joblib: the one that is named, or one started on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from deep_em_bench.core import UserError

if TYPE_CHECKING:
    from distributed import Client  # type: ignore[import-not-found]
    from joblib._dask import DaskDistributedBackend

__all__ = ["connected"]


@contextlib.contextmanager
def connected(scheduler: str | None) -> Iterator[int]:
    """joblib set up for the cluster; how many cells it runs at the same time.

    Raises :class:`UserError` where dask is not installed, no ``scheduler`` answers, it has no
    workers, or workers are killed under one cell so often that dask tries no other.
    """
    try:
        from distributed import Client, KilledWorker  # type: ignore[import-not-found]
    except ImportError as error:
        raise UserError(
            "--backend dask needs dask; run in the repository: pip install -e '.[dask]'"
        ) from error
    import joblib

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
        nthreads: Any = client.nthreads()  # no coroutine, for the client is not asynchronous
        threads = sum(nthreads.values())
        if not threads:
            raise UserError(f"the dask cluster at {scheduler} has no workers; start some")
        stack.enter_context(joblib.parallel_config(_backend(client), n_jobs=threads))
        try:
            yield threads
        except KilledWorker as error:
            raise UserError(
                "dask gave a cell up, for the workers that ran it were all killed; start them "
                "with more memory, or take --max-memory; what was finished is kept"
            ) from error


def _backend(client: Client) -> DaskDistributedBackend:
    """joblib's own, which by itself would wait for ever for a task that dask has given up."""
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):
        def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Future[Any]:
            future = super().submit(func, callback)
            if callback is not None:
                future.add_done_callback(lambda ended: ended.exception() and callback(ended))
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            if isinstance(out, Future):
                return out.result()  # raises, which is how joblib is told
            return super().retrieve_result_callback(out)

    return Backend(client=client)
