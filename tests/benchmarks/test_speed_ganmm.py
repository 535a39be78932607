"""Loop and batched model are timed side by side and agree; how fast is not asked here."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from deep_em_bench.benchmarks.speed.ganmm import EnsembleComparison, ganmm, rendered


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


def test_a_table_names_what_stands_against_the_loop() -> None:
    row = EnsembleComparison(
        network="mlp",
        precision="fp32",
        path="graphs",
        loop_ms=150.0,
        batched_ms=1.5,
        ratio=100.0,
        difference=2e-5,
        steps=20,
    )
    head, *lines = rendered([dataclasses.replace(row, path="batched"), row]).splitlines()
    assert head.split()[:6] == ["nets", "precision", "path", "loop", "ms", "ms"]
    assert [line.split()[:6] for line in lines] == [
        ["mlp", "fp32", path, "150.00", "1.50", "100.00"] for path in ("batched", "graphs")
    ]
    assert all(line.endswith("2.0e-05 after 20 updates") for line in lines)
