"""What a constructor's annotations say of its parameters, and whether values keep to it.

A method states its modes and ranges once, where it takes them::

    def __init__(self, *, steps: Count = 100, optimizer: Literal["adam", "rmsprop"] = "adam")
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from deep_em_bench.core import ConfigError, unknown_name

__all__ = [
    "BatchSize",
    "Count",
    "Decay",
    "Fraction",
    "NonNegative",
    "Positive",
    "PositiveReal",
    "Range",
    "admits",
    "check_parameters",
    "converted",
    "parameter_hints",
]


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        return f"at least {self.low}" if self.high == math.inf else f"{self.low} to {self.high}"


Count = Annotated[int, Range(0)]
Positive = Annotated[int, Range(1)]
BatchSize = Annotated[int, Range(2)]
"""Batch norm has no variance of a single row."""
NonNegative = Annotated[float, Range(0.0)]
PositiveReal = Annotated[float, Range(1e-6)]
Fraction = Annotated[float, Range(0.0, 1.0)]
Decay = Annotated[float, Range(0.0, 0.9999)]
"""Of a running mean: at 1 it would never move."""


def parameter_hints(kind: type) -> dict[str, Any]:
    """Annotation of each parameter of the constructor."""
    try:
        return get_type_hints(kind.__init__, include_extras=True)
    except NameError:  # a plugin may annotate with names that only a type checker sees
        return {}


def check_parameters(name: str, kind: type, params: Mapping[str, Any]) -> None:
    """Raise :class:`ConfigError` for a value that the annotation of ``kind`` excludes."""
    hints = parameter_hints(kind)
    for key, value in params.items():
        converted(f"parameter {key!r} of {name}", value, hints.get(key, Any))


def converted(what: str, value: Any, hint: Any) -> Any:
    """``value`` in the form that the annotation gives it: integers as floats where it says so.

    Raises :class:`ConfigError` for a value that the annotation excludes.
    """
    plain, bounds = _parts(hint)
    if not admits(value, hint):
        choices = get_args(plain)
        if get_origin(plain) is Literal:
            raise ConfigError(unknown_name(f"value of {what}", str(value), map(str, choices)))
        expected = _spelled(plain) if bounds is None else f"{_spelled(plain)}, {bounds}"
        raise ConfigError(f"{what} is {value!r}; expected {expected}")
    kinds = [_parts(choice)[0] for choice in (plain, *get_args(plain))]
    return float(value) if type(value) is int and float in kinds and int not in kinds else value


def _parts(hint: Any) -> tuple[Any, Range | None]:
    """An annotation without its bounds, and these."""
    if get_origin(hint) is not Annotated:
        return hint, None
    plain, *rest = get_args(hint)
    return plain, next((part for part in rest if isinstance(part, Range)), None)


def admits(value: Any, hint: Any) -> bool:
    """Whether the annotation admits the value; one that is not understood admits all."""
    hint, bounds = _parts(hint)
    origin = get_origin(hint)
    if origin is Literal:
        return type(value) in map(type, get_args(hint)) and value in get_args(hint)
    if origin in (Union, types.UnionType):
        return any(admits(value, choice) for choice in get_args(hint))
    if origin is tuple or hint is tuple:
        inner = get_args(hint)
        items = inner[:1] * len(value) if inner[1:] == (...,) and type(value) is tuple else inner
        return type(value) is tuple and (
            not inner or (len(items) == len(value) and all(map(admits, value, items)))
        )
    if hint in (int, float):
        if isinstance(value, bool) or not isinstance(value, Integral if hint is int else Real):
            return False
        return bounds is None or bounds.low <= float(value) <= bounds.high
    if hint in (str, bool, type(None)):
        return type(value) is hint
    return True


def _spelled(hint: Any) -> str:
    """As a user would write it, the bounds in words."""
    plain, bounds = _parts(hint)
    inner = get_args(plain)
    if get_origin(plain) in (Union, types.UnionType):
        said = " | ".join(map(_spelled, inner))
    elif get_origin(plain) is tuple:
        said = f"tuple[{', '.join('...' if part is ... else _spelled(part) for part in inner)}]"
    elif plain is type(None):
        said = "None"
    else:
        said = plain.__name__ if isinstance(plain, type) and not inner else str(plain)
    return said if bounds is None else f"{said} of {bounds}"
