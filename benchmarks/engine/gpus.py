"""Which GPU a cell runs on: each has one cell at a time, whoever started it.

A supervisor and its cell hold a lock file of the GPU while the cell runs. The system lets go of
the lock when both have ended, however they end: who is killed blocks nobody, and a cell that lives
on for a moment without its supervisor is not joined by another. Since the lock belongs to the
machine, workers of several commands, or of a cluster, share its GPUs as those of one do.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any

from deep_em_bench.core import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["Lock", "claimed", "visible"]

LOOK = 0.1
"""Seconds between two looks for a GPU that is free."""

log = logging.getLogger(__name__)

DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""On Linux one of these is there where a GPU is: of NVIDIA, under WSL, of AMD."""


class Lock:
    """An open lock file, which a child process gets as an argument and holds as well."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self.descriptor),)  # type: ignore[attr-defined]


def _received(descriptor: Any) -> Lock:
    return Lock(descriptor.detach())


@contextlib.contextmanager
def claimed(device: str) -> Iterator[tuple[str, Lock | None]]:
    """The device to use in place of ``device``, this process's own until the block is left.

    With it its lock, where there is one, for the process that uses the device to hold.

    "cuda" and "auto" become the first GPU that is free, as in "cuda:1", after a wait where none
    is. On a machine without GPUs, and for any other device, it is ``device`` itself.

    Raises :class:`ConfigError` where several GPUs cannot be shared out.
    """
    names = visible() if device in ("auto", "cuda") else ()
    if not names:
        yield device, None
        return
    with _locked(names) as (index, lock):
        yield f"cuda:{index}" if len(names) > 1 else device, lock


@functools.cache
def visible() -> tuple[str, ...]:
    """A name for each GPU that this process may use, the same to every process of the machine."""
    if sys.platform == "linux" and not any(map(os.path.exists, DRIVERS)):
        return ()  # without the seconds that an import of torch takes
    import torch

    count = torch.cuda.device_count()
    chosen = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    return tuple(
        chosen[:count] if len(chosen) >= count and all(chosen) else map(str, range(count))
    )


@contextlib.contextmanager
def _locked(names: Sequence[str]) -> Iterator[tuple[int, Lock]]:
    """The index of a GPU that nobody else has meanwhile, and its lock."""
    if fcntl is None and len(names) > 1:
        raise ConfigError(
            f"{len(names)} GPUs cannot be shared out on this system; name one: --device cuda:0"
        )
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_lock_file(name).open("a")) for name in names]
        free = _lock_one(files)
        if free is None:
            log.warning("waiting for a GPU: each runs one cell at a time")
        while free is None:
            time.sleep(LOOK)
            free = _lock_one(files)
        yield free, Lock(files[free].fileno())


def _lock_one(files: Sequence[IO[str]]) -> int | None:
    """The index of the first file that nobody else has locked; it is locked now."""
    for index, file in enumerate(files):
        with contextlib.suppress(BlockingIOError):
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return index
    return None


def _lock_file(name: str) -> Path:
    folder = Path(tempfile.gettempdir(), f"deep-em-bench-gpus-{getpass.getuser()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    safe = "".join(letter if letter.isalnum() else "-" for letter in name)
    return folder / f"{safe}.lock"
