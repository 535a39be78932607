"""One procedure a table: p values, bold type, letters and groups follow from it."""

import numpy as np
import pytest
from scipy import stats

from deep_em_bench.core import UserError
from deep_em_bench.reports.data.blocks import blocks_of
from deep_em_bench.reports.data.differences import Procedure, compare, compare_over_data
from deep_em_bench.results import DatasetUsed, frame_of

NEMENYI = Procedure(test="nemenyi")


@pytest.fixture
def block(make_record):
    """A block of these rows' scores, a value a seed; None: a failed run."""

    def make(values, metric="ari", **words):
        records = [
            make_record(label, seed, {metric: value}, **words)
            if value is not None
            else make_record(label, seed, status="failed", **words)
            for label, each in values.items()
            for seed, value in enumerate(each)
        ]
        (only,) = blocks_of(records, frame_of(records))
        return only

    return make


def scores(n, *levels):
    """Rows of ``n`` seeds at these levels, never crossing, all differences unequal."""
    return {
        f"m{i}": [level + 0.001 * s * (i + 1) for s in range(n)] for i, level in enumerate(levels)
    }


def test_bold_is_the_best_and_all_that_its_own_p_does_not_tell_apart(block):
    values = scores(10, 0.9, 0.5)
    values["near"] = [0.9 + (0.01 if s % 2 else -0.009) for s in range(10)]
    comparison = compare(block(values), "train/ari")
    assert comparison.tested
    assert comparison.best == "m0"
    apart = {label for label, d in comparison.differences.items() if d.p <= 0.05}
    assert comparison.bold == {"m0", "m1", "near"} - apart == {"m0", "near"}
    assert set(comparison.equals[0]) == comparison.bold


def test_p_is_scipys_after_holm(block):
    rng = np.random.default_rng(0)
    values = {f"m{i}": (rng.normal(i, 1, 12) / 10).tolist() for i in range(3)}
    comparison = compare(block(values), "train/ari")
    raw = {
        k: stats.wilcoxon(d.values, method="exact").pvalue
        for k, d in comparison.differences.items()
    }
    low, high = sorted(raw, key=raw.__getitem__)
    assert comparison.differences[low].p == pytest.approx(min(1, 2 * raw[low]))
    assert comparison.differences[high].p == pytest.approx(max(2 * raw[low], raw[high]))


@pytest.mark.parametrize(("n", "k"), [(3, 2), (5, 2), (6, 5)])
def test_what_n_cannot_bear_is_one_line_and_the_best_alone_is_bold(block, n, k):
    comparison = compare(block(scores(n, *np.linspace(0.1, 0.9, k))), "train/ari")
    assert not comparison.tested
    assert comparison.bold == {comparison.best}
    assert "too few" in comparison.unborne
    assert all((d.interval is None) == (n < 6) for d in comparison.differences.values())


def test_the_user_chooses_what_rows_are_compared_with(block):
    values = block(scores(8, 0.9, 0.5, 0.1))
    comparison = compare(values, "train/ari", Procedure(against="m2"))
    assert comparison.reference == "m2"
    assert comparison.differences["m0"].mean > 0.7
    assert comparison.bold == {"m0"}
    with pytest.raises(UserError, match="unknown row 'm9'"):
        compare(values, "train/ari", Procedure(against="m9"))


def test_nemenyi_gives_letters_groups_and_p_that_agree(block):
    comparison = compare(block(scores(12, 0.9, 0.8, 0.2, 0.1)), "train/ari", NEMENYI)
    gap = {
        label: rank - comparison.ranks[comparison.reference]
        for label, rank in comparison.ranks.items()
    }
    for label, difference in comparison.differences.items():
        told_apart = gap[label] >= comparison.critical
        assert (difference.p <= 0.05) == told_apart
        assert told_apart != bool(
            set(comparison.letters[label]) & set(comparison.letters[comparison.best])
        )
        assert told_apart == (label not in comparison.bold)
    statistic = stats.friedmanchisquare(*scores(12, 0.9, 0.8, 0.2, 0.1).values())
    assert comparison.chi2 == pytest.approx(statistic.statistic)


def test_pairs_are_of_one_seed_and_what_is_left_out_is_counted(block):
    comparison = compare(block({"a": [0.9] * 4, "b": [0.5, None, 0.6, 0.7]}), "train/ari")
    (difference,) = comparison.differences.values()
    assert (difference.n, difference.left_out) == (3, 1)
    assert difference.mean == pytest.approx(-0.3)


def test_lower_may_be_better_and_some_metrics_have_no_best(block):
    assert (
        compare(block({"a": [0.9] * 3, "b": [0.5] * 3}, "error_rate"), "train/error_rate").best
        == "b"
    )
    for metric in ("active_clusters", "rand_index", "error_rate_class_mode"):
        assert compare(block({"a": [0.9] * 3, "b": [0.5] * 3}, metric), f"train/{metric}") is None


def test_over_data_sets_each_has_its_mean_and_one_data_set_counts_once(make_record):
    def used(name, **words):
        return DatasetUsed(name=name, n=60, n_test=0, words=words)

    def records(data, values):
        return [
            make_record(label, seed, {"ari": value + seed / 100}, dataset=data)
            for label, value in values.items()
            for seed in range(2)
        ]

    runs = [r for i in range(7) for r in records(used(f"d{i}"), {"a": 0.5 + i / 100, "b": 0.3})]
    runs += records(used("d0", subset=10), {"a": 0.5, "b": 0.3})
    blocks = blocks_of(runs, frame_of(runs))
    over = compare_over_data(blocks, ["train/ari"] * len(blocks))
    assert (over.n, over.over) == (7, "7 data sets")
    assert over.ranks == {"a": 1.0, "b": 2.0}
    assert over.differences["b"].p == pytest.approx(2**-6)
    assert compare_over_data(blocks[:2], ["train/ari"] * 2) is None  # both are d0
