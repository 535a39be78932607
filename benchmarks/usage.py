"""What this process and its children have used: CPU seconds and memory."""

from __future__ import annotations

import os
import sys

__all__ = ["cpu_seconds", "load_average", "peak_rss_mb"]


def cpu_seconds() -> float:
    """User and system seconds of this process and of those of its children that have ended."""
    return sum(os.times()[:4])


def load_average() -> float | None:
    """Of the machine over the last minute; None where the system does not know it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def peak_rss_mb() -> float:
    """The most memory that this process has held, in MiB."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return getattr(psutil.Process().memory_info(), "peak_wset") / 2**20  # noqa: B009
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here
