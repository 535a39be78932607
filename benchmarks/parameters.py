"""All parameters of a suite's row: what the method's constructor would hold, type-checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import ConfigError

__all__ = ["RESERVED", "accepts", "identity", "resolve"]

RESERVED = ("n_clusters", "random_state", "device", "precision", "compile", "callback")
"""Arguments that the harness sets: n_clusters is a cell's own, the rest is how it is run."""

NONE = "none"
"""What a suite writes for None, which TOML has no word for, where the constructor takes it."""


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
    from methods.parameters import admits, converted, parameter_hints

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
    hints = parameter_hints(entry.value)
    chosen = {}
    for name, value in given.items():
        hint = hints.get(name, Any)
        if value == NONE and not admits(value, hint) and admits(None, hint):
            value = None
        chosen[name] = converted(f"parameter {name!r} of {method}", value, hint)
    params = methods.create(method, preset, **chosen).get_params(deep=False)
    return preset, {
        name: _plain(f"parameter {name!r} of {method}", value)
        for name, value in params.items()
        if name not in RESERVED
    }


def identity(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``params`` that tells a run from others: see ``Method.added``."""
    import methods

    added = methods.registry.get(method).value.added
    return {k: v for k, v in params.items() if k not in added or v != added[k]}


def accepts(method: str) -> frozenset[str]:
    """The reserved arguments that the method's constructor takes."""
    import methods

    return frozenset(methods.registry.get(method).value._get_param_names()) & frozenset(RESERVED)


def _plain(what: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(what, item) for item in value)
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ConfigError(
        f"{what} is a {type(value).__name__}, which a record cannot hold; "
        f"use numbers, strings, booleans or lists of these"
    )
