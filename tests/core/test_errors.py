"""Errors for users: their family, and the sentence for an unknown name."""

from __future__ import annotations

import pytest

from deep_em_bench.core import ConfigError, DataError, UserError, unknown_name


@pytest.mark.parametrize("kind", [ConfigError, DataError])
def test_every_kind_is_a_user_error_and_no_programming_error(kind: type[Exception]) -> None:
    assert issubclass(kind, UserError)
    assert not issubclass(UserError, ValueError | LookupError | RuntimeError)


@pytest.mark.parametrize(
    ("name", "near"), [("ganem", "gan_em"), ("k_means", "kmeans"), ("gm", "gmm")]
)
def test_the_nearest_name_is_suggested(name: str, near: str) -> None:
    said = unknown_name("method", name, ["kmeans", "gan_em", "gmm"])
    assert said == (f"unknown method {name!r}; did you mean {near!r}? Known: gan_em, gmm, kmeans")


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    said = unknown_name("data set", "zzz", iter(["mnist", "digits"]))
    assert said == "unknown data set 'zzz'; Known: digits, mnist"


def test_nothing_known_is_said() -> None:
    assert unknown_name("metric", "ari", []) == "unknown metric 'ari'; Known: none"
