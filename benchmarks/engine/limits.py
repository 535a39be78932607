"""What a cell may take, watched from outside its process: seconds, and memory."""

from __future__ import annotations

import math
import time

import psutil

from deep_em_bench.benchmarks.engine.job import Setting
from deep_em_bench.results.record import Failure, Status

__all__ = ["Limits", "resident_mb"]

LOOK = 0.1
"""Seconds between two looks at the memory. What grows within them is noticed at their end."""


LONGEST = 3600.0
"""Seconds of one pause; the system's own waiting knows no longer ones than some weeks."""


class Limits:
    """The limits, by its setting, of a cell whose process ``pid`` has just started."""

    def __init__(self, setting: Setting, pid: int) -> None:
        started = time.perf_counter()
        self._setting = setting
        self._pid = pid
        timeout, memory = setting.timeout, setting.max_memory
        self._deadline = math.inf if timeout is None else started + timeout
        self._next_look = math.inf if memory is None else started

    def pause(self) -> float | None:
        """Seconds until the next look at the limits; None where there is no limit."""
        until = min(self._deadline, self._next_look)
        return None if until == math.inf else min(LONGEST, max(0.0, until - time.perf_counter()))

    def passed(self) -> tuple[Status, Failure] | None:
        """The limit that the cell is beyond; None while it keeps to all."""
        now = time.perf_counter()
        if now >= self._deadline:
            message = f"stopped after {self._setting.timeout:g} s; allow more with --timeout"
            return "timeout", Failure(type="Timeout", message=message)
        if now < self._next_look or self._setting.max_memory is None:
            return None
        held = resident_mb(self._pid)
        self._next_look = time.perf_counter() + LOOK
        if held <= self._setting.max_memory:
            return None
        message = (
            f"stopped at {math.ceil(held)} MiB, over the {self._setting.max_memory:g} MiB "
            f"allowed; allow more with --max-memory"
        )
        return "memory", Failure(type="MemoryLimit", message=message)


def resident_mb(pid: int) -> float:
    """MiB of memory that a process and all that it started hold; 0 once it is gone.

    Pages that two of them share count for each: libraries, and what a fork has not written to.
    """
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0.0
    return sum(map(_resident_bytes, family)) / 2**20


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # it ended since it was listed
        return 0
