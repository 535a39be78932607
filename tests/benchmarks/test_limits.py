"""A cell that takes too long or too much is ended from outside; its record says why."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.results.store import Store
from tests.benchmarks.trial import by_method, cells_of, is_running, setting_for, wait_for


def test_a_hanging_cell_is_ended_and_its_stack_is_kept(tmp_path: Path, plugin: Path) -> None:
    setting = setting_for(tmp_path, plugin)
    hanging = engine.run(cells_of("hanging"), dataclasses.replace(setting, timeout=1.0))
    outcomes = [*hanging, *engine.run(cells_of("twin"), setting)]
    ended = by_method(outcomes, Store(tmp_path))
    outcome, record = ended["hanging"]
    assert outcome.status == record.status == "timeout"
    assert outcome.seconds >= 1
    assert record.error is not None
    assert record.error.message == "stopped after 1 s; allow more with --timeout"
    assert "plugin_methods.py" in record.error.traceback
    assert ended["twin"][1].status == "ok"


def test_a_limit_of_months_is_waited_for_in_parts(tmp_path: Path, plugin: Path) -> None:
    setting = setting_for(tmp_path, plugin, timeout=1e9)
    assert [outcome.status for outcome in engine.run(cells_of("twin"), setting)] == ["ok"]


def test_a_cell_that_fills_the_memory_is_ended(tmp_path: Path, plugin: Path) -> None:
    marker = tmp_path / "pid"
    methods = ("leaking", "leaking_elsewhere", "orphaning", "forgetful", "twin")
    setting = setting_for(tmp_path / "runs", plugin, max_memory=1000)
    ended = {}
    for outcome in engine.run(cells_of(*methods, pid_file=str(marker)), setting):
        ended[outcome.cell.method] = outcome
        if outcome.cell.method in ("leaking_elsewhere", "orphaning", "forgetful"):
            started = int(marker.read_text(encoding="utf-8"))
            wait_for(lambda pid=started: not is_running(pid))
    assert {method: outcome.status for method, outcome in ended.items()} == {
        "leaking": "memory",
        "leaking_elsewhere": "memory",
        "orphaning": "failed",
        "forgetful": "ok",
        "twin": "ok",
    }
    record = Store(tmp_path / "runs").read(ended["leaking"].cell.key)
    assert record.error is not None
    assert record.error.type == "MemoryLimit"
    said = r"stopped at (\d+) MiB, over the 1000 MiB allowed; allow more with --max-memory"
    found = re.fullmatch(said, record.error.message)
    assert found is not None
    assert int(found[1]) > 1000
    assert "plugin_methods.py" in record.error.traceback
