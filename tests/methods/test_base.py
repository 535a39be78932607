"""Making methods by name and preset, and reading labels."""

from __future__ import annotations

import numpy as np
import pytest

from deep_em_bench import methods
from deep_em_bench.core import ConfigError, Registered
from deep_em_bench.methods.base import Preset, check_data, check_labels, default_preset
from deep_em_bench.methods.gmm import Gmm


def test_parameters_win_over_the_preset_and_the_preset_over_defaults() -> None:
    assert methods.create("gmm", "full", n_clusters=4).get_params()["n_pca"] is None
    assert methods.create("gmm", "pca_full").get_params()["n_pca"] == 20
    params = methods.create("gmm", "pca_full", n_pca=5, n_clusters=4).get_params()
    assert (params["n_pca"], params["n_clusters"], params["tol"]) == (5, 4, Gmm().tol)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"name": "kmean"}, r"unknown method 'kmean'; did you mean 'kmeans'\?"),
        ({"name": "gmm", "preset": "ful"}, r"unknown preset of gmm 'ful'; did you mean 'full'\?"),
        ({"name": "gmm", "n_cluster": 3}, r"parameter of gmm 'n_cluster'; did .* 'n_clusters'\?"),
    ],
)
def test_what_is_unknown_is_named_with_the_nearest(call: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        methods.create(**call)


@pytest.mark.parametrize(
    ("presets", "chosen"), [(("paper", "stable"), "stable"), (("full", "pca_full"), "full")]
)
def test_stable_is_the_default_or_else_the_first(presets: tuple[str, ...], chosen: str) -> None:
    held = {"presets": {name: Preset(source="a test") for name in presets}}
    assert default_preset(Registered(name="ours", value=Gmm, attributes=held)) == chosen


@pytest.mark.parametrize("name", methods.registry.names())
def test_every_preset_names_its_source_and_fits_the_method(name: str) -> None:
    presets = methods.registry.get(name).attributes["presets"]
    declared = methods.registry.declarations()[name]
    assert tuple(presets) == tuple(declared.attributes.get("presets", presets))
    assert declared.summary
    for preset, described in presets.items():
        assert described.source
        assert all(described.deviations)
        params = methods.create(name, preset).get_params()
        assert {key: params[key] for key in described.params} == described.params


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
        check_labels(y, 3, 2)


class TestResolution:
    """Data are float32: what this cannot hold is refused, not fitted."""

    def test_a_column_that_would_become_constant(self) -> None:
        X = np.array([[0, 1.7e9], [1, 1.7e9 + 50], [2, 1.7e9]])
        with pytest.raises(ValueError, match=r"column 1 of X runs from 17.* to 17.*50.*its mean"):
            check_data(X)
        with pytest.raises(ValueError, match="column 1"):
            check_data(X.astype(np.int64))

    def test_a_constant_column_is_constant_but_for_rounding(self) -> None:
        X = np.array([[0.1 + 0.2, 5.0], [0.3, 6.0]])
        assert X[0, 0] != X[1, 0]
        assert check_data(X).dtype == np.float32

    def test_a_column_that_float32_tells_apart(self) -> None:
        X = np.array([[1.7e9], [1.7e9 + 500]])
        assert np.ptp(check_data(X)) > 0
