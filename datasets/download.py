"""Files of the data root: read, downloaded if they are missing, and verified.

A download goes to a temporary name and is moved into place only if its hash is the pinned one. So
a broken transfer leaves nothing behind, and two processes may fetch one file at the same moment.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deep_em_bench.core import DataError
from deep_em_bench.core.files import temporary_beside

__all__ = [
    "OfficialFile",
    "file_sha256",
    "obtain",
    "read_limited",
    "unexpected",
    "verify",
    "verify_all",
]

TIMEOUT = (10, 60)
"""Seconds to wait for a mirror: for the connection, and between two pieces of its answer."""

CHUNK = 2**16
"""Bytes of a piece, few enough for a smooth progress bar."""

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
    """The official content's ``digest``, in hex."""
    mirrors: tuple[str, ...] = ()
    """Addresses, tried in this order."""
    digest: Callable[[Path], str] = file_sha256
    """Digest that is compared. By default that of all bytes; another one where official copies
    differ in blanks, say. Raises ``DataError`` for a file that it cannot read."""
    by_hand: str = ""
    """How to make the file, if it cannot be downloaded."""


def obtain(file: OfficialFile, root: Path) -> Path:
    """The path of ``file`` below ``root``, downloaded first if it is missing.

    Raises ``DataError`` if no mirror has it. A file that is already there is not read: see
    :func:`verify`.
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
    """The sha256 of the bytes at ``path``; raises ``DataError`` for an unofficial file.

    Call it after parsing: the parser's message says more about a damaged file than a hash does.
    """
    difference = _difference(file, path)
    if difference is not None:
        raise DataError(f"{path} is not the official file: {difference}; {_remedy(file, path)}")
    return file_sha256(path)


def verify_all(files: Sequence[OfficialFile], paths: Sequence[Path]) -> dict[str, str]:
    """The sha256 of each file by its path below the data root; raises as :func:`verify`."""
    return {file.path: verify(file, path) for file, path in zip(files, paths, strict=True)}


def read_limited(path: Path, most: int, kind: str) -> bytes:
    """The content of a file of at most ``most`` bytes; ``kind`` says what it should be.

    Raises ``DataError`` for a larger file, and for one that cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > most:
            raise unexpected(path, f"{size:,} bytes", f"at most {most:,}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected {kind} there"
        ) from error


def unexpected(path: Path, found: str, expected: str) -> DataError:
    """The error for a file with other content than expected."""
    return DataError(f"{path}: found {found}; expected {expected}; fetch the file anew")


def _download(url: str, target: Path) -> str | None:
    """Fetch ``url`` into ``target``; returns a short phrase for a failure, else None."""
    import pooch

    log.info("downloading %s", url)
    downloader = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(), chunk_size=CHUNK, timeout=TIMEOUT
    )
    try:
        downloader(url, str(target), None)
    except (OSError, ValueError) as error:  # requests raises the first, malformed headers both
        response = getattr(error, "response", None)
        if response is not None:
            return f"HTTP status {response.status_code}"
        # The text of an error of requests has hundreds of characters.
        return getattr(error, "strerror", None) or type(error).__name__
    return None


def _difference(file: OfficialFile, path: Path) -> str | None:
    """How the content at ``path`` differs from the official one; None: it does not."""
    try:
        digest = file.digest(path)
    except DataError:
        return "its content is of another kind"
    return None if digest == file.sha256 else f"its sha256 is {digest}, expected {file.sha256}"


def _remedy(file: OfficialFile, path: Path) -> str:
    return file.by_hand or f"get {file.mirrors[0]} and put it into {path.parent}"
