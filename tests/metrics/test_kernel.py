from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics.pairwise import polynomial_kernel

from deep_em_bench.metrics import kernel
from deep_em_bench.metrics.kernel import kernel_distance, kernel_distance_spread
from deep_em_bench.metrics.moments import LARGEST


def by_loops(x: np.ndarray, y: np.ndarray) -> float:
    def k(a: np.ndarray, b: np.ndarray) -> float:
        return (a @ b / len(a) + 1) ** 3

    within = [
        sum(k(a, b) for a, b in itertools.permutations(side, 2)) / (len(side) * (len(side) - 1))
        for side in (x, y)
    ]
    return sum(within) - 2 * sum(k(a, b) for a in x for b in y) / (len(x) * len(y))


def test_by_hand() -> None:
    # One feature: k = (xy + 1)^3. Real 0, 1: k(0, 1) = 1. Fake 1, 2: k(1, 2) = 27.
    # Between: 1, 1, 8, 27 on average 9.25; 1 + 27 - 2 * 9.25 = 9.5.
    assert kernel_distance(np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])) == 9.5


@pytest.mark.parametrize("block", [3, 4, 2048])
def test_blocks_sum_up_to_the_loops_and_to_another_kernel(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 5)), rng.normal(0.3, 1.2, size=(8, 5))
    assert kernel_distance(x, y) == pytest.approx(by_loops(x, y), rel=1e-12)
    within = [polynomial_kernel(side, degree=3, gamma=1 / 5, coef0=1) for side in (x, y)]
    expected = sum((K.sum() - np.trace(K)) / (len(K) * (len(K) - 1)) for K in within)
    expected -= 2 * polynomial_kernel(x, y, degree=3, gamma=1 / 5, coef0=1).mean()
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-12)


def test_it_is_unbiased_where_the_frechet_distance_is_not() -> None:
    rng = np.random.default_rng(1)
    found = np.array([kernel_distance(*rng.normal(size=(2, 30, 10))) for _ in range(300)])
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(300)
    assert (found < 0).any()
    assert (found > 0).any()


def test_symmetry_and_order() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(40, 4)), rng.normal(1, 1, size=(30, 4))
    expected = pytest.approx(kernel_distance(x, y), rel=1e-12)
    assert kernel_distance(y, x) == expected
    assert kernel_distance(x[::-1], rng.permutation(y)) == expected
    assert kernel_distance(x, y) > 1


def test_a_collapsed_generator_is_finite_and_far() -> None:
    rng = np.random.default_rng(3)
    x, halves = rng.normal(size=(200, 6)), rng.normal(size=(200, 6))
    far = kernel_distance(x, np.repeat(x[:1], 200, axis=0))
    assert far > 10 * abs(kernel_distance(x, halves))


def test_the_spread_falls_with_the_size_of_subsets() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 400, 5))
    small = kernel_distance_spread(x, y, subset_size=20)
    large = kernel_distance_spread(x, y, subset_size=150)
    assert small > 3 * large > 0
    assert small == kernel_distance_spread(x, y, subset_size=20)
    assert small != kernel_distance_spread(x, y, subset_size=20, seed=1)
    # No more than half of the rows, so that subsets differ.
    assert kernel_distance_spread(x, y) == kernel_distance_spread(x, y, subset_size=200) > 0


@settings(max_examples=60, deadline=None)
@given(data=st.data(), d=st.integers(1, 4))
def test_finite_input_never_gives_nan(data: st.DataObject, d: int) -> None:
    values = st.floats(-LARGEST, LARGEST, width=32)
    x, y = (
        data.draw(hnp.arrays(np.float32, (data.draw(st.integers(4, 7)), d), elements=values))
        for _ in range(2)
    )
    assert np.isfinite(kernel_distance(x, y))
    assert np.isfinite(kernel_distance_spread(x, y))


def test_what_cannot_be_compared_is_refused() -> None:
    x = np.ones((5, 3))
    with pytest.raises(ValueError, match=r"fake features have shape \(5, 2\); expected \(n, 3\)"):
        kernel_distance(x, np.ones((5, 2)))
    with pytest.raises(ValueError, match="5 real and 1 fake rows"):
        kernel_distance(x, x[:1])
    with pytest.raises(ValueError, match="real features reach nan"):
        kernel_distance(x * np.nan, x)
    with pytest.raises(ValueError, match="20 subsets of 1000 from 3 rows"):
        kernel_distance_spread(x, x[:3])
