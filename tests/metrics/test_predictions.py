from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.metrics.predictions import Predictions, inception_score


def softmaxed(n: int, K: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(K, 0.3), size=n)


def test_by_hand() -> None:
    # H(mean) = log 2; entropies 0 and 0: two sure classes. With one row at 1/2: log 2 - log 2 / 3.
    assert inception_score(np.array([[1.0, 0.0], [0.0, 1.0]]), splits=1) == pytest.approx((2, 0))
    p = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert inception_score(p, splits=1)[0] == pytest.approx(2 ** (2 / 3))


@pytest.mark.parametrize("splits", [1, 10])
def test_perfect_and_collapsed_generators(splits: int) -> None:
    K = 5
    sure = np.eye(K)[np.arange(1000) % K]
    assert inception_score(sure, splits=1) == pytest.approx((K, 0))
    assert inception_score(sure, splits=splits)[0] > 4.8  # dealing leaves the classes uneven
    for collapsed in (sure[:1], np.full((1, K), 1 / K), np.array([[0.5, 0.5, 0, 0, 0]])):
        found = inception_score(np.repeat(collapsed, 50, axis=0), splits=splits)
        assert found == pytest.approx((1, 0), abs=1e-12)


def test_the_log_ratio_form_agrees_where_it_is_finite() -> None:
    p = softmaxed(300, 7, 0)
    ratio = (p * np.log(p / p.mean(axis=0))).sum(axis=1).mean()
    assert inception_score(p, splits=1)[0] == pytest.approx(np.exp(ratio))


def test_splits_are_a_fixed_shuffle_of_equal_sizes() -> None:
    p = softmaxed(103, 4, 1)
    seen = Predictions(4).add(p)
    assert sorted(seen.counts) == [10] * 7 + [11] * 3
    assert seen.score() == inception_score(p) != inception_score(p, seed=1)
    mean, std = seen.score()
    assert (mean, std) == (seen.scores().mean(), seen.scores().std(ddof=0))
    # Sorted by class, unshuffled splits would each see two classes of twenty: a score of 2.
    by_class = np.repeat(np.eye(20), 50, axis=0)
    assert inception_score(by_class)[0] > 15


@settings(max_examples=40, deadline=None)
@given(n=st.integers(10, 90), cuts=st.lists(st.integers(0, 90), max_size=5))
def test_streaming_is_the_whole(n: int, cuts: list[int]) -> None:
    p = softmaxed(n, 3, n)
    seen = Predictions(3)
    for part in np.split(p, sorted(min(cut, n) for cut in cuts)):
        seen.add(part)
    assert seen.score() == pytest.approx(inception_score(p), rel=1e-12)
    assert seen.n == n
    np.testing.assert_allclose(seen.mean, p.mean(axis=0))
    assert seen.mean_entropy == pytest.approx(-(p * np.log(p)).sum() / n)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), K=st.integers(1, 6), n=st.integers(10, 30))
def test_the_score_is_finite_and_within_its_bounds(data: st.DataObject, K: int, n: int) -> None:
    exponents = data.draw(st.lists(st.integers(-300, 0), min_size=K * n, max_size=K * n))
    p = 10.0 ** np.array(exponents).reshape(n, K)
    p /= p.sum(axis=1, keepdims=True)
    mean, std = inception_score(p)
    assert 1 <= mean <= K
    assert 0 <= std <= K


def test_float32_softmaxes_are_accepted_and_normalised() -> None:
    p = softmaxed(200, 10, 2)
    assert inception_score(p.astype(np.float32)) == pytest.approx(inception_score(p), rel=1e-5)


@pytest.mark.parametrize(
    ("p", "says"),
    [
        (np.array([[0.5, np.nan]]), "reach nan"),
        (np.array([[0.9, 0.2]]), "row sums from 1.1 to 1.1; expected a softmax's rows"),
        (np.array([[1.5, -0.5]]), "smallest value of -0.5"),
        (np.ones((2, 3)), r"shape \(2, 3\); expected \(n, 2\)"),
        (np.array([0.5, 0.5]), r"shape \(2,\); expected"),
    ],
)
def test_what_is_no_softmax_is_refused(p: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Predictions(2).add(p)


def test_too_few_rows_and_no_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="9 rows for 10 splits"):
        inception_score(softmaxed(9, 3, 0))
    with pytest.raises(ValueError, match="there are no class probabilities"):
        _ = Predictions(3).mean
    with pytest.raises(ValueError, match="there are no class probabilities"):
        _ = Predictions(3).mean_entropy
    with pytest.raises(ValueError, match="0 classes and 10 splits"):
        Predictions(0)
