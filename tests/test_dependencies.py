"""Whatever the packages import directly is declared in pyproject.toml."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ["benchmarks", "core", "datasets", "methods", "metrics", "package", "reports", "results"]


def imported(path: Path) -> set[str]:
    """The top-level names that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_every_import_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        requirement.partition(">")[0].lower()
        for requirement in project["dependencies"] + project["optional-dependencies"]["dask"]
    }
    names = set().union(
        *(imported(path) for home in HOME for path in ROOT.glob(f"{home}/**/*.py"))
    )
    distributions = packages_distributions()
    undeclared = {
        name
        for name in names - sys.stdlib_module_names - {"deep_em_bench"}
        if not {home.lower() for home in distributions.get(name, [name])} & declared
    }
    assert undeclared == set()
