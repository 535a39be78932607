"""What the engine does a number of times, counted: large suites must not pay for small ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deep_em_bench import datasets, methods, results
from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.plan import plan
from deep_em_bench.benchmarks.run import main
from deep_em_bench.benchmarks.suite import Suite
from deep_em_bench.results.store import Store

TEXT = """
[[methods]]
name = "steady"
[[methods]]
name = "twin"
"""

MANY_SEEDS = """
title = "a test"
seeds = 50
[[datasets]]
name = "moons"
words = { n_samples = 40 }
"""

Count = Callable[[Any, str], Counter[str]]


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Call with an object and the name of a function of it: its calls are counted."""
    calls: Counter[str] = Counter()

    def wrap(owner: Any, name: str) -> Counter[str]:
        function = getattr(owner, name)

        def counted(*arguments: Any, **words: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **words)

        monkeypatch.setattr(owner, name, counted)
        return calls

    return wrap


def test_a_plan_makes_a_method_for_each_row_and_not_for_each_cell(
    suite: Callable[..., Suite], count: Count
) -> None:
    calls = count(methods, "create")
    created = []
    for trial in (suite(TEXT), suite(TEXT, head=MANY_SEEDS)):
        calls.clear()
        assert len(plan(trial)) == 2 * len(trial.seeds)
        created.append(calls["create"])
    assert created[0] == created[1]


def test_a_run_loads_a_data_set_once_and_a_finished_one_not_at_all(
    suite: Callable[..., Suite], plugin: Path, tmp_path: Path, count: Count
) -> None:
    path = suite(TEXT).path
    command = ["--suite", str(path), "--plugin", str(plugin), "--out", str(tmp_path / "runs")]
    calls = count(datasets, "load")
    count(Store, "read")
    count(engine, "supervise")
    assert main([*command, "--threads", "1"]) == 0
    assert calls == {"load": 1, "supervise": 4, "read": 4}  # each cell's process loads its own
    calls.clear()
    assert main(command) == 0
    assert calls == {"read": 4}
    calls.clear()
    assert len(results.load("trial", tmp_path / "runs")) == 4
    assert calls == {"read": 4}
