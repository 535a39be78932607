import numpy as np
import pytest

from deep_em_bench.reports import statistics
from deep_em_bench.reports.statistics_rows import compared, ranked, ranked_over_data
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed


@pytest.fixture
def table(make_record):
    """One table of scores by label and seed; None: that run failed; absent: it was not run."""

    def table(scores, metric="error_rate", **words):
        records = [
            make_record(label, seed, {metric: value}, **words)
            if value is not None
            else make_record(label, seed, status="failed", **words)
            for label, values in scores.items()
            for seed, value in (values.items() if isinstance(values, dict) else enumerate(values))
        ]
        (block,) = summarise(records)
        return block

    return table


def rows_of(block, metric="error_rate"):
    found = compared(block, "train", metric)
    assert found is not None
    return found, {row.label: row for row in found.rows}


def test_differences_are_paired_by_seed_and_failures_left_out(table):
    block = table({"a": [0.1, None, 0.3, 0.2], "b": [0.3, 0.9, None, 0.3], "c": {2: 0.4, 7: 0.9}})
    found, rows = rows_of(block)
    assert found.best == "a"
    assert (rows["b"].n, rows["b"].left_out) == (2, 2)
    assert rows["b"].mean == pytest.approx(0.15)  # seeds 0 and 3 alone
    assert rows["b"].interval == (0.1, 0.2)
    assert (rows["c"].n, rows["c"].left_out) == (1, 4)
    assert rows["c"].interval is None
    assert rows["c"].mean == pytest.approx(0.1)
    assert rows["a"].mean is None
    assert (rows["a"].n, rows["a"].left_out) == (3, 1)


@pytest.mark.parametrize(("metric", "best"), [("error_rate", "low"), ("purity", "high")])
def test_the_better_direction_is_the_metrics(table, metric, best):
    block = table({"low": [0.1] * 3, "high": [0.3] * 3}, metric)
    found, rows = rows_of(block, metric)
    assert found.best == best
    other = rows["high" if best == "low" else "low"]
    assert other.mean == pytest.approx(0.2 if best == "low" else -0.2)
    ranking = ranked(block, "train", metric)
    assert ranking is not None
    assert ranking.labels[0] == best
    assert ranking.average == (1, 2)


def test_what_has_no_direction_or_no_rival_is_not_compared(table):
    assert compared(table({"a": [10.0], "b": [9.0]}, "active_clusters"), "train", "ari") is None
    block = table({"a": [10.0], "b": [9.0]}, "active_clusters")
    assert compared(block, "train", "active_clusters") is None
    assert ranked(block, "train", "active_clusters") is None
    assert ranked_over_data([block], "train", "active_clusters") is None
    assert compared(table({"a": [0.1], "b": [None]}), "train", "error_rate") is None


def test_a_row_without_a_number_is_listed_and_not_tested(table):
    _, rows = rows_of(table({"a": [0.1, 0.1], "b": [0.2, 0.2], "c": [None, None]}))
    assert (rows["c"].n, rows["c"].left_out, rows["c"].mean) == (0, 2, None)
    assert rows["c"].underpowered == ""


def test_a_row_that_seldom_ended_well_is_no_reference_and_stays(table):
    block = table({"a": [0.1] * 4, "b": [0.2] * 4, "lucky": [0.01, None, None, None]})
    found, rows = rows_of(block)
    assert found.best == "a"
    assert rows["lucky"].mean == pytest.approx(-0.09)
    assert (rows["lucky"].n, rows["lucky"].left_out) == (1, 3)
    block = table({"a": [0.1, None, None], "b": [None, 0.2, None]})
    assert compared(block, "train", "error_rate") is None


def test_five_pairs_are_underpowered_and_six_are_tested(table):
    _, rows = rows_of(table({"a": [0.1] * 5, "b": [0.2, 0.3, 0.4, 0.5, 0.6]}))
    assert rows["b"].p is None
    assert rows["b"].underpowered == "underpowered (n=5)"
    _, rows = rows_of(table({"a": [0.1] * 6, "b": [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]}))
    assert rows["b"].p == pytest.approx(2 / 64)
    assert rows["b"].underpowered == ""


def test_six_pairs_reach_five_per_cent_for_one_row_alone(table):
    rising = np.arange(6) / 100
    _, rows = rows_of(table({"a": [0.1] * 6, "b": 0.2 + rising, "c": 0.3 + rising}))
    assert rows["b"].p is rows["c"].p is None
    assert rows["b"].underpowered == "underpowered (n=6, Holm over 2)"


def test_rows_with_too_few_pairs_are_no_part_of_the_family(table):
    block = table({"a": [0.1] * 6, "b": [0.2, 0.3, 0.4, 0.5, 0.6, 0.7], "c": [0.3] * 5})
    _, rows = rows_of(block)
    assert rows["b"].p == pytest.approx(2 / 64)
    assert rows["c"].underpowered == "underpowered (n=5)"


def test_holm_is_over_the_rows_of_the_metric(table):
    draw = np.random.default_rng(0)
    scores = {"a": draw.normal(0.1, 0.01, 10), "b": draw.normal(0.11, 0.02, 10)}
    scores |= {"c": draw.normal(0.3, 0.01, 10), "d": draw.normal(0.13, 0.03, 10)}
    _, rows = rows_of(table(scores))
    differences = [scores[label] - scores["a"] for label in "bcd"]
    expected = statistics.holm(np.array([statistics.wilcoxon(d) for d in differences]))
    np.testing.assert_allclose([rows[label].p for label in "bcd"], expected)
    assert rows["b"].interval == statistics.bootstrap_interval(differences[0])


def test_equal_rows_are_tested_and_not_told_apart(table):
    _, rows = rows_of(table({"a": [0.1] * 8, "b": [0.1] * 8}))
    assert rows["b"].mean == 0
    assert rows["b"].interval == (0, 0)
    assert rows["b"].p == 1


def test_runs_of_one_seed_count_once_where_versions_are_mixed(make_record):
    records = [
        make_record("a", 0, {"error_rate": 0.1}),
        make_record("a", 1, {"error_rate": 0.2}),
        make_record("b", 0, {"error_rate": 0.4}, version=2),
        make_record("b", 0, {"error_rate": 0.6}, version=3),
    ]
    (block,) = summarise(records, mixed=True)
    _, rows = rows_of(block)
    assert (rows["b"].n, rows["b"].left_out) == (1, 1)
    assert rows["b"].mean == pytest.approx(0.4)


def test_ranks_are_over_the_seeds_that_every_ranked_row_has(table):
    block = table(
        {
            "a": [0.1, 0.2, 0.1, 0.3],
            "b": [0.2, 0.1, 0.2, None],
            "c": [0.3, 0.3, None, 0.1],
            "rare": [0.0, None, None, None],
            "failed": [None] * 4,
        }
    )
    ranking = ranked(block, "train", "error_rate")
    assert ranking is not None
    assert ranking.labels == ("a", "b", "c")
    assert ranking.average == (1.5, 1.5, 3)  # seeds 0 and 1
    assert ranking.over == "seeds 0, 1 of one data set"
    assert (ranking.n, ranking.seeds_left_out) == (2, 2)
    assert ranking.left_out == ("failed", "rare")
    assert ranking.p is ranking.chi2 is ranking.critical is None
    assert ranking.groups == []
    assert set(ranking.letters.values()) == {""}


def test_groups_of_ranks_and_their_letters(table):
    order = np.arange(10) % 2 / 100
    block = table({"a": 0.1 + order, "b": 0.11 - order, "c": [0.3] * 10, "d": [0.4] * 10})
    ranking = ranked(block, "train", "error_rate")
    assert ranking is not None
    assert ranking.average == (1.5, 1.5, 3, 4)
    assert ranking.critical == pytest.approx(2.569 * np.sqrt(20 / 60), abs=1e-3)  # 1.48
    assert ranking.groups == [(0, 1), (2, 3)]
    assert ranking.letters == {"a": "a", "b": "a", "c": "b", "d": "b"}
    assert ranking.p is not None
    assert ranking.p < 0.001


def test_where_friedman_finds_nothing_no_row_is_told_apart(table):
    draw = np.random.default_rng(5)
    ranking = ranked(table({label: draw.random(10) for label in "abcd"}), "train", "error_rate")
    assert ranking is not None
    assert ranking.p is not None
    assert ranking.p > statistics.ALPHA
    assert ranking.groups == [(0, 3)]


def data_sets(table, tables):
    return [
        table(
            {label: [value, value] for label, value in scores.items()},
            dataset=DatasetUsed(name=name, n=n, sha256={}, words=words),
        )
        for name, n, words, scores in tables
    ]


def test_over_data_sets_each_is_one_block_by_its_means(table):
    blocks = data_sets(
        table,
        [
            ("digits", 10, {}, {"a": 0.1, "b": 0.2, "c": 0.3}),
            ("moons", 10, {}, {"a": 0.1, "b": 0.3, "c": 0.2}),
            ("blobs", 10, {}, {"a": 0.2, "b": 0.3, "c": 0.1, "only here": 0.0}),
        ],
    )
    ranking = ranked_over_data(blocks, "train", "error_rate")
    assert ranking is not None
    assert ranking.over == "data sets blobs, digits, moons"
    assert ranking.n == 3  # not six runs
    assert dict(zip(ranking.labels, ranking.average, strict=True)) == pytest.approx(
        {"a": 4 / 3, "b": 8 / 3, "c": 2}
    )
    assert ranking.left_out == ("only here",)
    assert ranked_over_data(blocks[:1], "train", "error_rate") is None
    assert ranked_over_data(blocks, "test", "error_rate") is None


def test_a_row_that_seldom_ended_well_is_not_ranked_over_data_sets(table):
    blocks = [
        table(
            {"a": [0.1] * 3, "b": [0.2] * 3, "c": [0.0, *[None] * 2] if i else [0.0] * 3},
            dataset=DatasetUsed(name=name, n=10),
        )
        for i, name in enumerate(("digits", "moons"))
    ]
    ranking = ranked_over_data(blocks, "train", "error_rate")
    assert ranking is not None
    assert (ranking.labels, ranking.left_out) == (("a", "b"), ("c",))


def test_subsets_of_one_data_set_are_no_data_sets(table):
    scores = {"a": 0.1, "b": 0.2, "c": 0.3}
    mnist = [
        ("mnist", 100, {"subset": 100}, scores),
        ("mnist", 200, {"subset": 200}, {"a": 0.1, "b": 0.3, "c": 0.2}),
        ("mnist", 300, {"subset": 300}, {"a": 0.1, "b": 0.3, "c": 0.2}),
    ]
    blocks = data_sets(table, [*mnist, ("digits", 10, {}, scores)])
    assert ranked_over_data(blocks[:3], "train", "error_rate") is None
    ranking = ranked_over_data(blocks, "train", "error_rate")
    assert ranking is not None
    assert ranking.n == 2
    # MNIST's average ranks are 1, 2.67 and 2.33: together they are one vote for c before b.
    assert dict(zip(ranking.labels, ranking.average, strict=True)) == {"a": 1, "b": 2.5, "c": 2.5}
