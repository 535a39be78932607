"""Making methods by name and preset."""

from __future__ import annotations

import pytest

from deep_em_bench import methods
from deep_em_bench.core import ConfigError, Registered
from deep_em_bench.methods.base import Preset, default_preset
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
