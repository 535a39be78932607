"""The folder that a report is written to, and which of its files an earlier report left there.

A list beside the files, :data:`LIST`, names them by kind with their digests. Only what stands in
it and is still as it was written is ever removed: what somebody put there or changed stays.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deep_em_bench.core import UserError
from deep_em_bench.core.files import temporary_beside

__all__ = ["LIST", "Files", "replace_files", "write"]

log = logging.getLogger(__name__)

LIST = ".files.json"

Files = Mapping[str, str | bytes]
"""Contents by name."""


def replace_files(folder: Path, kind: str, files: Files, summary: str = "") -> None:
    """Write the files of one kind, and remove those that an earlier run wrote of it.

    ``summary`` is what standard error is told was written, by default the names. Other kinds are
    left alone. Raises :class:`UserError` for a folder that cannot be written to.
    """
    listed = _listed(folder)
    before = listed.get(kind, {})
    now = {name: _digest(content) for name, content in files.items()}
    if not before and not now:
        return
    # Listed before they are written: a run that is killed leaves nothing unaccounted for.
    _list(folder, listed | {kind: before | now})
    write(folder, files, summary)
    gone = [name for name in before if name not in now]
    kept = {name: before[name] for name in gone if not _remove(folder / name, before[name])}
    _list(folder, listed | {kind: now})
    if n := len(gone) - len(kept):
        print(f"removed {n:,} older files from {folder}", file=sys.stderr)


def write(folder: Path, files: Files, summary: str | None = "") -> None:
    """Write these files, each whole or not at all, and say so on standard error.

    ``summary`` is what it is told, by default the names; with None nothing is.
    Raises :class:`UserError` for a folder that cannot be written to.
    """
    try:
        for name, content in files.items():
            with temporary_beside(folder / name) as part:
                part.write_bytes(_bytes(content))
                os.replace(part, folder / name)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror}; free some space or give another --out"
        ) from error
    if files and summary is not None:
        print(f"wrote {summary or ', '.join(files)} to {folder}", file=sys.stderr)


def _remove(path: Path, digest: str) -> bool:
    """Whether the file was still as written, and so is gone now."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        if _digest(path.read_bytes()) != digest:
            log.warning("kept: %s was changed since it was written", path)
            return False
        path.unlink()
    except OSError as error:
        log.warning("kept: %s cannot be removed: %s", path, error.strerror)
        return False
    return True


def _listed(folder: Path) -> dict[str, dict[str, str]]:
    """By kind, the sha256 of each file by name; nothing, with a warning, where it is damaged."""
    path = folder / LIST
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(kind): {
                str(name): str(digest) for name, digest in files.items() if Path(name).name == name
            }
            for kind, files in held.items()
        }
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, RecursionError):
        log.warning("%s cannot be read: files of earlier reports stay beside it", path)
        return {}


def _list(folder: Path, listed: Mapping[str, Mapping[str, str]]) -> None:
    text = json.dumps({kind: files for kind, files in listed.items() if files}, indent=1)
    write(folder, {LIST: f"{text}\n"}, None)


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(_bytes(content)).hexdigest()
