"""The examples in the docstrings of this repository's ground floor are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from deep_em_bench import core, methods

MODULES = sorted(
    module.name
    for package in (core, methods)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_as_printed(name: str) -> None:
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=options).failed == 0


def test_examples_are_found() -> None:
    finder = doctest.DocTestFinder()
    for name in ("core.errors", "core.seeds", "methods.base", "methods.kmeans"):
        found = finder.find(importlib.import_module(f"deep_em_bench.{name}"))
        assert any(test.examples for test in found)
