from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from deep_em_bench import metrics
from deep_em_bench.core import DataError


def knn(y: np.ndarray, features: np.ndarray) -> float:
    return metrics.score_reduction(y, features)["knn_accuracy"]


def test_far_groups_are_told_apart_and_one_cloud_is_not() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    cloud = rng.normal(size=(120, 4))
    assert knn(y, cloud + 50 * y[:, None]) == 1.0
    assert knn(y, cloud) < 0.6


def test_a_point_never_names_itself() -> None:
    y = np.array([0, 1, 1, 1, 1, 1, 1])
    assert knn(y, np.arange(7.0)[:, None]) == pytest.approx(6 / 7)


def test_of_equal_votes_the_nearer_ones_win() -> None:
    places = np.array([0, 1, 2.1, 3.3, 4.6, 6, 90, 91, 92, 93, 94, 95])[:, None]
    far = [3] * 6  # which all find each other
    # Of points 0 to 5: 0, 0, 0 by right, 0, 0, 0 by error.
    assert knn(np.array([0, 0, 0, 1, 1, 2, *far]), places) == pytest.approx((3 + 6) / 12)
    # 1 and 1 for 0 and 0, whose votes are as many and farther; point 4 alone is right.
    assert knn(np.array([0, 1, 1, 0, 0, 2, *far]), places) == pytest.approx((1 + 6) / 12)


def test_leave_one_out_of_scikit_learn_agrees() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2  # two classes and five votes: never equal ones
    features = rng.normal(size=(60, 3)).astype(np.float32) + y[:, None]
    oracle = cross_val_score(KNeighborsClassifier(5), features, y, cv=LeaveOneOut()).mean()
    assert knn(y, features) == pytest.approx(oracle)


@pytest.mark.parametrize(
    ("y", "features"),
    [
        (np.arange(9), np.zeros(9)),
        (np.arange(8), np.zeros((9, 2))),
        (np.arange(5), np.zeros((5, 2))),
        (np.arange(9), np.full((9, 2), np.nan)),
    ],
)
def test_other_shapes_and_numbers_are_refused(y: np.ndarray, features: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"\Afeatures [^\n]*expected"):
        knn(y, features)
