"""All parameters of a suite's row: what the method's constructor would hold, type-checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deep_em_bench.core import ConfigError, Registered, UserError

if TYPE_CHECKING:
    from deep_em_bench.methods.base import Method

__all__ = ["RESERVED", "accepts", "identity", "resolve"]

RESERVED = (
    *("n_clusters", "random_state", "device", "precision", "compile"),
    *("semi_supervised", "callback"),
)
"""Arguments that the harness sets: n_clusters is a cell's own, the rest is how it is run."""

NONE = "none"
"""What a suite writes for None, which TOML has no word for, where the constructor takes it."""


def resolve(
    method: str, preset: str | None, settings: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The preset (the default one for None) and every parameter but the reserved ones.

    ``settings`` go over the preset, the preset over the constructor's defaults. Lists become
    tuples, integers floats where the constructor says so: one setting has one form, hence one key.

    Raises :class:`ConfigError` for an unknown method, preset or parameter, for a value that
    the constructor's annotation excludes, and for a method that is not made as one.
    """
    from deep_em_bench.methods.base import default_preset
    from deep_em_bench.methods.parameters import admits, converted, parameter_hints

    entry = _entry(method)
    preset = preset or default_preset(entry)
    for name in settings:
        if name in RESERVED:
            raise ConfigError(
                f"{name!r} of {method} is set by the harness; remove it"
                + (": give n_clusters to the row itself" if name == "n_clusters" else "")
            )
    hints = parameter_hints(entry.value)
    chosen = {}
    for name, value in settings.items():
        hint = hints.get(name, Any)
        if value == NONE and not admits(value, hint) and admits(None, hint):
            value = None
        chosen[name] = converted(f"parameter {name!r} of {method}", value, hint)
    params = _params(method, preset, chosen)
    return preset, {
        name: _plain(f"parameter {name!r} of {method}", value)
        for name, value in params.items()
        if name not in RESERVED
    }


def identity(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``params`` that tells a run from others.

    Parameters that are newer than published results are left out at their earlier value.
    """
    from deep_em_bench import methods
    from deep_em_bench.methods.parameters import earlier_values

    earlier = earlier_values(methods.registry.get(method).value)
    return {k: v for k, v in params.items() if k not in earlier or v != earlier[k]}


def accepts(method: str) -> frozenset[str]:
    """The reserved arguments that the method's constructor takes."""
    from deep_em_bench import methods

    return frozenset(methods.registry.get(method).value._get_param_names()) & frozenset(RESERVED)


def _entry(method: str) -> Registered[type[Method]]:
    """The method's registration. Raises :class:`ConfigError` for what is no method."""
    from deep_em_bench import methods
    from deep_em_bench.methods.base import Method, Preset

    entry = methods.registry.get(method)
    presets = entry.attributes.get("presets")
    if not (isinstance(entry.value, type) and issubclass(entry.value, Method)):
        raise ConfigError(
            f"method {method!r} is registered as {entry.value!r}; "
            f"expected a class derived from methods.base.Method"
        )
    if not presets:
        raise ConfigError(
            f"method {method!r} is registered without presets; add presets={{...}} to @register"
        )
    if not (
        isinstance(presets, Mapping)
        and all(isinstance(preset, Preset) for preset in presets.values())
    ):
        raise ConfigError(
            f"method {method!r} is registered with presets={presets!r}; "
            f"expected a methods.base.Preset by each name"
        )
    version = entry.attributes.get("version", 1)
    if type(version) is not int or version < 1:
        raise ConfigError(
            f"method {method!r} is registered with version={version!r}; expected a whole number "
            f"from 1, raised when results change"
        )
    return entry


def _params(method: str, preset: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the method with its preset. Raises :class:`ConfigError` if it fails."""
    from deep_em_bench import methods

    try:
        return methods.create(method, preset, **chosen).get_params(deep=False)
    except UserError:
        raise
    except Exception as error:  # the method's own code
        text = " ".join(str(error).split())
        raise ConfigError(
            f"method {method!r} cannot be made with its preset {preset!r}: "
            f"{type(error).__name__}: {text}; mend the method or the preset"
        ) from error


def _plain(what: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(what, item) for item in value)
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ConfigError(
        f"{what} is a {type(value).__name__}, which a record cannot hold; "
        f"use numbers, strings, booleans or lists of these"
    )
