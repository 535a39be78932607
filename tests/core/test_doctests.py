"""The examples in the docstrings of this repository's ground floor are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import core
import methods

MODULES = sorted(
    f"{package.__name__}.{module.name}"
    for package in (core, methods)
    for module in pkgutil.iter_modules(package.__path__)
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_as_printed(name: str) -> None:
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=options).failed == 0


def test_examples_are_found() -> None:
    finder = doctest.DocTestFinder()
    for name in ("core.errors", "core.seeds", "methods.base", "methods.kmeans"):
        assert any(test.examples for test in finder.find(importlib.import_module(name)))
