"""What the harness's tests share: the plugin's methods, and a suite of any text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import methods
from benchmarks.suite import Suite

PLUGIN = Path(__file__).with_name("plugin_methods.py")

HEAD = """
title = "a test"
seeds = 2
[[datasets]]
name = "moons"
words = { n_samples = 40 }
"""


@pytest.fixture(scope="session", autouse=True)
def plugin() -> Path:
    """The file of the test methods, loaded."""
    methods.registry.load_plugin(PLUGIN)
    return PLUGIN


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Suite]:
    """Call with the TOML after a head (two seeds on forty moons), or with ``head=`` another."""

    def make(text: str, *, head: str = HEAD, name: str = "trial") -> Suite:
        path = tmp_path / f"{name}.toml"
        path.write_text(head + text, encoding="utf-8")
        return Suite.read(path)

    return make
