import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from deep_em_bench import metrics
from deep_em_bench.core import DataError
from deep_em_bench.metrics.clustering import cluster_table, match_clusters, score_clustering

SAME_PARTITION = {
    "error_rate": 0,
    "error_rate_majority": 0,
    "error_rate_class_mode": 0,
    "purity": 1,
    "ari": 1,
    "rand_index": 1,
    "nmi": 1,
    "nmi_arithmetic": 1,
}

# H(1/3, 2/3) = log 3 - 2/3 log 2, and all three points fall into cells of their own.
HALF_RIGHT_NMI = 2 - np.log(3) / (np.log(3) - 2 / 3 * np.log(2))

THREE_POINTS = {
    "same partition, other names": (
        ([0, 1, 1], [1, 0, 0], 2),
        SAME_PARTITION | {"active_clusters": 2, "min_cluster_share": 1 / 3},
    ),
    "one class in one cluster": (
        ([0, 0, 0], [0, 0, 0], 1),
        SAME_PARTITION | {"active_clusters": 1, "min_cluster_share": 1},
    ),
    "one point of two goes astray": (
        ([0, 0, 1], [0, 1, 1], 2),
        {
            "error_rate": 1 / 3,
            "error_rate_majority": 1 / 3,
            "error_rate_class_mode": 1 / 3,
            "purity": 2 / 3,
            "ari": -0.5,  # S = 0, A = B = 1, P = 3: (0 - 1/3) / (1 - 1/3)
            "rand_index": 1 / 3,  # only the pair of the first and third is apart in both
            "nmi": HALF_RIGHT_NMI,
            "nmi_arithmetic": HALF_RIGHT_NMI,
            "active_clusters": 2,
            "min_cluster_share": 1 / 3,
        },
    ),
    "more classes than clusters, one cluster empty": (
        ([0, 1, 2], [0, 0, 0], 2),
        {
            "error_rate": 2 / 3,
            "error_rate_majority": 2 / 3,
            "error_rate_class_mode": 0,
            "purity": 1 / 3,
            "ari": 0,
            "rand_index": 0,
            "nmi": 0,
            "nmi_arithmetic": 0,
            "active_clusters": 1,
            "min_cluster_share": 0,
        },
    ),
    "more clusters than classes": (
        ([0, 0, 0], [0, 1, 2], 3),
        {
            "error_rate": 2 / 3,
            "error_rate_majority": 0,
            "error_rate_class_mode": 2 / 3,
            "purity": 1,
            "ari": 0,
            "rand_index": 0,
            "nmi": 0,
            "nmi_arithmetic": 0,
            "active_clusters": 3,
            "min_cluster_share": 1 / 3,
        },
    ),
    "two clusters for a class": (
        ([0, 0, 1], [0, 2, 1], 4),
        {
            "error_rate": 1 / 3,
            "error_rate_majority": 0,
            "error_rate_class_mode": 1 / 3,
            "purity": 1,
            "ari": 0,  # S = B = 0
            "rand_index": 2 / 3,
            "nmi": np.sqrt(1 - 2 / 3 * np.log(2) / np.log(3)),
            "nmi_arithmetic": 2 - 2 / (2 - 2 / 3 * np.log(2) / np.log(3)),
            "active_clusters": 3,
            "min_cluster_share": 0,
        },
    ),
}


@pytest.mark.parametrize("case", THREE_POINTS)
def test_three_points_by_hand(case):
    (y, labels, n_clusters), expected = THREE_POINTS[case]
    scores = score_clustering(np.array(y), np.array(labels), n_clusters=n_clusters)
    expected = {"accuracy": 1 - expected["error_rate"], **expected}
    assert scores == pytest.approx(expected, abs=1e-12)


partitions = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
        st.lists(st.integers(0, 8), min_size=n, max_size=n),
    )
)


@settings(max_examples=60, deadline=None)
@given(partitions)
def test_scikit_learn_agrees(pair):
    y, labels = map(np.array, pair)
    scores = score_clustering(y, labels, n_clusters=9)
    assert scores["ari"] == pytest.approx(oracle.adjusted_rand_score(y, labels), abs=1e-12)
    assert scores["rand_index"] == pytest.approx(oracle.rand_score(y, labels), abs=1e-12)
    for name, average in (("nmi", "geometric"), ("nmi_arithmetic", "arithmetic")):
        expected = oracle.normalized_mutual_info_score(y, labels, average_method=average)
        assert scores[name] == pytest.approx(expected, abs=1e-9)
    table = oracle.cluster.contingency_matrix(y, labels)
    assert scores["purity"] == pytest.approx(table.max(axis=0).sum() / len(y))
    assert scores["error_rate_class_mode"] == pytest.approx(1 - table.max(axis=1).sum() / len(y))
    assert scores["active_clusters"] == table.shape[1]


@settings(max_examples=60, deadline=None)
@given(partitions, st.permutations(range(6)), st.permutations(range(9)))
def test_names_of_classes_and_clusters_do_not_matter(pair, classes, clusters):
    y, labels = map(np.array, pair)
    renamed = np.array(classes)[y], np.array(clusters)[labels]
    expected = score_clustering(y, labels, n_clusters=9)
    assert score_clustering(*renamed, n_clusters=9) == pytest.approx(expected, abs=1e-12)


BOUNDS = {name: metrics.info(name).bounds for name in metrics.names("clustering")}


@settings(max_examples=60, deadline=None)
@given(partitions)
def test_bounds_and_order(pair):
    y, labels = map(np.array, pair)
    scores = score_clustering(y, labels, n_clusters=9)
    for name, value in scores.items():
        low, high = BOUNDS[name]
        assert type(value) is float
        assert low is None or value >= low - 1e-12
        assert high is None or value <= high + 1e-12
    assert scores["error_rate_majority"] == pytest.approx(1 - scores["purity"])
    assert scores["error_rate_majority"] <= scores["error_rate"] + 1e-12
    assert scores["error_rate_class_mode"] <= scores["error_rate"] + 1e-12
    assert scores["nmi_arithmetic"] <= scores["nmi"] + 1e-12


@settings(max_examples=40, deadline=None)
@given(partitions)
def test_hungarian_beats_every_permutation(pair):
    y, labels = map(np.array, pair)
    y = y % 3
    labels = labels % 4
    accuracies = [np.mean(np.array(classes)[labels] == y) for classes in permutations(range(4), 4)]
    error = score_clustering(y, labels, n_clusters=4)["error_rate"]
    assert error == pytest.approx(1 - max(accuracies))


def test_the_majority_map_is_fitted_on_its_split():
    fitted_on = (np.array([0, 0, 1]), np.array([0, 0, 1]))
    y, labels = np.array([1, 0, 1]), np.array([0, 2, 1])
    # Cluster 0 stands for class 0 and is wrong; 1 for 1 and is right; 2 was empty: an error.
    scores = score_clustering(y, labels, n_clusters=3, fitted_on=fitted_on)
    assert scores["error_rate_majority"] == pytest.approx(2 / 3)
    own = score_clustering(y, labels, n_clusters=3)
    assert own["error_rate_majority"] == 0
    assert {k: v for k, v in scores.items() if k != "error_rate_majority"} == {
        k: v for k, v in own.items() if k != "error_rate_majority"
    }


def test_a_class_absent_from_the_fitting_split_is_an_error():
    fitted_on = (np.array([0, 0]), np.array([0, 1]))
    y, labels = np.array([0, 2]), np.array([0, 1])
    scores = score_clustering(y, labels, n_clusters=2, fitted_on=fitted_on)
    assert scores["error_rate_majority"] == 0.5


def test_all_points_in_one_cluster_are_perfect_for_the_released_measure_only():
    y = np.arange(1000) % 10
    scores = score_clustering(y, np.zeros(1000, dtype=int), n_clusters=10)
    assert scores["error_rate_class_mode"] == 0
    assert scores["error_rate"] == pytest.approx(0.9)
    assert scores["ari"] == scores["nmi"] == 0


def test_two_merged_classes_are_perfect_for_the_released_measure_only():
    y = np.arange(1000) % 10
    labels = np.where(y == 9, 4, y)
    scores = score_clustering(y, labels, n_clusters=10)
    assert scores["error_rate_class_mode"] == 0
    assert scores["error_rate"] == pytest.approx(0.1)


def test_a_random_partition_has_a_high_rand_index_and_no_adjusted_one():
    rng = np.random.default_rng(0)
    y, labels = rng.integers(0, 10, 60_000), rng.integers(0, 10, 60_000)
    scores = score_clustering(y, labels, n_clusters=10)
    assert scores["rand_index"] == pytest.approx(0.82, abs=0.001)
    assert scores["ari"] == pytest.approx(0, abs=0.001)


def test_sixty_thousand_points_take_no_more_memory_than_a_few_copies_of_them():
    """Pairs of points are counted from the contingency table, never one by one."""
    rng = np.random.default_rng(0)
    y, labels = rng.integers(0, 10, 60_000), rng.integers(0, 30, 60_000)
    tracemalloc.start()
    try:
        score_clustering(y, labels, n_clusters=30, fitted_on=(y, labels))
        assert tracemalloc.get_traced_memory()[1] < 16 * y.nbytes
    finally:
        tracemalloc.stop()


def test_values_are_those_of_this_version():
    """A change here must raise ``metrics.VERSION``: records of both must not share a table."""
    i = np.arange(500)
    y, labels = i % 7, (i % 7 + i % 3 * (i % 5 == 0) * 2) % 9
    fitted_on = (y, (labels + (i % 11 == 0)) % 9)
    scores = score_clustering(y, labels, n_clusters=10, fitted_on=fitted_on)
    assert metrics.VERSION == "1"
    assert scores == pytest.approx(
        {
            "accuracy": 0.868,
            "error_rate": 0.132,
            "error_rate_majority": 0.114,
            "error_rate_class_mode": 0.132,
            "purity": 0.888,
            "ari": 0.7510405237030102,
            "rand_index": 0.941314629258517,
            "nmi": 0.7872535329245894,
            "nmi_arithmetic": 0.7869584184093852,
            "active_clusters": 9,
            "min_cluster_share": 0,
        },
        abs=1e-12,
    )


def test_cluster_table():
    rows = cluster_table(np.array([2, 2, 0, 1]), np.array([0, 0, 0, 2]), n_clusters=3)
    found = [(row.cluster, row.size, row.majority_class, row.purity) for row in rows]
    assert found == [(0, 3, 2, pytest.approx(2 / 3)), (1, 0, None, 0.0), (2, 1, 1, 1.0)]


def test_cluster_table_adds_up_to_purity():
    rng = np.random.default_rng(1)
    y, labels = rng.integers(0, 10, 500), rng.integers(0, 12, 500)
    rows = cluster_table(y, labels, n_clusters=15)
    purity = sum(row.size * row.purity for row in rows) / sum(row.size for row in rows)
    assert purity == pytest.approx(score_clustering(y, labels, n_clusters=15)["purity"])


@pytest.mark.parametrize(
    ("y", "labels", "n_clusters", "expected"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], 2, [1, 0]),
        ([0, 0, 0, 1], [2, 2, 0, 1], 4, [-1, 1, 0, -1]),
        ([0, 1, 1, 2], [0, 0, 0, 1], 2, [1, 2]),
    ],
    ids=["K = classes", "K > classes", "K < classes"],
)
def test_match_clusters(y, labels, n_clusters, expected):
    n_classes = max(y) + 1
    y, labels = np.array(y), np.array(labels)
    found = match_clusters(y, labels, n_clusters=n_clusters, n_classes=n_classes)
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_match_clusters_refuses_classes_that_are_not_there():
    with pytest.raises(DataError, match=r"y runs to 2, expected classes in \[0, 2\)"):
        match_clusters(np.array([0, 2]), np.array([0, 1]), n_clusters=2, n_classes=2)
