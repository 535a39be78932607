"""What the harness's tests share: the plugin's methods, samplers, and a suite of any text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deep_em_bench import methods
from deep_em_bench.benchmarks.suite import Suite
from deep_em_bench.core import Registered
from deep_em_bench.methods.base import Preset
from deep_em_bench.metrics.features import Extractor
from tests.benchmarks.samplers import SAMPLERS, projection

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


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The samplers can be named in a cell."""
    presets = {"default": Preset(source="a test")}
    for name, cls in SAMPLERS.items():
        entry = Registered(name=name, value=cls, attributes={"presets": presets})
        monkeypatch.setitem(methods.registry._registered, name, entry)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """No net is trained; what the extractors are asked to be made from."""
    made_from: list[Any] = []

    def extractors(data: Any, **words: Any) -> list[Extractor]:
        made_from.append((data, words))
        return [projection()]

    monkeypatch.setattr("deep_em_bench.metrics.features.extractors", extractors)
    return made_from
