"""Records and their arrays in one folder: plain files, written atomically, merged by copying.

A cell is ``<key>.json`` and, where it has arrays, ``<key>.<digest>.npz``, which the record names.
Files are written to a temporary name in the same folder, synced and renamed. The arrays come
first, and the rename of the record is the commit: a process that is killed at any moment leaves
the old cell, whole, or the new one. Any number of processes and machines may share the folder;
nothing is locked. :meth:`Store.sweep` removes what killed or overtaken writers left.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deep_em_bench.core import DataError, UnreadableError, UserError
from deep_em_bench.core.files import SUFFIX, read_bounded, temporary_beside
from deep_em_bench.results.record import KEY, Record, replace

__all__ = ["Store"]

DAY = 24 * 60 * 60

MOST_TEXT = 2**28
"""Bytes of the largest record that is read; ten thousand iterations have a few million."""

MOST_BYTES = 2**31
"""Of the largest arrays of a cell, unpacked; those of 70,000 images have some ten million."""

NPZ_ERRORS = (OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, MemoryError)
NPZ_ERRORS += (struct.error, zlib.error, zipfile.BadZipFile)
"""What zipfile and numpy raise for a damaged .npz, one that lies about sizes included."""

log = logging.getLogger(__name__)


class Store:
    """The records of one folder; the folder is made by the first :meth:`write`.

    Example:
        >>> import tempfile
        >>> Store(tempfile.mkdtemp()).keys()
        []
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __iter__(self) -> Iterator[Record]:
        return self.load()

    def keys(self) -> list[str]:
        """The keys of all records, sorted, damaged ones included.

        Raises :class:`UserError` for a folder that is locked.
        """
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(
                f"cannot list {self.folder}: {error.strerror}; permit it, or name another folder"
            ) from error
        stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
        return sorted(stem for stem in stems if KEY.fullmatch(stem))

    def read(self, key: str, *, history: bool = True) -> Record:
        """The record of ``key``; ``history=False`` leaves its history out, and its cost.

        Raises :class:`DataError` naming the file if it is missing or damaged.
        """
        path = self._json(key)
        record = Record.from_json(_text(path), where=str(path), history=history)
        if record.key != key:
            raise DataError(f"{path} holds the record of {record.key}; name it {record.key}.json")
        return record

    def history(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """The history alone of the record of ``key``.

        Raises :class:`DataError` naming the file if it is missing or damaged.
        """
        path = self._json(key)
        return Record.history_of(_text(path), where=str(path))

    def load(self, *, history: bool = True) -> Iterator[Record]:
        """Every record, by key; a damaged file is warned of by name, skipped and left as it is."""
        for key in self.keys():
            try:
                yield self.read(key, history=history)
            except DataError as error:
                log.warning("skipped: %s", error)

    def arrays(self, key: str) -> dict[str, np.ndarray]:
        """The arrays stored with ``key`` by name; empty where the cell stored none.

        Raises :class:`DataError` if the file is missing, or is not the one the record was
        written with (sha256), or holds Python objects.
        """
        artifacts = self.read(key, history=False).artifacts
        if not artifacts:
            return {}
        expected = next(iter(artifacts.values()))
        path = self.folder / _npz_name(key, expected)
        if not KEY.fullmatch(expected) or artifacts.get(path.name) != expected:
            raise DataError(
                f"{self._json(key)}: key `artifacts` is {dict(artifacts)!r:.60}, expected "
                f"{key[:6]}....npz with its sha256; run the cell again"
            )
        try:
            content = read_bounded(path, MOST_BYTES)
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({_reason(error)}); run the cell again"
            ) from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != expected:
            raise DataError(
                f"{path} has sha256 {digest[:12]}..., its record says {expected[:12]}...; "
                f"run the cell again"
            )
        try:
            return _npz_arrays(content)
        except NPZ_ERRORS as error:
            raise DataError(f"{path} is not a .npz of plain arrays; run the cell again") from error

    def write(self, record: Record, arrays: Mapping[str, np.ndarray] | None = None) -> Record:
        """Put ``record`` and its ``arrays`` into the folder, in place of what its key had.

        Returns the record as written, with ``artifacts`` filled in. Raises :class:`DataError`
        for arrays of Python objects and for a record that could not be read again, and
        :class:`UserError` naming a folder that cannot be written to.
        """
        content = _npz_bytes(arrays) if arrays else None
        digest = hashlib.sha256(content or b"").hexdigest()
        name = _npz_name(record.key, digest)
        record = replace(record, artifacts={name: digest} if content else {})
        text = record.to_json()
        if len(text) > MOST_TEXT:
            raise DataError(
                f"the record has {len(text):,} bytes, expected at most {MOST_TEXT:,}; "
                f"keep less in history_"
            )
        with self._writing():
            if content:
                self._put(self.folder / name, content)  # anew, lest a sweep take it for a stray
            self._put(self._json(record.key), text)
            self._sync_folder()
        return record

    def check_writable(self) -> None:
        """Make the folder; raise :class:`UserError` if no record can be written there."""
        with self._writing(), temporary_beside(self.folder / "probe") as part:
            _synced(part, b"probe")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"cannot write to {self.folder}: {_reason(error)}; "
                f"free some space or permit writing there, or choose another folder"
            ) from error

    def sweep(self) -> None:
        """Remove temporary files, and arrays that no record names, once they are a day old."""
        for path in self.folder.glob(f"*{SUFFIX}"):
            _remove_old(path)
        for path in self.folder.glob("*.npz"):
            key = path.name.partition(".")[0]
            try:
                named = self.read(key, history=False).artifacts if self._json(key).exists() else {}
            except DataError:
                continue  # it may be whole to another version
            if KEY.fullmatch(key) and path.name not in named:
                _remove_old(path)

    @staticmethod
    def _put(path: Path, content: bytes) -> None:
        with temporary_beside(path) as part:
            _synced(part, content)
            os.replace(part, path)

    def _sync_folder(self) -> None:
        """Make the renames themselves survive a power cut, where folders can be synced."""
        if os.name != "posix":
            return
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _json(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _npz_name(key: str, digest: str) -> str:
    return f"{key}.{digest[:12]}.npz"


def _synced(path: Path, content: bytes) -> None:
    """Write a new file, safely on disk when this returns."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remove_old(path: Path) -> None:
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > DAY:
            path.unlink()


def _text(path: Path) -> bytes:
    """Of a record's file. Raises :class:`DataError` naming it."""
    try:
        return read_bounded(path, MOST_TEXT)
    except FileNotFoundError as error:
        raise DataError(f"{path} cannot be read ({_reason(error)}); run the cell again") from error
    except OSError as error:
        raise UnreadableError(
            f"{path} cannot be read ({_reason(error)}); "
            f"permit reading it, or delete it and run the cell again"
        ) from error


def _npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise DataError(f"array {name!r} holds Python objects; give numbers or fixed strings")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _npz_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Raises one of NPZ_ERRORS; sizes are compared before anything is unpacked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes when unpacked, expected at most {MOST_BYTES:,}")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
