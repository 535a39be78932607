"""Strict reading of JSON values into frozen dataclasses, driven by their type annotations."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from deep_em_bench.core import DataError

__all__ = ["ADDED", "decode"]

ADDED = {"added": True}
"""Metadata of a field that older files lack: where it is missing its default stands."""

T = TypeVar("T")
Decoder = Callable[[Any, str], Any]
"""Takes a JSON value and the dotted key it was found under."""

SCALARS = {
    str: ("a string", (str,)),
    bool: ("true or false", (bool,)),
    int: ("an integer", (int,)),
    float: ("a number", (int, float)),
}


def decode(kind: type[T], value: Any) -> T:
    """``value`` as the dataclass ``kind``: every key present, none unknown, each of its type.

    Fields with the metadata :data:`ADDED` alone may be missing.

    Understood annotations are scalars, ``X | None``, ``Literal``, ``tuple[X, ...]``,
    ``Mapping[str, X]``, ``Any`` and dataclasses of these. Raises :class:`DataError` naming
    the dotted key.
    """
    return _decoder(kind)(value, "")


@functools.cache
def _decoder(hint: Any) -> Decoder:
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint)
    if hint is Any:
        return _anything
    if hint in SCALARS:
        return _scalar(*SCALARS[hint])
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, types.UnionType) and len(arguments) == 2 and arguments[1] is type(None):
        return _optional(_decoder(arguments[0]))
    if origin is tuple and arguments[1:] == (...,):
        return _array(_decoder(arguments[0]))
    if origin is Mapping and arguments[0] is str:
        return _object(_decoder(arguments[1]))
    raise TypeError(f"no JSON form for the annotation {hint}")


def _dataclass(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(kind)}
    added = {field.name for field in dataclasses.fields(kind) if field.metadata.get("added")}

    def read(value: Any, key: str) -> Any:
        if type(value) is not dict:
            raise _mismatch(key, "an object", value)
        prefix = key and f"{key}."
        if value.keys() != decoders.keys():
            for name in decoders.keys() - value.keys() - added:
                raise DataError(f"key `{prefix}{name}` is missing")
            for name in value.keys() - decoders.keys():
                raise DataError(f"key `{prefix}{name}` is unknown")
        return kind(
            **{
                name: inner(value[name], prefix + name)
                for name, inner in decoders.items()
                if name in value
            }
        )

    return read


def _anything(value: Any, key: str) -> Any:
    return value


def _scalar(expected: str, accepted: tuple[type, ...]) -> Decoder:
    def read(value: Any, key: str) -> Any:
        if type(value) not in accepted or value in (math.inf, -math.inf):
            # By identity, since a bool is an int to isinstance; JSON's 1e999 is infinite.
            raise _mismatch(key, expected, value)
        return value

    return read


def _literal(choices: tuple[Any, ...]) -> Decoder:
    def read(value: Any, key: str) -> Any:
        if value not in choices:
            raise _mismatch(key, "one of " + ", ".join(map(repr, choices)), value)
        return value

    return read


def _optional(inner: Decoder) -> Decoder:
    return lambda value, key: None if value is None else inner(value, key)


def _array(inner: Decoder) -> Decoder:
    def read(value: Any, key: str) -> Any:
        if type(value) is not list:
            raise _mismatch(key, "an array", value)
        return tuple(inner(item, f"{key}[{i}]") for i, item in enumerate(value))

    return read


def _object(inner: Decoder) -> Decoder:
    def read(value: Any, key: str) -> Any:
        if type(value) is not dict:
            raise _mismatch(key, "an object", value)
        if inner is _anything:
            return value
        return {name: inner(item, f"{key}.{name}") for name, item in value.items()}

    return read


def _mismatch(key: str, expected: str, value: Any) -> DataError:
    got = repr(value)
    got = got if len(got) <= 60 else got[:57] + "..."
    return DataError(f"{f'key `{key}`' if key else 'the file'} is {got}, expected {expected}")
