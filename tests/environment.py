"""The environment of the commands that tests start."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["ROOT", "environment"]

ROOT = Path(__file__).parents[1]
"""The repository."""


def environment(*folders: Path, **variables: str) -> dict[str, str]:
    """This process's environment, with the folders and the repository first to import from."""
    before = os.environ.get("PYTHONPATH")
    paths = [*map(str, folders), str(ROOT), *([before] if before else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}
