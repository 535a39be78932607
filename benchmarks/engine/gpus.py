"""Which GPU a cell runs on: each GPU has one cell at a time, whichever command started it.

A supervisor and its cell hold a lock on a file of the GPU while the cell runs. The system
releases the lock when both have ended, however they end. So a killed process blocks nobody, and a
cell that outlives its supervisor for a moment is not joined by another. The lock belongs to the
machine: several commands, or the workers of a cluster, share its GPUs as one command does.
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
from pathlib import Path
from typing import IO

from deep_em_bench.benchmarks.engine.cell import Descriptor
from deep_em_bench.core import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["claimed", "visible"]

LOOK = 0.1
"""Seconds between two looks for a GPU that is free."""

log = logging.getLogger(__name__)

DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""On Linux a machine with a GPU has one of these: of NVIDIA, under WSL, of AMD."""


@contextlib.contextmanager
def claimed(device: str) -> Iterator[tuple[str, Descriptor | None]]:
    """A device for this process alone until the block ends, and its lock if it has one.

    The process that uses the device holds the lock, too. "cuda" and "auto" become the
    first free GPU, as in "cuda:1", after a wait where none is free. On a machine without GPUs,
    and for any other device, it is ``device`` itself.

    Raises :class:`ConfigError` where several GPUs cannot be shared.
    """
    names = visible() if device in ("auto", "cuda") else ()
    if not names:
        yield device, None
        return
    with _locked(names) as (index, lock):
        yield f"cuda:{index}" if len(names) > 1 else device, lock


@functools.cache
def visible() -> tuple[str, ...]:
    """A name for each GPU that this process may use, the same in every process of the machine."""
    if sys.platform == "linux" and not any(map(os.path.exists, DRIVERS)):
        return ()  # saves the seconds of importing torch
    import torch

    count = torch.cuda.device_count()
    chosen = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    return tuple(
        chosen[:count] if len(chosen) >= count and all(chosen) else map(str, range(count))
    )


@contextlib.contextmanager
def _locked(names: Sequence[str]) -> Iterator[tuple[int, Descriptor]]:
    """The index of a GPU that no other process has during the block, and its lock."""
    if fcntl is None and len(names) > 1:
        raise ConfigError(
            f"{len(names)} GPUs cannot be shared on this system; name one: --device cuda:0"
        )
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_lock_file(name).open("a")) for name in names]
        free = _lock_one(files)
        if free is None:
            log.warning("waiting for a GPU: each runs one cell at a time")
        while free is None:
            time.sleep(LOOK)
            free = _lock_one(files)
        yield free, Descriptor(files[free].fileno())


def _lock_one(files: Sequence[IO[str]]) -> int | None:
    """Lock the first file that no other process has locked; its index, or None."""
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
