"""Loop and batched model are timed side by side and agree; how fast is not asked here."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed_ganmm import ganmm


@pytest.mark.parametrize(
    "params",
    [
        {"network": "mlp", "n_clusters": 4},
        {"network": "mlp", "n_clusters": 3, "preset": "official", "optimizer": "rmsprop"},
        {"network": "conv", "n_clusters": 2, "width": 0.05, "steps": 3},
    ],
)
def test_both_paths_agree_and_are_timed(params: dict[str, Any]) -> None:
    found = ganmm(rounds=1, **params)
    assert found.steps == params.get("steps", 20)
    assert found.difference < 1e-5
    assert found.loop_ms > 0
    assert found.batched_ms > 0
    assert found.ratio == pytest.approx(found.loop_ms / found.batched_ms)
