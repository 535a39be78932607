"""The units of measurement decide nothing: any scale of the data gives the same labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
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


@pytest.mark.parametrize("case", cases())
@pytest.mark.parametrize(("scale", "offset"), [(1e20, 0), (1e44, 0), (1e-20, 0), (1, 1.7e9)])
def test_fitted_points_are_predicted_alike_in_any_units(
    case: str, scale: float, offset: float
) -> None:
    X = blobs(20).astype(np.float64) * scale + offset
    method = fit(factory(case)(random_state=5), X)
    assert (method.labels_ == method.predict(X)).all()


@pytest.mark.parametrize("case", cases())
def test_a_data_frame_is_fitted_as_its_values_and_keeps_its_columns(
    case: str, tmp_path: Path
) -> None:
    X = blobs(20)
    frame = pd.DataFrame(X, columns=list("abcd"))
    method = fit(factory(case)(random_state=5), frame)  # a warning would be an error
    assert (method.labels_ == fit(factory(case)(random_state=5), X).labels_).all()
    method.save(tmp_path / "fitted.safetensors")
    loaded = methods.load(tmp_path / "fitted.safetensors")
    assert loaded.n_parameters() == method.n_parameters()
    assert (loaded.predict(frame) == method.labels_).all()
    with pytest.raises(ValueError, match="same order"):
        loaded.predict(frame[list("dcba")])


def test_iris_in_metres_is_iris_in_centimetres() -> None:
    X, y = load_iris(return_X_y=True)
    labels = methods.create("gmm", "full", n_clusters=3).fit(X).labels_
    assert adjusted_rand_score(y, labels) > 0.8
    assert (methods.create("gmm", "full", n_clusters=3).fit(X / 100).labels_ == labels).all()
