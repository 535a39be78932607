import numpy as np
import pytest

from deep_em_bench.core import DataError
from deep_em_bench.metrics.contingency import contingency

Y = np.array([0, 0, 1])


def test_counts_by_class_and_cluster():
    table = contingency(Y, np.array([0, 2, 2]), n_clusters=4)
    assert table.counts.tolist() == [[1, 0, 1, 0], [0, 0, 1, 0]]
    assert table.counts.dtype == np.float64
    assert table.total == 3
    assert table.classes.tolist() == [2, 1]
    assert table.clusters.tolist() == [1, 0, 2, 0]


def test_without_a_fitting_split_the_scored_one_is_it():
    table = contingency(Y, np.array([0, 1, 1]), n_clusters=2)
    assert table.fit_counts.tolist() == table.counts.tolist()


@pytest.mark.parametrize("classes", [(0, 1), (0, 4)], ids=["fewer", "more"])
def test_both_splits_have_the_classes_of_either(classes):
    fitted_on = (np.array(classes), np.array([0, 1]))
    table = contingency(Y, np.array([0, 1, 1]), n_clusters=2, fitted_on=fitted_on)
    assert table.counts.shape == table.fit_counts.shape == (max(*classes, 1) + 1, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64])
def test_any_integer_type_counts_alike(dtype):
    y, labels = np.arange(200) % 7, np.arange(200) % 130  # 6 * 130 + 129 overflows the small ones
    expected = contingency(y, labels, n_clusters=130).counts
    found = contingency(y.astype(dtype), labels.astype(dtype), n_clusters=130).counts
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("y", "labels", "says"),
    [
        (Y, np.eye(3), r"labels has shape \(3, 3\) and type float64; expected integers"),
        (Y, np.array([0.0, 1.0, 1.0]), "labels has shape .* take responsibilities.argmax"),
        (Y, np.array([True, False, True]), "labels has shape .* type bool"),
        (Y.astype(float), np.array([0, 1, 1]), "y has shape .* type float64"),
        (Y, np.eye(3, dtype=int), r"labels has shape \(3, 3\)"),
        (Y, np.array([0, 1, 2]), r"labels run from 0 to 2; expected clusters in \[0, 2\)"),
        (Y, np.array([0, -1, 1]), "labels run from -1 to 1"),
        (Y, np.array([0, 1]), "y has 3 entries, labels has 2"),
        (np.array([0, -1, 1]), np.array([0, 1, 1]), "y has the value -1; expected classes >= 0"),
        (np.array([], int), np.array([], int), "empty"),
        (np.array([0, 10**12, 1]), np.array([0, 1, 1]), "too many for one table"),
    ],
)
def test_what_is_no_labelling_is_refused(y, labels, says):
    with pytest.raises(DataError, match=says):
        contingency(y, labels, n_clusters=2)
    with pytest.raises(DataError, match=says):
        contingency(Y, np.array([0, 1, 1]), n_clusters=2, fitted_on=(y, labels))
