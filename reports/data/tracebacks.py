"""Tracebacks as they may be published: without the folders and the user of the machine."""

from __future__ import annotations

import re
from pathlib import Path

from deep_em_bench.results import Failure

__all__ = ["traceback_of"]

TRACEBACK = 4000
"""Characters from which a traceback is cut in its middle."""

FOLDERS = ("benchmarks", "core", "datasets", "methods", "metrics", "package", "reports", "results")
FILE = re.compile(r'File "(?P<path>[^"]+)"')


def traceback_of(error: Failure) -> str:
    """The traceback with paths from the package or the user's folder on, a long one cut."""
    text = FILE.sub(lambda found: f'File "{_relative(found["path"])}"', error.traceback.strip())
    if len(text) <= TRACEBACK:
        return text
    half = TRACEBACK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def _relative(path: str) -> str:
    """From the package on, or from where packages are installed; else within the user's folder."""
    parts = Path(path).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return "/".join(parts[parts.index(folder) + 1 :])
    if "deep_em_bench" in parts:
        return "/".join(parts[parts.index("deep_em_bench") :])
    known = [i for i, part in enumerate(parts) if part in FOLDERS]
    if known:
        return "/".join(["deep_em_bench", *parts[known[-1] :]])
    home = str(Path.home())
    return path.replace(home, "~", 1) if path.startswith(home) else "/".join(parts[-2:])
