"""The harness's own cost is measured; how much it is is not asked here."""

from __future__ import annotations

import dataclasses

from deep_em_bench.benchmarks.speed.harness import harness, rendered


def test_every_figure_is_measured() -> None:
    measured = harness(rounds=1, n_cells=2, n_planned=20, n_equal=2, n_init=1)
    assert all(value > 0 for value in dataclasses.asdict(measured).values())
    lines = rendered(measured).splitlines()
    assert len(lines) == 9
    assert any(line.startswith("finished suite of 20 cells resumed") for line in lines)
    targets = {"records of 20 cells loaded": "at most 3 s", "everything listed": "under 1 s"}
    for figure, target in targets.items():
        (line,) = [line for line in lines if line.startswith(figure)]
        assert line.endswith(target)
