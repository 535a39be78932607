"""The literal loop and the fast path do the same; how fast is not asked here."""

from __future__ import annotations

import pytest

from deep_em_bench.benchmarks.speed.gan_em import gan_em, rendered


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_the_fast_path_has_the_losses_of_the_literal_loop(network: str) -> None:
    (row,) = gan_em(n=140, network=network, rounds=1, variants=(("fp32", {}),))
    assert row.first_difference < 1e-5
    assert row.mean_difference < 1e-2  # two batches: rounding has gone through one update
    assert row.images_per_s > 0
    assert row.ratio > 0
    heading, line = rendered([row]).splitlines()
    assert "x reference" in heading
    assert line.startswith("fp32")
