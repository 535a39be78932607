from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from deep_em_bench import methods
from tests.methods.cases import few_labels, images

RNG = np.random.default_rng(0)
KIND = np.arange(90) % 3
POINTS = (np.array([[0, 0], [3, 0], [0, 3]])[KIND] + RNG.normal(size=(90, 2))).astype(np.float32)
STANDARD = ((POINTS - POINTS.mean(axis=0)) / POINTS.std(axis=0)).astype(np.float64)
Y = np.where(np.arange(90) < 15, KIND, -1)
NAMES = ("logistic_regression", "self_training", "label_spreading")


def test_they_are_scikit_learns() -> None:
    known = Y >= 0
    oracles = {
        "logistic_regression": LogisticRegression(max_iter=1000).fit(STANDARD[known], Y[known]),
        "self_training": SelfTrainingClassifier(LogisticRegression(max_iter=1000)).fit(
            STANDARD, Y
        ),
        "label_spreading": LabelSpreading(kernel="knn", n_neighbors=7, max_iter=100).fit(
            STANDARD, Y
        ),
    }
    for name, oracle in oracles.items():
        found = methods.create(name, n_clusters=3).fit(POINTS, Y).predict_proba(POINTS)
        np.testing.assert_allclose(found, oracle.predict_proba(STANDARD), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_classes_without_a_label_get_nothing(name: str) -> None:
    method = methods.create(name, n_clusters=5).fit(
        POINTS, np.where(Y == 2, 4, np.where(Y == 1, -1, Y))
    )
    proba = method.predict_proba(POINTS)
    assert not proba[:, [1, 2, 3]].any()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert set(method.labels_.tolist()) == {0, 4}


@pytest.mark.parametrize("name", NAMES)
def test_all_rows_labelled(name: str) -> None:
    method = methods.create(name, n_clusters=3, semi_supervised=True).fit(POINTS, KIND)
    assert (method.labels_ == KIND).mean() > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_images_are_taken_as_they_are(name: str) -> None:
    X = images(30)
    method = methods.create(name, n_clusters=3).fit(X, few_labels(30))
    assert (method.labels_ == np.arange(30) % 3).all()


def test_points_that_no_label_reaches_are_undecided() -> None:
    far = np.concatenate([POINTS[:20], POINTS[:20] + 1000])
    y = np.concatenate([np.where(np.arange(20) < 6, KIND[:20], -1), np.full(20, -1)])
    proba = methods.create("label_spreading", n_clusters=3).fit(far, y).predict_proba(far)
    np.testing.assert_allclose(proba[20:], 1 / 3, atol=1e-6)
    assert proba[:20].max() > 0.9


def test_self_training_counts_what_joined() -> None:
    method = methods.create("self_training", n_clusters=3).fit(POINTS, Y)
    assert 15 < method.history_[0]["labelled"] <= 90
    timid = methods.create("self_training", n_clusters=3, threshold=0.9999).fit(POINTS, Y)
    assert timid.history_[0]["labelled"] == 15
