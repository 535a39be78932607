import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deep_em_bench.reports.data import statistics
from deep_em_bench.reports.data.statistics import (
    ALPHA,
    LARGE,
    RESAMPLES,
    bootstrap_interval,
    coverage_bound,
    critical_difference,
    friedman,
    friedman_reaches,
    groups,
    holm,
    ranks,
    wilcoxon,
    wilcoxon_least,
)

# Demšar 2006, Table 6: AUC of four settings of C4.5 on 14 data sets. Its ranks tell .9751 and .975
# apart, which print alike.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)

SCORES = arrays(np.float64, st.integers(1, 9), elements=st.integers(-6, 6).map(float))


def by_all_signs(differences):
    """Wilcoxon's p by counting."""
    sizes = scipy.stats.rankdata(np.abs(differences))[differences != 0]
    total, positive = sizes.sum(), sizes[differences[differences != 0] > 0].sum()
    sums = [sizes @ signs for signs in itertools.product([0, 1], repeat=len(sizes))]
    least = min(positive, total - positive)
    return min(1, 2 * np.mean([s <= least for s in sums]))


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([0.1, 0.2, 0.3], 2 / 8),  # no rank is negative: one of 8 sets of signs, either way
        ([0.1, -0.2, 0.3], 6 / 8),  # negative ranks up to 2: {}, {1}, {2}
        ([0.1, 0.2, -0.3], 1),
        ([0.1, 0.1, -0.1], 1),  # three ranks of 2; up to 2: {} and each alone
        ([0.0, 0.1, 0.2], 2 / 4),  # ranks 2 and 3 have signs
        ([0.0, 0.0], 1),
        ([0.5], 1),
        (
            0.3 - np.array([0.2, 0.2, 0.4, 0.1, 0, 0]),
            by_all_signs(np.array([1, 1, -1, 2, 3, 3.0])),
        ),
        (range(1, 7), 1 / 32),
        (range(-10, 0), 1 / 512),
    ],
)
def test_wilcoxon_by_hand(differences, p):
    assert wilcoxon(np.array(differences, dtype=float)) == pytest.approx(p, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(SCORES)
def test_wilcoxon_counts_all_signs(differences):
    assert wilcoxon(differences) == pytest.approx(by_all_signs(differences), abs=1e-12)
    assert wilcoxon(-differences) == wilcoxon(differences)
    assert wilcoxon_least(len(differences)) <= wilcoxon(differences) <= 1


@pytest.mark.parametrize("n", [6, 15, 25])
def test_wilcoxon_is_scipys_without_ties(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    expected = scipy.stats.wilcoxon(differences, method="exact").pvalue
    assert wilcoxon(differences) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("decimals", [1, 9])
def test_wilcoxon_of_very_many_pairs_is_scipys_and_about_the_exact_one(monkeypatch, decimals):
    differences = np.round(np.random.default_rng(3).normal(0.15, 1, LARGE + 1), decimals)
    p = wilcoxon(differences)
    words = {"zero_method": "pratt", "correction": False, "method": "asymptotic"}
    assert p == pytest.approx(scipy.stats.wilcoxon(differences, **words).pvalue, rel=1e-9)
    monkeypatch.setattr(statistics, "LARGE", LARGE + 1)
    assert p == pytest.approx(wilcoxon(differences), rel=0.05)
    assert wilcoxon(np.zeros(LARGE + 1)) == 1


def test_friedman_and_interval_of_very_many_are_the_asymptotic_ones(monkeypatch):
    values = np.random.default_rng(1).normal(size=(LARGE + 1, 5)) + np.array([0, 0, 0, 0, 0.15])
    ranked = ranks(values, higher=True)
    chi2, p = friedman(ranked)
    expected = scipy.stats.friedmanchisquare(*values.T)
    assert (chi2, p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    low, high = bootstrap_interval(values[:, 4])
    half = scipy.stats.t.ppf(0.975, LARGE) * values[:, 4].std(ddof=1) / math.sqrt(LARGE + 1)
    assert high - low == pytest.approx(2 * half, rel=0.05)
    assert bootstrap_interval(values[:, 4]) == (low, high)
    monkeypatch.setattr(statistics, "LARGE", LARGE + 1)
    assert friedman(ranked)[1] == pytest.approx(p, abs=0.01)


def test_holm_by_hand():
    # .005 * 4, then .011 * 3 = .033, .02 * 2 = .04, .04 * 1 = .04
    np.testing.assert_allclose(
        holm(np.array([0.04, 0.005, 0.02, 0.011])), [0.04, 0.02, 0.04, 0.033]
    )
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]
    assert holm(np.array([])).tolist() == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(0, 7), st.floats(0, 1))
def test_holm_never_falls_when_a_p_rises(p, i, rise):
    raised = np.array(p)
    raised[i % len(p)] = min(1, raised[i % len(p)] + rise)
    adjusted = holm(np.array(p))
    assert (holm(raised) >= adjusted - 1e-12).all()
    assert (adjusted >= np.array(p)).all()


def test_holm_is_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).random(12) ** 3
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])


def test_the_interval_of_few_pairs_is_their_range():
    assert bootstrap_interval(np.array([0.3, 0.1])) == (0.1, 0.3)
    assert bootstrap_interval(np.array([0.3, 0.1, 0.2])) == (0.1, 0.3)
    assert [coverage_bound(n) for n in (2, 3, 5)] == [0.5, 0.75, 0.9375]


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, st.integers(2, 12), elements=st.floats(-1, 1)), st.floats(-1, 1))
def test_the_interval_holds_the_mean_and_goes_along(differences, shift):
    low, high = bootstrap_interval(differences)
    assert differences.min() - 1e-9 <= low <= differences.mean() + 1e-9
    assert differences.mean() - 1e-9 <= high <= differences.max() + 1e-9
    np.testing.assert_allclose(
        bootstrap_interval(differences + shift), (low + shift, high + shift), atol=1e-9
    )
    np.testing.assert_allclose(bootstrap_interval(-differences), (-high, -low), atol=0.1)


def test_the_interval_is_scipys_percentile_one_at_the_widened_level():
    differences = np.random.default_rng(3).gamma(2, 0.05, 10)
    # By hand for n = 10: t = 2.262, times the root of 10/9, is 2.3845 in normal quantiles: .85 %
    tail = scipy.stats.norm.cdf(-2.2622 * math.sqrt(10 / 9))
    assert tail == pytest.approx(0.00855, abs=1e-5)
    expected = scipy.stats.bootstrap(
        (differences,),
        np.mean,
        confidence_level=1 - 2 * tail,
        n_resamples=100_000,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    np.testing.assert_allclose(bootstrap_interval(differences), expected, atol=0.002)


@pytest.mark.parametrize(("n", "least"), [(5, 0.9), (8, 0.925), (10, 0.925)])
def test_the_interval_covers_about_what_it_says(n, least):
    draw = np.random.default_rng(n)
    intervals = [bootstrap_interval(draw.standard_normal(n)) for _ in range(1500)]
    covered = np.mean([low <= 0 <= high for low, high in intervals])
    assert least <= covered <= 0.97  # the plain percentile interval: .84, .88, .90


def test_ranks_share_and_know_the_direction():
    values = np.array([[0.1, 0.3, 0.2], [0.5, 0.5, 0.1], [0.3 - 0.2, 0.2 - 0.1, 0.0]])
    assert ranks(values, higher=False).tolist() == [[1, 3, 2], [2.5, 2.5, 1], [2.5, 2.5, 1]]
    assert ranks(values, higher=True).tolist() == [[3, 1, 2], [1.5, 1.5, 3], [1.5, 1.5, 3]]


def test_demsars_example():
    ranked = ranks(DEMSAR, higher=True)
    average = ranked.mean(axis=0)
    np.testing.assert_allclose(average, [3.143, 2.0, 2.893, 1.964], atol=5e-4)
    plain = 12 * 14 / (4 * 5) * ((average**2).sum() - 4 * 5**2 / 4)
    assert plain == pytest.approx(9.28, abs=5e-3)
    chi2, p = friedman(ranked)
    expected = scipy.stats.friedmanchisquare(*DEMSAR.T)
    assert chi2 == pytest.approx(expected.statistic)
    assert chi2 > plain  # which takes no account of the ties
    assert p == pytest.approx(expected.pvalue, abs=5e-3)
    assert critical_difference(14, 4) == pytest.approx(1.25, abs=5e-3)
    assert groups(np.sort(average), critical_difference(14, 4)) == [(0, 3)]
    assert groups(np.sort(average), 1.12) == [(0, 2), (2, 3)]  # at 10 %, as the paper finds


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (5, 2.728), (7, 2.949), (10, 3.164)])
def test_critical_values_are_those_of_demsars_table(k, q):
    assert critical_difference(6, k) / math.sqrt(k * (k + 1) / 36) == pytest.approx(q, abs=1e-3)


@pytest.mark.parametrize("orders", [(0, 0, 0), (0, 0, 1), (0, 1, 5), (0, 3, 4)])
def test_friedmans_p_counts_all_orders(orders):
    every = np.array(list(itertools.permutations([1.0, 2, 3])))
    statistic = (every[list(orders)].sum(axis=0) ** 2).sum()
    sums = [(sum(each) ** 2).sum() for each in itertools.product(every, repeat=3)]
    p = np.mean([s >= statistic for s in sums])
    assert friedman(every[list(orders)])[1] == pytest.approx(p, abs=4 * math.sqrt(p / RESAMPLES))


def test_friedman_with_ties_and_nothing_else():
    assert friedman(np.full((4, 3), 2.0)) == (0, 1)
    ranked = ranks(np.array([[1, 1, 2], [1, 2, 2], [1, 1, 1], [1, 2, 3.0]]), higher=False)
    expected = scipy.stats.friedmanchisquare(*ranked.T).statistic
    assert friedman(ranked)[0] == pytest.approx(expected)
    assert friedman(ranked[::-1]) == friedman(ranked)  # which seed was first says nothing


def test_what_can_reach_five_per_cent():
    assert [n for n in range(1, 9) if wilcoxon_least(n) <= ALPHA] == [6, 7, 8]
    reached = {k: next(n for n in range(1, 9) if friedman_reaches(n, k)) for k in (2, 3, 4, 7)}
    assert reached == {2: 6, 3: 3, 4: 3, 7: 3}  # 1/2^5, 1/6^2; Nemenyi: 2.71 <= 3, 5.20 <= 6
    assert not friedman_reaches(0, 5)
    assert not friedman_reaches(10, 1)


@pytest.mark.parametrize(("n", "k"), [(3, 7), (5, 5), (10, 4)])
def test_nemenyi_errs_in_no_more_than_five_per_cent(n, k):
    draw = np.random.default_rng(0)
    dealt = draw.permuted(np.broadcast_to(np.arange(1.0, k + 1), (4000, n, k)), axis=2)
    told_apart = np.ptp(dealt.mean(axis=1), axis=1) >= critical_difference(n, k)
    assert told_apart.mean() <= ALPHA


def test_groups_are_the_largest_runs():
    assert groups(np.array([1.0, 2.0, 3.0]), 1.0) == []  # a difference of CD is told apart
    assert groups(np.array([1.0, 1.0, 3.0]), 0.5) == [(0, 1)]
    assert groups(np.array([1.0, 2.0, 3.0, 4.0]), 2.5) == [(0, 2), (1, 3)]
    assert groups(np.array([1.0, 1.9, 2.0]), 5.0) == [(0, 2)]


def test_nemenyi_is_scikit_posthocs():
    posthocs = pytest.importorskip("scikit_posthocs")
    draw = np.random.default_rng(0)
    values = draw.random((12, 6)) + 0.12 * np.arange(6)
    average = ranks(values, higher=False).mean(axis=0)
    apart = np.abs(average[:, None] - average) >= critical_difference(12, 6)
    p = np.asarray(posthocs.posthoc_nemenyi_friedman(values))
    np.testing.assert_array_equal(apart, p <= ALPHA)
    assert 0 < apart.sum() < 30
