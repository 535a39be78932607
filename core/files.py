"""Files written whole and read with bounds, and temporary folders of killed commands."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["SUFFIX", "claim_folder", "read_bounded", "sweep_folders", "temporary_beside"]

LOCK = "deep-em-bench.lock"
HOUR = 3600

SUFFIX = ".tmp"
"""The end of every temporary name."""


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a regular file. Raises ``OSError`` for a pipe, a device, or too many bytes.

    >>> read_bounded(Path("/dev/zero"), 100)
    Traceback (most recent call last):
    OSError: [Errno 22] not a regular file: '/dev/zero'
    """
    with open(path, "rb", opener=_opened_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
        return file.read(status.st_size)


def _opened_at_once(path: str, flags: int) -> int:
    """Without waiting for a writer, which a pipe may never get."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A temporary name in the folder of ``path``, which is made first; removed at the end.

    Move the file to ``path`` by ``os.replace`` when it is written. Of several processes that
    write to one path, each moves a whole file there.

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
