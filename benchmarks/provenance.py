"""Which code made a result, on which machine: what a record says of its origin."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import inspect
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Host", "code_digest", "host", "source_of"]

HOME_PACKAGES = ("core", "datasets", "methods")
"""Where a method's own code may lie besides its module; what is above cannot change its result."""

NEUTRAL = ("core.errors", "core.output", "core.registry")
"""Names, sentences and look-ups: no number of a result passes through these."""

SAID = ("source", "deviations")
"""Arguments of a preset that are documentation."""

DISTRIBUTIONS = ("torch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class Host:
    """The checkout and the machine, the same for every cell that runs there."""

    git_sha: str | None
    dirty: bool | None
    """Whether code or suites differ from the commit, new files included; None without git."""
    versions: Mapping[str, str]
    python: str
    os: str
    cpu: str


@functools.cache
def host() -> Host:
    """What this process runs on."""
    sha = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=all", "--", "*.py", "*.toml")
    return Host(
        git_sha=sha,
        dirty=None if sha is None or changes is None else changes != "",
        versions={name: _version(name) for name in DISTRIBUTIONS},
        python=platform.python_version(),
        os=platform.platform(),
        cpu=_cpu_model(),
    )


def source_of(kind: type) -> Path:
    """The file that defines a class. Raises ``OSError`` or ``TypeError`` where there is none."""
    return Path(inspect.getfile(kind))


@functools.cache
def code_digest(path: Path) -> str:
    """sha256 of the module in ``path`` and of all modules of this project it imports, in turn.

    Those of :data:`NEUTRAL` aside: measured figures must not lapse when a sentence is reworded.
    Taken over syntax trees without docstrings and without what a preset says of its source:
    comments, layout and documentation do not count, and the digest is the same under every Python
    version. Imports are read, not executed.
    """
    digest = hashlib.sha256()
    trees = _closure(path)
    for name in sorted(trees):
        digest.update(f"{name}:{_canonical(_without_docstrings(trees[name]))}\n".encode())
    return digest.hexdigest()


def _closure(path: Path) -> dict[str, ast.Module]:
    """The parsed module in ``path`` under the name "" and what it reaches, by module name."""
    trees = {"": _parse(path)}
    waiting = [("", path)]
    while waiting:
        name, path = waiting.pop()
        package = _package_of(path)
        for imported in _imports(trees[name], package):
            found = None if imported in trees else _find(imported)
            if found:
                trees[imported] = _parse(found)
                waiting.append((imported, found))
    return trees


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Every name that may be an imported module of the project."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                module = ".".join([*parents, module] if module else parents)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _find(module: str) -> Path | None:
    """The source of a module of the project that counts; None for any other name."""
    if module.partition(".")[0] not in HOME_PACKAGES or module in NEUTRAL:
        return None
    root = importlib.util.find_spec(module.partition(".")[0])
    if root is None or root.origin is None:
        return None
    path = Path(root.origin).parent.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _package_of(path: Path) -> str:
    """The package that relative imports in ``path`` start from."""
    parts: list[str] = []
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "Preset":
                node.keywords = [word for word in node.keywords if word.arg not in SAID]
            continue
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # Also the strings below attributes, which are documentation as well.
            node.body = [item for item in body if not _is_string(item)]  # type: ignore[attr-defined]
    return tree


def _is_string(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _canonical(node: object) -> str:
    """``ast.dump`` without empty fields, which differ from one Python version to the next."""
    if isinstance(node, ast.AST):
        fields = (
            (name, value) for name, value in ast.iter_fields(node) if value not in (None, [])
        )
        inside = ",".join(f"{name}={_canonical(value)}" for name, value in fields)
        return f"{type(node).__name__}({inside})"
    if isinstance(node, list):
        return "[" + ",".join(map(_canonical, node)) + "]"
    return repr(node)


def _git(*arguments: str) -> str | None:
    """The output of a git command on this checkout; None where there is no git or no checkout."""
    root = Path(__file__).parent.parent
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
