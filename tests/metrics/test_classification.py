from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from deep_em_bench import metrics
from deep_em_bench.core import DataError

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=30)


def score(y: np.ndarray, labels: np.ndarray) -> float:
    return metrics.score_classification(y, labels, n_clusters=5)["error_rate_classes"]


def test_by_hand() -> None:
    assert score(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 4])) == 0.5
    swapped = np.array([1, 0, 1, 0])
    assert score(1 - swapped, swapped) == 1.0  # a perfect clustering, and every name wrong
    assert metrics.names("classification") == ["error_rate_classes"]


@given(PAIRS)
def test_scikit_learn_agrees_and_no_matching_is_worse(pairs: list[tuple[int, int]]) -> None:
    y, labels = (np.array(part) for part in zip(*pairs, strict=True))
    assert score(y, labels) == pytest.approx(1 - accuracy_score(y, labels))
    matched = metrics.score_clustering(y, labels, n_clusters=5)["error_rate"]
    assert matched <= score(y, labels) + 1e-12


def test_what_are_no_labels_is_refused() -> None:
    for labels in (np.array([0.5, 1.0]), np.array([0, 7]), np.array([0])):
        with pytest.raises(DataError):
            score(np.array([0, 1]), labels)
