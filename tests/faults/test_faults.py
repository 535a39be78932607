"""A short run of the fault harness; ``python -m tests.faults --rounds 50`` is the long one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.kills import kill_rounds
from tests.faults.scenarios import SCENARIOS, SkippedError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes as Linux does")


def test_a_killed_suite_is_resumed(tmp_path: Path) -> None:
    tally = kill_rounds(tmp_path, 2, seed=1, engines=("loky",))
    assert tally.kills.total() + tally.missed == 2
    assert tally.suites in (1, 2)  # the first may end before it is hit twice


@pytest.mark.parametrize("name", ["full disk", "broken records"])
def test_a_fault_costs_no_result(tmp_path: Path, name: str) -> None:
    try:
        SCENARIOS[name](tmp_path / "suite")
    except SkippedError as reason:
        pytest.skip(str(reason))
