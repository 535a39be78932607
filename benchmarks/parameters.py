"""All parameters of a suite's row: what the method's constructor would hold, type-checked."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from core import ConfigError, unknown_name

__all__ = ["RESERVED", "accepts", "resolve"]

RESERVED = ("n_clusters", "random_state", "device", "precision", "compile", "callback")
"""Arguments that the harness sets: n_clusters is a cell's own, the rest is how it is run."""


def resolve(
    method: str, preset: str | None, given: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The preset (the default one for None) and every parameter but the reserved ones.

    ``given`` goes over the preset, the preset over the constructor's defaults. Lists become
    tuples, integers floats where the constructor says so: one setting has one form, hence one key.

    Raises :class:`core.ConfigError` for an unknown method, preset or parameter, and for a value
    that the constructor's annotation excludes.
    """
    import methods
    from methods.base import default_preset

    entry = methods.registry.get(method)
    if not entry.attributes.get("presets"):
        raise ConfigError(
            f"method {method!r} is registered without presets; add presets={{...}} to @register"
        )
    preset = preset or default_preset(entry)
    for name in given:
        if name in RESERVED:
            raise ConfigError(
                f"{name!r} of {method} is set by the harness; remove it"
                + (": give n_clusters to the row itself" if name == "n_clusters" else "")
            )
    hints = _hints(entry.value)
    chosen = {
        name: _converted(f"parameter {name!r} of {method}", value, hints.get(name, Any))
        for name, value in given.items()
    }
    params = methods.create(method, preset, **chosen).get_params(deep=False)
    return preset, {
        name: _plain(f"parameter {name!r} of {method}", value)
        for name, value in params.items()
        if name not in RESERVED
    }


def accepts(method: str) -> frozenset[str]:
    """The reserved arguments that the method's constructor takes."""
    import methods

    return frozenset(methods.registry.get(method).value._get_param_names()) & frozenset(RESERVED)


def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind.__init__)
    except NameError:  # a plugin may annotate with names that only a type checker sees
        return {}


def _converted(what: str, value: Any, hint: Any) -> Any:
    """``value`` in the form that the annotation gives it."""
    choices = (hint, *get_args(hint))
    if type(value) is int and float in choices and int not in choices:
        return float(value)
    if not _fits(value, hint):
        if get_origin(hint) is Literal:
            raise ConfigError(unknown_name(f"value of {what}", str(value), map(str, choices[1:])))
        raise ConfigError(f"{what} is {value!r}; expected {_spelled(hint)}")
    return value


def _fits(value: Any, hint: Any) -> bool:
    """Whether the annotation admits the value; one that is not understood admits all."""
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, choice) for choice in get_args(hint))
    if origin is tuple or hint is tuple:
        inner = get_args(hint)
        items = inner[:1] * len(value) if inner[1:] == (...,) and type(value) is tuple else inner
        return type(value) is tuple and (
            not inner or (len(items) == len(value) and all(map(_fits, value, items)))
        )
    if hint is float:
        return type(value) in (int, float)
    if hint in (int, str, bool, type(None)):
        return type(value) is hint  # by identity: a bool is an int to isinstance
    return True


def _spelled(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _plain(what: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(what, item) for item in value)
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ConfigError(
        f"{what} is a {type(value).__name__}, which a record cannot hold; "
        f"use numbers, strings, booleans or lists of these"
    )
