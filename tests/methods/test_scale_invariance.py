"""The units of measurement decide nothing: any scale of the data gives the same labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

from deep_em_bench import methods
from tests.methods.cases import blobs, cases, factory, fit

SCALES = [1e-6, 1e-3, 1e3, 1e6, [1e-6, 1e6, 1.0, 1e3]]


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("case", [case for case in cases() if "gan" not in case])
def test_units_do_not_change_the_labels(case: str, scale: float | list[float]) -> None:
    X = blobs(60)
    make = factory(case)
    labels = fit(make(random_state=5), X).labels_
    scaled = fit(make(random_state=5), X * np.asarray(scale)).labels_
    assert adjusted_rand_score(labels, scaled) == 1


@pytest.mark.parametrize("case", [case for case in cases() if "gan" in case])
def test_units_do_not_change_what_a_gan_is_given(case: str) -> None:
    """Its training amplifies rounding: compared is the fit by a power of two, exact in float32."""
    X = blobs(60)
    make = factory(case)
    labels = fit(make(random_state=5), X).labels_
    for scale in (2.0**-20, 2.0**20):
        assert (fit(make(random_state=5), X * np.float32(scale)).labels_ == labels).all()


def test_iris_in_metres_is_iris_in_centimetres() -> None:
    X, y = load_iris(return_X_y=True)
    labels = methods.create("gmm", "full", n_clusters=3).fit(X).labels_
    assert adjusted_rand_score(y, labels) > 0.8
    assert (methods.create("gmm", "full", n_clusters=3).fit(X / 100).labels_ == labels).all()
