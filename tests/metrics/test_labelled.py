from __future__ import annotations

import numpy as np
import pytest

from deep_em_bench.core import DataError
from deep_em_bench.metrics.labelled import Labelled


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((n, 1, 4, 4), np.float32), rng.integers(0, 3, n)


def test_a_test_split_is_taken_as_it_is() -> None:
    (X, y), (X_test, y_test) = drawn(20), drawn(6, 1)
    found = Labelled.of(X, y, X_test, y_test, n_classes=3)
    assert found.X is X
    assert found.accuracy(lambda _: y_test) == 1
    assert found.accuracy(lambda _: (y_test + 1) % 3) == 0


def test_without_one_a_fixed_fifth_is_held_out() -> None:
    X, y = drawn(23)
    found = Labelled.of(X, y, n_classes=3)
    assert (len(found.X), len(found.X_test)) == (19, 4)
    pixels = np.concatenate([found.X, found.X_test])[:, 0, 0, 0]
    assert sorted(pixels) == sorted(X[:, 0, 0, 0])
    again = Labelled.of(X, (y + 1) % 3, n_classes=3)  # drawn without a look at the labels
    np.testing.assert_array_equal(again.X_test, found.X_test)


def test_the_digest_is_of_everything() -> None:
    X, y = drawn(20)
    other = X.copy()
    other[0, 0, 0, 0] += 0.25
    found = [
        Labelled.of(X, y, n_classes=3),
        Labelled.of(other, y, n_classes=3),
        Labelled.of(X, (y + 1) % 3, n_classes=3),
        Labelled.of(X, y, n_classes=4),
        Labelled.of(X, y, X[:5], y[:5], n_classes=3),
    ]
    assert len({data.sha256() for data in found}) == 5
    assert Labelled.of(X.copy(), y, n_classes=3).sha256() == found[0].sha256()


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (np.ones((9, 4), np.float32), np.zeros(9, np.int64), r"images are float32 \(7|8, 4\)"),
        (np.ones((9, 1, 2, 2)), np.zeros(9, np.int64), "images are float64"),
        (np.full((9, 1, 2, 2), np.nan, np.float32), np.zeros(9, np.int64), "expected finite"),
        (np.ones((9, 1, 2, 2), np.float32), np.full(9, 2), r"expected int64 \(8,\) in \[0, 2\)"),
        (np.ones((9, 1, 2, 2), np.float32), np.full(9, -1), "labels are"),
        (np.ones((9, 1, 2, 2), np.float32), np.zeros(9), "labels are float64"),
        (np.ones((4, 1, 2, 2), np.float32), np.zeros(4, np.int64), "4 images cannot be split"),
    ],
)
def test_other_data_are_refused(X: np.ndarray, y: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        Labelled.of(X, y, n_classes=2)


def test_splits_are_of_one_shape() -> None:
    X, y = drawn(10)
    with pytest.raises(DataError, match=r"held-out ones \(1, 4, 2\)"):
        Labelled.of(X, y, X[..., :2], y, n_classes=3)
