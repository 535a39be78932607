"""The origin of a result: code, checkout and machine, as a record keeps them."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deep_em_bench.core.plugins import files_of

__all__ = ["Code", "Host", "host", "loaded"]

DISTRIBUTIONS = ("torch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class Host:
    """The checkout and the machine, the same for every cell that runs there."""

    git_sha: str | None
    dirty: bool | None
    """Whether code or suites differ from the commit, new files included; None without git."""
    os: str
    cpu: str


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a process has loaded of a method's code, and of the packages below it."""

    package: str
    """Version of deep_em_bench."""
    method_version: int
    plugins: Mapping[str, str]
    """sha256 of the files of the method's plugin; empty for a method that is in none."""
    versions: Mapping[str, str]
    python: str


@functools.cache
def host() -> Host:
    """What this process runs on."""
    sha = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=all", "--", "*.py", "*.toml")
    return Host(
        git_sha=sha,
        dirty=None if sha is None or changes is None else changes != "",
        os=platform.platform(),
        cpu=_cpu_model(),
    )


def loaded(method: str) -> Code:
    """What this process has loaded. Raises :class:`ConfigError` for an unknown method."""
    import deep_em_bench
    from deep_em_bench import methods

    entry = methods.registry.get(method)
    return Code(
        package=deep_em_bench.__version__,
        method_version=entry.attributes.get("version", 1),
        plugins=files_of(entry.value.__module__),
        versions={name: _version(name) for name in DISTRIBUTIONS},
        python=platform.python_version(),
    )


def _git(*arguments: str) -> str | None:
    """The output of a git command on this checkout; None where there is no git or no checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():  # an installed copy may lie inside some other repository
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@functools.cache  # a cell asks again when its method may have used up the file descriptors
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # no Linux
    return platform.processor() or platform.machine() or sys.platform
