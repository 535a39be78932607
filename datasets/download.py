"""Files of the data root: found there, else downloaded, and never accepted unverified.

A download goes to a name of its own beside its place, is hashed, and is moved there only when
the hash is the pinned one. So a broken transfer leaves nothing behind, and of two processes that
fetch one file at the same moment each moves a whole one into place.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deep_em_bench.core import DataError
from deep_em_bench.core.files import temporary_beside

__all__ = ["OfficialFile", "file_sha256", "obtain", "verify"]

TIMEOUT = (10, 60)
"""Seconds to wait for a mirror: to connect, and between two pieces of its answer."""

CHUNK = 2**16
"""Bytes a piece; small enough for a live progress bar."""

log = logging.getLogger(__name__)


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class OfficialFile:
    """A file whose content is known."""

    path: str
    """Its place below the data root, with ``/`` between the parts."""
    sha256: str
    """What ``digest`` gives for the official content, in hex."""
    mirrors: tuple[str, ...] = ()
    """Where it can be had, tried in this order."""
    digest: Callable[[Path], str] = file_sha256
    """What is compared; other than the bytes where copies differ in what does not matter.
    Raises ``DataError`` for a file that it cannot read."""
    by_hand: str = ""
    """The sentence that says how to make the file, where nobody offers it for download."""


def obtain(file: OfficialFile, root: Path) -> Path:
    """The path of ``file`` below ``root``, downloaded first where it is missing.

    Raises ``DataError`` where it is missing and no mirror gives it. A file that was already there
    is not looked into: see :func:`verify`.
    """
    path = root / file.path
    if path.exists():
        return path
    if not file.mirrors:
        raise DataError(f"{path} is missing and cannot be downloaded; {file.by_hand}")
    failures: list[str] = []
    with contextlib.ExitStack() as stack:
        try:
            part = stack.enter_context(temporary_beside(path))
            part.touch()
        except OSError as error:
            raise DataError(
                f"{path} is missing and its folder cannot be written to ({error.strerror}); "
                f"{_remedy(file, path)}, or name another data folder"
            ) from error
        for mirror in file.mirrors:
            failure = _download(mirror, part) or _difference(file, part)
            if failure is None:
                os.replace(part, path)
                return path
            failures.append(f"{urlsplit(mirror).hostname}: {failure}")
    raise DataError(
        f"{path} is missing and could not be downloaded ({'; '.join(failures)}); "
        f"{_remedy(file, path)}"
    )


def verify(file: OfficialFile, path: Path) -> str:
    """The sha256 of the bytes at ``path``; raises ``DataError`` unless they are the official ones.

    Call it after parsing: a parser says better than a hash what is wrong with a damaged file.
    """
    difference = _difference(file, path)
    if difference is not None:
        raise DataError(f"{path} is not the official file: {difference}; {_remedy(file, path)}")
    return file_sha256(path)


def _download(url: str, target: Path) -> str | None:
    """Fetch ``url`` into ``target``; what went wrong, in a short phrase, or None."""
    import pooch

    log.info("downloading %s", url)
    downloader = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(), chunk_size=CHUNK, timeout=TIMEOUT
    )
    try:
        downloader(url, str(target), None)
    except OSError as error:  # what requests raises is one too, its text hundreds of characters
        response = getattr(error, "response", None)
        if response is not None:
            return f"HTTP status {response.status_code}"
        return error.strerror or type(error).__name__
    return None


def _difference(file: OfficialFile, path: Path) -> str | None:
    """How the content at ``path`` differs from the official one, or None if it does not."""
    try:
        found = file.digest(path)
    except DataError:
        return "its content is of another kind"
    return None if found == file.sha256 else f"its sha256 is {found}, expected {file.sha256}"


def _remedy(file: OfficialFile, path: Path) -> str:
    return file.by_hand or f"get {file.mirrors[0]} and put it into {path.parent}"
