from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import linalg

from deep_em_bench.metrics.moments import LARGEST, Moments, frechet_distance


def of(*batches: np.ndarray) -> Moments:
    seen = Moments(batches[0].shape[1])
    for batch in batches:
        seen.add(batch)
    return seen


def features(n: int, d: int, seed: int, *, scale: float = 1.0, dead: int = 0) -> np.ndarray:
    """Correlated and half-sided, as features behind a ReLU are; the first ``dead`` never fire."""
    rng = np.random.default_rng(seed)
    mixed = np.random.default_rng(99).normal(size=(d, d))
    found = np.maximum(scale * rng.normal(size=(n, d)) @ mixed + 0.3, 0)
    found[:, :dead] = 0
    return found


def by_sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    """The distance as it is usually computed."""
    S1, S2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of singular products, which are among the cases
        root = linalg.sqrtm(S1 @ S2)
    gap = x.mean(axis=0) - y.mean(axis=0)
    return float(gap @ gap + np.trace(S1 + S2) - 2 * np.trace(root).real)


@pytest.mark.parametrize("dead", [0, 3])
@pytest.mark.parametrize(
    ("d", "m", "n"), [(20, 400, 300), (20, 12, 15), (20, 12, 400), (20, 400, 12), (60, 61, 59)]
)
def test_sqrtm_agrees_to_a_millionth(d: int, m: int, n: int, dead: int) -> None:
    x, y = features(m, d, 0, dead=dead), features(n, d, 1, scale=1.2, dead=dead)
    expected = pytest.approx(by_sqrtm(x, y), rel=1e-6)
    assert frechet_distance(of(x), of(y)) == expected
    assert frechet_distance(of(y), of(x)) == expected


def gaussian(n: int, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Rows whose sample mean and covariance (ddof 1) are exactly those."""
    d = len(mean)
    rows = np.random.default_rng(7).normal(size=(n, d))
    rows -= rows.mean(axis=0)
    white = np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))) @ rows.T
    return (np.linalg.cholesky(covariance) @ white).T + mean


def test_closed_forms_of_gaussians() -> None:
    one = gaussian(50, np.zeros(3), np.diag([1.0, 4.0, 9.0]))
    # Diagonal covariances commute: sum of (mu1 - mu2)^2 + (s1 - s2)^2.
    other = gaussian(70, np.array([1.0, 0.0, 2.0]), np.diag([4.0, 4.0, 1.0]))
    assert frechet_distance(of(one), of(other)) == pytest.approx(1 + 4 + 1 + 0 + 4)
    # Equal covariances leave the means' distance; a scaling by c leaves (c - 1)^2 tr S.
    moved = one + np.array([0, 3, 4])
    assert frechet_distance(of(one), of(moved)) == pytest.approx(25)
    assert frechet_distance(of(one), of(3 * one)) == pytest.approx(4 * 14)


def test_covariances_that_do_not_commute() -> None:
    # In two dimensions tr (S1 S2)^1/2 = sqrt(tr S1 S2 + 2 sqrt(det S1 S2)), by hand: with
    # S1 = diag(4, 1) and S2 = [[2, 1], [1, 1]] it is sqrt(9 + 2 * 2).
    one = gaussian(30, np.zeros(2), np.diag([4.0, 1.0]))
    other = gaussian(30, np.zeros(2), np.array([[2.0, 1.0], [1.0, 1.0]]))
    expected = 5 + 3 - 2 * np.sqrt(13)
    assert frechet_distance(of(one), of(other)) == pytest.approx(expected)


def test_known_bias_between_draws_of_one_gaussian() -> None:
    draws = np.random.default_rng(0).normal(size=(2, 500, 84))
    assert frechet_distance(of(draws[0]), of(draws[1])) == pytest.approx(7.7, abs=0.4)


@pytest.mark.parametrize("n", [5, 20, 100])
def test_equal_sets_are_at_zero_in_any_order(n: int) -> None:
    x = features(n, 20, 0)
    scale = of(x).total_variance()
    assert frechet_distance(of(x), of(x)) <= 1e-9 * scale
    shuffled = np.random.default_rng(1).permutation(x)
    assert frechet_distance(of(x), of(shuffled)) <= 1e-9 * scale
    y = features(n, 20, 2)
    expected = pytest.approx(frechet_distance(of(x), of(y)), rel=1e-9)
    assert frechet_distance(of(shuffled), of(y)) == expected


def test_a_collapsed_generator_is_as_far_as_the_data_are_wide() -> None:
    x = features(200, 20, 0)
    for n in (10, 300):
        collapsed = np.repeat(x.mean(axis=0)[None], n, axis=0)
        expected = of(x).total_variance()
        assert frechet_distance(of(x), of(collapsed)) == pytest.approx(expected, rel=1e-6)
        assert frechet_distance(of(collapsed), of(collapsed)) <= 1e-12


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 60),
    d=st.integers(1, 12),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_streaming_is_the_whole(n: int, d: int, cuts: list[int]) -> None:
    x = 100 + np.random.default_rng(n + 100 * d).normal(size=(n, d))
    parts = np.split(x, sorted(min(cut, n) for cut in cuts))
    seen = of(*parts)
    assert seen.n == n
    np.testing.assert_allclose(seen.mean, x.mean(axis=0), rtol=1e-12)
    covariance = np.cov(x, rowvar=False).reshape(d, d)
    np.testing.assert_allclose(seen.covariance(), covariance, rtol=1e-9, atol=1e-12)
    assert seen.total_variance() == pytest.approx(np.trace(covariance))


def test_float32_rows_are_summed_in_float64() -> None:
    x = (1e4 + np.random.default_rng(0).normal(size=(5000, 3))).astype(np.float32)
    expected = np.cov(x.astype(np.float64), rowvar=False)
    np.testing.assert_allclose(of(x).covariance(), expected, rtol=1e-10)


def test_memory_does_not_grow_with_n() -> None:
    seen = Moments(4)
    for _ in range(50):
        seen.add(np.ones((7, 4)))
    held = [value for value in vars(seen).values() if isinstance(value, np.ndarray)]
    assert sum(array.size for array in held) == 4 + 16
    assert not seen._rows


@settings(max_examples=80, deadline=None)
@given(data=st.data(), d=st.integers(1, 5))
def test_finite_input_never_gives_nan(data: st.DataObject, d: int) -> None:
    values = st.floats(-LARGEST, LARGEST, width=32)
    sides = [
        data.draw(hnp.arrays(np.float32, (data.draw(st.integers(2, 8)), d), elements=values))
        for _ in range(2)
    ]
    distance = frechet_distance(of(sides[0]), of(sides[1]))
    assert np.isfinite(distance)
    assert distance >= 0


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (np.array([[1.0, np.nan]]), "reach nan; expected finite values"),
        (np.array([[1.0, -np.inf]]), "reach inf; expected finite values"),
        (np.array([[1.0, 1e39]]), "reach 1e.39; expected finite values of at most 3.4e.38"),
        (np.ones((3, 3)), r"shape \(3, 3\); expected \(n, 2\)"),
        (np.ones(2), r"shape \(2,\); expected \(n, 2\)"),
        (np.array([["1", "2"]]), "type <U1; expected real numbers"),
        (np.ones((1, 2), complex), "type complex128; expected real numbers"),
    ],
)
def test_other_rows_are_refused(rows: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Moments(2).add(rows)


def test_too_few_rows_and_other_widths_are_refused() -> None:
    one = of(np.ones((1, 2)))
    with pytest.raises(ValueError, match="covariance needs at least two rows"):
        frechet_distance(one, of(np.ones((5, 2))))
    with pytest.raises(ValueError, match="there are no rows"):
        _ = Moments(2).mean
    with pytest.raises(ValueError, match="moments of 2 and of 3 features"):
        frechet_distance(one, of(np.ones((5, 3))))
    with pytest.raises(ValueError, match="d is 0"):
        Moments(0)
