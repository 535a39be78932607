"""A short run of the fault harness; ``python -m tests.faults --rounds 50`` is the long one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.bench import Bench, undisturbed
from tests.faults.kills import kill_rounds
from tests.faults.scenarios import SCENARIOS, SkippedError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes as Linux does")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The suite as it ends where nothing disturbs it."""
    return undisturbed(tmp_path_factory.mktemp("undisturbed"))


def test_a_killed_suite_is_resumed(tmp_path: Path, whole: Bench) -> None:
    tally = kill_rounds(tmp_path, whole, 2, seed=1)
    assert tally.kills.total() == 2
    assert tally.suites >= 1  # the first may end before it is hit twice


@pytest.mark.parametrize("name", ["full disk", "broken records"])
def test_a_fault_costs_no_result(tmp_path: Path, whole: Bench, name: str) -> None:
    try:
        SCENARIOS[name](tmp_path / "suite", whole)
    except SkippedError as reason:
        pytest.skip(str(reason))
