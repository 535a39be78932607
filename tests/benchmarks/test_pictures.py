"""Pictures between components are those of the weights that are said, and are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_em_bench.benchmarks.engine.provenance import host
from deep_em_bench.benchmarks.execute import execute
from deep_em_bench.benchmarks.pictures import Interpolating, ways
from tests.benchmarks.samplers import Bridges, K, job


@pytest.mark.usefixtures("asked", "registered")
def test_pictures_between_components_are_stored(tmp_path: Path) -> None:
    record, arrays = execute(job(tmp_path, "bridges"), host())
    assert record.error is None
    assert arrays["samples"].shape == (K, 10, 1, 8, 8)
    assert arrays["interpolation"].shape == (2, 9, 1, 8, 8)
    assert arrays["triangle"].shape == (9, 9, 1, 8, 8)
    assert {arrays[name].dtype for name in ("interpolation", "triangle")} == {np.dtype(np.uint8)}
    _, without = execute(job(tmp_path, "sharpens"), host())
    assert not {"interpolation", "triangle"} & without.keys()
    _, unasked = execute(job(tmp_path, "bridges", how=None), host())
    assert not {"interpolation", "triangle"} & unasked.keys()


def test_weights_of_the_pictures_are_those_that_are_said() -> None:
    method = Bridges(K)
    method.shape_ = [1, 2, 2]
    assert isinstance(method, Interpolating)
    found = ways(method, (1, 2, 2), K, 0)
    # 255 (.2 + .4 w) and 255 (.6 + .4 w) at w = 0, 1/8, ..., 1, by hand.
    first = [51, 63.75, 76.5, 89.25, 102, 114.75, 127.5, 140.25, 153]
    second = [153, 165.75, 178.5, 191.25, 204, 216.75, 229.5, 242.25, 255]
    off = found["interpolation"][..., 0, 0, 0] - np.array([first, second])
    assert np.abs(off).max() <= 0.5 + 1e-3
    triangle = found["triangle"][..., 0, 1, 1]
    assert (triangle[0, 0], triangle[8, 0], triangle[0, 8]) == (51, 153, 255)
    for i in range(9):
        for j in range(9):
            value = 0.2 * (8 - i - j) / 8 + 0.6 * i / 8 + j / 8 if i + j <= 8 else 0.0
            assert abs(int(triangle[i, j]) - 255 * value) <= 0.5 + 1e-3
    assert set(ways(method, (1, 2, 2), 1, 0)) == set()
    assert set(ways(method, (1, 2, 2), 2, 0)) == {"interpolation"}


@pytest.mark.parametrize("bad", ["nan", "short"])
def test_bad_pictures_are_refused(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interpolate(components: Any, weights: Any, *, random_state: int = 0) -> np.ndarray:
        n = len(weights) - (bad == "short")
        return np.full((n, 1, 2, 2), np.nan if bad == "nan" else 0, np.float32)

    method = Bridges(K)
    monkeypatch.setattr(method, "interpolate", interpolate)
    with pytest.raises(ValueError, match="interpolate gave shape"):
        ways(method, (1, 2, 2), K, 0)
