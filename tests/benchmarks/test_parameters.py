"""Every parameter of a row is known, typed and complete before anything runs."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest

from deep_em_bench.benchmarks.parameters import RESERVED, accepts, resolve
from deep_em_bench.core import ConfigError, Registered
from deep_em_bench.methods.base import Method, Preset, registry

DEFAULTS = {"rate": 1.0, "steps": 3, "sizes": (1, 2), "mode": "fast", "limit": None}
DEFAULTS["pid_file"] = ""


def test_given_goes_over_preset_over_defaults() -> None:
    preset, params = resolve("steady", None, {})
    assert preset == "stable"
    assert params == {**DEFAULTS, "rate": 0.5}
    preset, params = resolve("steady", "other", {"rate": 0.75})
    assert preset == "other"
    assert params == {**DEFAULTS, "rate": 0.75, "sizes": (3, 4)}


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ({"rate": 2}, {"rate": 2.0}),
        ({"limit": 2}, {"limit": 2.0}),
        ({"sizes": ()}, {"sizes": ()}),
        ({"mode": "slow"}, {"mode": "slow"}),
        ({"limit": "none"}, {"limit": None}),
        ({"pid_file": "none"}, {"pid_file": "none"}),
    ],
)
def test_one_setting_has_one_form(given: dict[str, Any], held: dict[str, Any]) -> None:
    _, params = resolve("steady", None, given)
    (name,) = held
    assert params[name] == held[name]
    assert type(params[name]) is type(held[name])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stpes": 3}, "unknown parameter of steady 'stpes'; did you mean 'steps'?"),
        ({"steps": 0.5}, "parameter 'steps' of steady is 0.5; expected int"),
        ({"steps": True}, "parameter 'steps' of steady is True; expected int"),
        ({"rate": "high"}, "parameter 'rate' of steady is 'high'; expected float"),
        ({"sizes": (1, "2")}, "expected tuple[int, ...]"),
        ({"sizes": 3}, "expected tuple[int, ...]"),
        (
            {"mode": "slwo"},
            "parameter 'mode' of steady 'slwo'; did you mean 'slow'?",
        ),
        ({"limit": "None"}, "expected float | None"),
        ({"rate": "none"}, "parameter 'rate' of steady is 'none'; expected float"),
        ({"device": "cpu"}, "'device' of steady is set by the harness; remove it"),
        ({"n_clusters": 3}, "give n_clusters to the row itself"),
    ],
)
def test_what_the_constructor_excludes_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("steady", None, given)
    assert said in str(caught.value)


def test_unknown_methods_and_presets_are_named() -> None:
    with pytest.raises(ConfigError, match="unknown method 'steddy'; did you mean 'steady'"):
        resolve("steddy", None, {})
    with pytest.raises(ConfigError, match="unknown preset of steady 'othre'; did you mean"):
        resolve("steady", "othre", {})


class Bare(Method):
    """Lacks ``predict_proba``."""

    def __init__(self, *, n_clusters: int = 2) -> None:
        self.n_clusters = n_clusters

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        return self


class Whole(Bare):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.ones((len(X), 1), np.float32)


class Secretive(Whole):
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        raise RuntimeError("not\ntold")


class Open(Whole):
    def __init__(self, *rest: int) -> None:
        self.rest = rest


GOOD = {"only": Preset(source="a test")}


@pytest.mark.parametrize(
    ("value", "presets", "said"),
    [
        (Bare, GOOD, "cannot be made with its preset 'only': TypeError: Can't instantiate abst"),
        (Secretive, GOOD, "preset 'only': RuntimeError: not told; mend the method or the preset"),
        (Open, GOOD, "cannot be made with its preset 'only': RuntimeError: "),
        (int, GOOD, "is registered as <class 'int'>; expected a class derived from methods.base"),
        (len, GOOD, "is registered as <built-in function len>; expected a class derived from"),
        (Whole, {}, "is registered without presets"),
        (Whole, ["only"], "registered with presets=['only']; expected a methods.base.Preset by"),
        (Whole, {"only": {}}, "presets={'only': {}}; expected a methods.base.Preset by each name"),
        (Whole, {"only": Preset(source="a test", params={"nope": 1})}, "argument 'nope'; mend"),
    ],
)
def test_a_mistake_in_a_method_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch, value: Any, presets: Any, said: str
) -> None:
    entry = Registered(name="mine", value=value, attributes={"presets": presets})
    monkeypatch.setitem(registry._registered, "mine", entry)
    with pytest.raises(ConfigError, match=r"\Amethod 'mine' [^\n]*\Z") as caught:
        resolve("mine", None, {})
    assert said in str(caught.value)


@pytest.mark.parametrize("version", [0, "2", True, 1.5])
def test_a_version_is_a_whole_number(monkeypatch: pytest.MonkeyPatch, version: Any) -> None:
    attributes = {"presets": GOOD, "version": version}
    entry = Registered(name="mine", value=Whole, attributes=attributes)
    monkeypatch.setitem(registry._registered, "mine", entry)
    with pytest.raises(ConfigError, match=r"is registered with version=.*; expected a whole"):
        resolve("mine", None, {})


def test_reserved_arguments_are_those_the_constructor_takes() -> None:
    assert accepts("steady") == {"n_clusters", "random_state", "callback"}
    assert accepts("gan_em") == set(RESERVED)
