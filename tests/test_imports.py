"""Imports run one way, between folders and between modules, those for type checking included."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "deep_em_bench"

BELOW: dict[str, set[str]] = {
    "core": set(),
    "metrics": {"core"},
    "methods": {"core"},
    "datasets": {"core", "methods"},
    "results": {"core", "metrics"},
    "benchmarks": {"core", "metrics", "methods", "datasets", "results"},
    "reports": {"core", "metrics", "methods", "datasets", "results"},
}
"""The folders that each folder may import."""

SUITE = f"{PACKAGE}.benchmarks.suite"
"""Reports read it, too: their rows stand in the order of the suite's file."""


def modules() -> dict[str, Path]:
    """Every module of the product, by its name."""
    found = {}
    for folder in (*BELOW, "package"):
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            parts = parts[1:] if folder == "package" else parts
            name = ".".join([PACKAGE, *(part for part in parts if part != "__init__")])
            found[name] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """The product's modules that a file names in its imports, wherever they stand in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in known else str(node.module))
    return names & known.keys()


KNOWN = modules()
GRAPH = {name: imports(path, KNOWN) - {name} for name, path in KNOWN.items()}


def folder_of(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def test_folders_import_only_those_below_them() -> None:
    for module, imported in GRAPH.items():
        home = folder_of(module)
        if home in BELOW:
            allowed = BELOW[home] | {home, ""}  # "": the package's version
            read = imported - {SUITE} if home == "reports" else imported
            assert {folder_of(name) for name in read} <= allowed, (module, imported)


def test_no_module_imports_itself_through_others() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None
