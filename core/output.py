"""Standard output whose reader may leave, as ``head`` does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

__all__ = ["READER_GONE", "piped"]

READER_GONE = 141
"""Exit status of a command that the shell reports as ended by SIGPIPE."""


def piped(command: Callable[[], int]) -> int:
    """The exit status of ``command``, or :data:`READER_GONE` once nobody reads its output."""
    try:
        status = command()
        sys.stdout.flush()  # else what is left would fail at the interpreter's end
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return status
