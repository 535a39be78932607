"""Files that are written whole or not at all: under a name of their own, then moved into place."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SUFFIX", "temporary_beside"]

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
