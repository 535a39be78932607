"""A constructor's annotations are kept to."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import pytest

from deep_em_bench import methods
from deep_em_bench.core import ConfigError
from deep_em_bench.methods.base import Method
from deep_em_bench.methods.dec import Dec
from deep_em_bench.methods.gan_em.estimator import GanEm
from deep_em_bench.methods.ganmm.em import GanmmEm
from deep_em_bench.methods.ganmm.estimator import Ganmm
from deep_em_bench.methods.gmm import Gmm
from deep_em_bench.methods.imsat import Imsat
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Fraction,
    NonNegative,
    Positive,
    check_parameters,
    converted,
    describe,
)


class Sampler:
    def __init__(
        self,
        steps: Count = 1,
        rate: NonNegative = 0.5,
        share: Fraction | None = None,
        sizes: tuple[Positive, ...] = (),
        pair: tuple[int, str] = (1, "a"),
        mode: Literal["fast", "slow"] = "fast",
        name: str = "x",
        anything: dict[str, int] | None = None,
    ) -> None: ...


@pytest.mark.parametrize(
    "params",
    [
        {"steps": 0, "rate": 3, "share": 1.0, "sizes": (1, 2), "mode": "slow"},
        {"steps": np.int64(2), "rate": np.float32(0.5), "share": None, "sizes": ()},
        {"pair": (2, "b"), "anything": {"a": 1}, "unknown": object()},
    ],
)
def test_what_fits_is_admitted(params: dict[str, Any]) -> None:
    check_parameters("sampler", Sampler, params)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"steps": -1}, "parameter 'steps' of sampler is -1; expected int, at least 0"),
        ({"steps": True}, "is True; expected int, at least 0"),
        ({"steps": 1.0}, "is 1.0; expected int, at least 0"),
        ({"rate": float("nan")}, "is nan; expected float, at least 0.0"),
        ({"share": 1.5}, "is 1.5; expected float of 0.0 to 1.0 | None"),
        ({"sizes": (3, 0)}, "is (3, 0); expected tuple[int of at least 1, ...]"),
        ({"sizes": [3]}, "is [3]; expected tuple"),
        ({"pair": (1, 2)}, "is (1, 2); expected tuple[int, str]"),
        ({"mode": "fats"}, "unknown value of parameter 'mode' of sampler 'fats'; did you mean"),
        ({"name": 3}, "is 3; expected str"),
    ],
)
def test_what_does_not_is_refused_by_name(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_parameters("sampler", Sampler, params)
    assert said in str(caught.value)


def test_whole_numbers_become_floats_where_it_says_so() -> None:
    assert type(converted("x", 2, NonNegative)) is float
    assert type(converted("x", 2, NonNegative | None)) is float
    assert type(converted("x", 2, Count)) is int
    assert type(converted("x", 2, int | float)) is int


@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": "sgd"},
        {"patience": 0},
        {"batch_size": 1},
        {"tol": -0.1},
        {"hidden": (0,)},
        {"hidden": [8]},
        {"spectral_norm": ("X",)},
        {"device": 0},
    ],
)
def test_gan_em_refuses_them_before_training(params: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(params))):
        GanEm(2, **params).fit(np.zeros((8, 2), np.float32))


@pytest.mark.parametrize("method", [Dec, GanEm, Ganmm, GanmmEm, Imsat])
def test_no_more_than_all_labels_can_change(method: type[Method]) -> None:
    with pytest.raises(ConfigError, match=r"'tol' of .* is 1\.5; .* 0\.0 to 1\.0"):
        method(2, tol=1.5).fit(np.zeros((8, 2), np.float32))  # pyright: ignore[reportCallIssue]


def test_gmm_refuses_them_too() -> None:
    with pytest.raises(ConfigError, match="covariance_type"):
        Gmm(2, covariance_type="ful").fit(np.zeros((8, 2), np.float32))  # pyright: ignore[reportArgumentType]


def test_batch_norm_wants_two_rows() -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        converted("batch_size", 1, BatchSize)


def test_a_subclass_may_change_a_default_alone() -> None:
    first, second = ({p.name: p for p in describe(kind)} for kind in (Ganmm, GanmmEm))
    assert (first["optimizer"].default, second["optimizer"].default) == ("adam", "rmsprop")
    assert dataclasses.replace(second["optimizer"], default="adam") == first["optimizer"]
    assert GanmmEm().optimizer == "rmsprop"
    with pytest.raises(ConfigError, match="'optimizer' of GanmmEm"):
        GanmmEm(2, optimizer="sgd").fit(np.zeros((8, 2), np.float32))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", methods.registry.declarations())
def test_every_hyper_parameter_has_one_line_of_meaning(name: str) -> None:
    listed = describe(methods.registry.get(name).value)
    assert {p.name for p in listed} >= {"n_clusters", "random_state", "callback"}
    for p in listed:
        assert p.meaning.strip(), p.name
        assert "\n" not in p.meaning, p.name
        assert len(p.meaning) <= 90, p.name
    assert len({p.meaning for p in listed}) == len(listed)
