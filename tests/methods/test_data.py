"""What methods accept as X and y, and what becomes of units that float32 cannot hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_score

from deep_em_bench import methods
from deep_em_bench.methods.data import Units, as_array, check_data, check_labels
from deep_em_bench.methods.kmeans import KMeans

GROUPS = np.arange(60) % 3
POINTS = np.array([[0, 0], [9, 0], [0, 9]])[GROUPS] + np.random.default_rng(0).normal(size=(60, 2))


def checked(X: Any) -> np.ndarray:
    array = as_array(X)
    return check_data(array, Units.of(array))


class TestUnits:
    def test_usual_vectors_and_images_stay_as_they_are(self) -> None:
        for X in (POINTS.astype(np.float32), POINTS, np.zeros((2, 1, 3, 3))):
            assert Units.of(X) == Units()

    @given(
        scale=st.sampled_from([1e-300, 1e-30, 1e-6, 1.0, 1e6, 1e20, 1e44, 1e150]),
        offset=st.sampled_from([0.0, 1.7e9, -3e12]),
    )
    @settings(max_examples=30, deadline=None)
    def test_undo_gives_the_data_back(self, scale: float, offset: float) -> None:
        X = POINTS * scale + offset * scale
        units = Units.of(X)
        points = units.apply(X)
        assert points.dtype == np.float32
        spread = np.ptp(X)
        np.testing.assert_allclose(units.undo(points), X, atol=1e-2 * spread, rtol=0)

    @pytest.mark.parametrize("X", [POINTS * 50 + 1.7e9, POINTS * 1e20, POINTS * 1e44])
    def test_times_and_extreme_values_are_clustered_as_they_lie(self, X: np.ndarray) -> None:
        method = KMeans(3).fit(X)
        assert adjusted_rand_score(GROUPS, method.labels_) == 1
        assert (method.predict(X) == method.labels_).all()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (csr_array(POINTS), r"sparse matrix; expected a dense array: give X.toarray\(\)"),
        ([[1.0, 2.0], [3.0]], "rows of different lengths; expected"),
        (np.ma.masked_greater(POINTS, 1), "masked array; expected every value"),
        ([["a", "b"]], "entries of type <U1; expected real numbers"),
        (np.zeros((4, 28, 28, 9)), r"shape \(4, 28, 28, 9\), images of 28 channels"),
        (np.zeros(3), r"shape \(3,\); expected images"),
        ([[np.nan, 1.0]], "1 values that are NaN or infinite"),
        (np.full((2, 1, 3, 3), 255.0), r"run from 255 to 255; expected \[0, 1\]"),
        ([[1e300, 1.0], [2e300, 2.0]], "column 1 of X runs from 1.0 to 2.0, which float32"),
    ],
)
def test_other_data_are_refused_in_one_sentence(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(X)


def test_channels_may_come_last_where_there_is_no_doubt() -> None:
    X = np.random.default_rng(0).random((4, 8, 8, 3))
    assert (checked(X) == np.moveaxis(X, 3, 1).astype(np.float32)).all()
    assert checked(np.zeros((4, 3, 8, 3))).shape == (4, 3, 8, 3)


def test_a_constant_column_may_differ_in_its_last_bits() -> None:
    X = np.array([[0.1 + 0.2, 5.0], [0.3, 6.0]])
    assert X[0, 0] != X[1, 0]
    assert checked(X).shape == (2, 2)


def test_columns_of_a_data_frame_keep_their_order() -> None:
    frame = pd.DataFrame(POINTS, columns=["a", "b"])
    method = KMeans(3).fit(frame)
    assert method.feature_names_in_.tolist() == ["a", "b"]
    assert (method.predict(frame) == method.labels_).all()
    with pytest.raises(ValueError, match="same order"):
        method.predict(frame[["b", "a"]])
    with pytest.raises(ValueError, match="unseen at fit time"):
        method.predict(frame.rename(columns={"a": "c"}))


def test_labelled_rows_are_those_of_a_class() -> None:
    assert check_labels(None, 3, 2) is None
    assert check_labels(np.array([-1, -1, -1]), 3, 2) is None
    labelled = check_labels(np.array([-1, 1, -1, 0], dtype=np.int8), 4, 2)
    assert labelled is not None
    rows, y = labelled
    assert (rows.tolist(), y.tolist()) == ([1, 3], [1, 0])
    assert rows.dtype == y.dtype == np.int64


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.array([0, 1]), r"y is int64 of shape \(2,\); expected \(3,\) class ids"),
        (np.array([0.0, 1.0, np.nan]), r"y is float64 .*-1 where unlabelled"),
        (np.array([[0], [1], [1]]), r"of shape \(3, 1\)"),
        (np.array([0, 1, 2]), r"y has class 2 with n_clusters=2; .*raise n_clusters"),
        (np.array([0, -2, 1]), r"y has the value -2; expected class ids from 0 on, or -1"),
    ],
)
def test_other_labels_are_refused(y: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_labels(y, 3, 2, semi_supervised=True)


@pytest.mark.parametrize("y", [np.array([0, 1, 1]), np.array(["a", "b", "b"])])
def test_classes_of_all_rows_are_not_used_unless_asked_for(y: np.ndarray) -> None:
    with pytest.warns(UserWarning, match="y is not used: none of its rows is unlabelled"):
        assert check_labels(y, 3, 2) is None


def test_cross_validation_shows_no_classes_to_a_clusterer() -> None:
    y = np.random.default_rng(1).integers(0, 2, len(POINTS))  # not to be known from the points
    small = {"max_iter": 1, "m_steps": 2, "m_epochs": 0, "e_steps": 2, "pretrain_epochs": 0}
    method = methods.create("gan_em", n_clusters=2, pretrain_steps=5, device="cpu", **small)
    with pytest.warns(UserWarning, match="y is not used"):
        scores = cross_val_score(method, POINTS, y, scoring="adjusted_rand_score", cv=3)
    assert scores.max() < 0.5
    with pytest.warns(UserWarning, match="y is not used"):
        blind = method.fit(POINTS, y).labels_
    assert (blind == method.fit(POINTS).labels_).all()
    method.set_params(semi_supervised=True, labelled_error=0.0)
    assert (method.fit(POINTS, y).labels_ == y).all()
