"""Wall-clock time of a piece of work, for all comparisons of speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import torch

__all__ = ["timed"]

T = TypeVar("T")


def timed(work: Callable[[], T], device: torch.device | None = None) -> tuple[T, float]:
    """What ``work`` gives, and its seconds, from an idle GPU to an idle one where it uses one."""
    _wait_for(device)
    started = time.perf_counter()
    result = work()
    _wait_for(device)
    return result, time.perf_counter() - started


def _wait_for(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
