"""What the suites ask of convolutional nets; no data set of the tests is large enough for it."""

from __future__ import annotations

import pytest

from deep_em_bench.benchmarks.plan import plan
from deep_em_bench.benchmarks.suite import PROFILES, Suite, suite_files

WITHOUT = {"digits", "iris", "moons", "blobs", "image_segmentation", "artificial_characters"}
"""Data sets on which nets are fully connected if nobody asks for others."""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("suite", sorted(suite_files()))
def test_a_convolutional_discriminator_of_gan_em_is_normalised(suite: str, profile: str) -> None:
    """It wins at once otherwise (docs/lab_notebook.md)."""
    cells = [
        cell
        for cell in plan(Suite.find(suite), profile)
        if (cell.method, cell.preset) == ("gan_em", "stable")
        and cell.dataset.name not in WITHOUT
        and cell.params["network"] != "mlp"
        and cell.params["max_iter"] > 0
    ]
    assert {cell.label for cell in cells if "D" not in cell.params["spectral_norm"]} == set()
