"""A short run of the fault harness; ``python -m tests.faults --rounds 50`` is the long one.

With ``$DEEP_EM_BENCH_SLOW`` set every scenario is tried, else two that stand for them.
"""

from __future__ import annotations

import os
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


SHORT = ("quota", "broken records")
rarely = pytest.mark.skipif(
    not os.environ.get("DEEP_EM_BENCH_SLOW"),
    reason="takes half a minute: set DEEP_EM_BENCH_SLOW to run it",
)


@pytest.mark.parametrize(
    "name", [*SHORT, *(pytest.param(n, marks=rarely) for n in SCENARIOS if n not in SHORT)]
)
def test_a_fault_costs_no_result(tmp_path: Path, whole: Bench, name: str) -> None:
    try:
        SCENARIOS[name](tmp_path / "suite", whole)
    except SkippedError as reason:
        pytest.skip(str(reason))
