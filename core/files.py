"""Files that are written whole or not at all, and temporary folders of killed commands."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["SUFFIX", "claim_folder", "sweep_folders", "temporary_beside"]

LOCK = "deep-em-bench.lock"
HOUR = 3600

SUFFIX = ".tmp"
"""The end of every temporary name."""


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A new name in the folder of ``path``, which is made first; what is left there is removed.

    Whoever has written the file moves it to ``path`` by ``os.replace``. Of several processes that
    write to one path at the same time each moves a whole file there.

    >>> import os, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "new" / "a.txt"
    >>> with temporary_beside(path) as part:
    ...     _ = part.write_text("whole")
    ...     os.replace(part, path)
    >>> path.read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}{SUFFIX}")
    try:
        yield part
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@functools.cache
def claim_folder(folder: Path) -> None:
    """Lock a temporary folder as long as this process lives; a sweep removes it afterwards."""
    descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR)  # never closed
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def sweep_folders() -> None:
    """Remove this user's claimed temporary folders, an hour old or more, whose process ended."""
    if fcntl is None:
        return
    for path in Path(tempfile.gettempdir()).glob(f"*/{LOCK}"):
        with contextlib.suppress(OSError):  # another user's, or another command removes it
            status = path.parent.lstat()
            if status.st_uid == os.getuid() and time.time() - status.st_mtime > HOUR:
                with path.open("r+") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path.parent)
