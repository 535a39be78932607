"""Digests of code, which tell whether a result still comes from the code at hand."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path

__all__ = ["code_digest", "source_of", "without_documentation"]

HOME_PACKAGES = ("deep_em_bench.core", "deep_em_bench.datasets", "deep_em_bench.methods")
"""Where a method's own code may lie besides its module; what is above cannot change its result."""

NEUTRAL = ("deep_em_bench.core.errors", "deep_em_bench.core.output", "deep_em_bench.core.registry")
"""Names, sentences and look-ups: no number of a result passes through these."""

SAID = ("source", "deviations")
"""Arguments of a preset that are documentation."""


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
        digest.update(f"{name}:{_canonical(without_documentation(trees[name]))}\n".encode())
    return digest.hexdigest()


def without_documentation(tree: ast.Module) -> ast.Module:
    """``tree`` itself, its docstrings and what its presets say of their sources removed."""
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
    if not module.startswith(HOME_PACKAGES) or module in NEUTRAL:
        return None
    home = ".".join(module.split(".")[:2])
    root = importlib.util.find_spec(home)
    if root is None or root.origin is None:
        return None
    path = Path(root.origin).parent.joinpath(*module.split(".")[2:])
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
