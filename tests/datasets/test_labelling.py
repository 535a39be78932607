from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_em_bench import datasets
from deep_em_bench.core import ConfigError
from deep_em_bench.datasets.labelling import draw_labelled

Y = np.repeat(np.arange(3), [40, 30, 50])


@given(st.integers(3, 90), st.integers(0, 5))
def test_every_class_has_as_many_or_one_more(count: int, seed: int) -> None:
    rows = draw_labelled(Y, count, n_classes=3, seed=seed)
    assert rows.dtype == np.int64
    assert rows.tolist() == sorted(set(rows.tolist()))
    counts = np.bincount(Y[rows], minlength=3)
    assert counts.sum() == count
    assert np.ptp(counts) <= 1


@given(st.tuples(st.integers(3, 90), st.integers(3, 90)), st.integers(0, 5))
def test_fewer_labels_lie_within_more(counts: tuple[int, int], seed: int) -> None:
    small, large = (draw_labelled(Y, n, n_classes=3, seed=seed) for n in sorted(counts))
    assert set(small) <= set(large)


def test_seeds_draw_other_rows() -> None:
    first, again, other = (draw_labelled(Y, 9, n_classes=3, seed=s) for s in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("count", [2, 0, -1, True, 3.0, "9", 91, 1000])
def test_counts_that_cannot_be_are_refused(count: Any) -> None:
    with pytest.raises(ConfigError, match=r"labelled is [^\n]*\Z"):
        draw_labelled(Y, count, n_classes=3, seed=0)


def test_a_class_without_enough_rows_is_named() -> None:
    with pytest.raises(ConfigError, match="31 of class 1, which has 30 rows"):
        draw_labelled(Y, 93, n_classes=3, seed=0)


def test_load_labels_rows_of_the_subset() -> None:
    found = datasets.load("digits", seed=4, subset=600, labelled=50)
    assert found.labelled is not None
    assert np.bincount(found.y[found.labelled]).tolist() == [5] * 10
    assert found.describe()["words"] == {"subset": 600, "labelled": 50}
    assert datasets.load("digits", subset=600).labelled is None
    plain = datasets.load("digits", seed=4, subset=600)
    np.testing.assert_array_equal(plain.X, found.X)
    whole = datasets.load("iris", labelled=6)
    assert whole.describe()["words"] == {"labelled": 6}
    assert len(whole.labelled if whole.labelled is not None else ()) == 6
