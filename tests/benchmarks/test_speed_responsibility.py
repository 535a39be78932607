"""All fakes and drawn ones are timed side by side and estimate one loss; how fast is not asked."""

from __future__ import annotations

from typing import Any

import pytest

from deep_em_bench.benchmarks.speed.responsibility import rendered, responsibility_gan


@pytest.mark.parametrize(
    "params",
    [
        {"network": "mlp", "n_clusters": 4, "steps": 10},
        {"network": "mlp", "n_clusters": 3, "drawn": 2, "steps": 5},
        {"network": "conv", "n_clusters": 3, "width": 0.05, "steps": 3},
    ],
)
def test_both_forms_are_timed_and_agree_in_expectation(params: dict[str, Any]) -> None:
    found = responsibility_gan(rounds=1, passes=30, **params)
    assert found.drawn == params.get("drawn", 1)
    assert 0 < found.standard_error < 0.1 * found.all_loss
    assert abs(found.drawn_loss - found.all_loss) < 4 * found.standard_error
    assert found.ratio == pytest.approx(found.drawn_per_s / found.all_per_s)
    assert f"{found.ratio:.2f}" in rendered(found)
