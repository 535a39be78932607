"""Standard streams that are closed, of few characters, on a full disk, or left by their reader."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

from deep_em_bench.core.errors import UserError

__all__ = ["READER_GONE", "piped"]

READER_GONE = 141
"""Exit status of a command that the shell reports as ended by SIGPIPE."""


FULL = (errno.ENOSPC, errno.EDQUOT)


def piped(command: Callable[[], int]) -> int:
    """The exit status of ``command``, or :data:`READER_GONE` once nobody reads its output.

    Raises :class:`UserError` where there is no room for the output.
    """
    if sys.stdout is None:  # closed, as by >&-
        sys.stdout = _opened(1)
    if sys.stderr is None:
        sys.stderr = _opened(2)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = command()
        sys.stdout.flush()  # else the rest would fail at the interpreter's end
    except BrokenPipeError:
        _discard_output()
        return READER_GONE
    except OSError as error:
        if error.errno not in FULL or error.filename is not None:  # a file's, not the output's
            raise
        _discard_output()
        raise UserError(
            f"cannot write to standard output: {error.strerror}; free some space"
        ) from error
    return status


def _opened(number: int) -> TextIO:
    """The null device as this standard stream: else the next file would get its number."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null == number:
        os.set_inheritable(null, True)
    else:
        os.dup2(null, number)
        os.close(null)
    return open(number, "w", encoding="utf-8", closefd=False)


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
