"""Structured files: raw values to frozen structs, and one line for what does not fit.

msgspec does the reading: it is strict, fast, and takes types and ranges from the annotations.
Its errors name a path; here they also get the value that came and the nearest known key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from deep_em_bench.core.errors import unknown_name

__all__ = ["Strict", "Value", "Whole", "brief", "converted", "explained"]

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number of 64 bits."""

if TYPE_CHECKING:
    Value = Any
else:
    Scalar = None | bool | Whole | float | str
    Value = Scalar | list[Scalar | list[Any]] | dict[str, Any]
"""A parameter, word or measurement as JSON and TOML hold it; its reader knows which kind."""

T = TypeVar("T")


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all structs that are read from files: unknown keys are errors."""


def converted(kind: type[T], raw: object) -> T:
    """``raw`` as ``kind``. Raises ``ValueError`` with one line: key, value, what is expected.

    >>> class Row(Strict, frozen=True, kw_only=True):
    ...     label: str
    >>> converted(Row, {"lable": "a"})
    Traceback (most recent call last):
    ValueError: unknown key 'lable'; did you mean 'label'? Known: label
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise ValueError(explained(error, kind, raw)) from error


def explained(error: msgspec.ValidationError, kind: Any, raw: object) -> str:
    """The sentence for what msgspec found wrong in ``raw``."""
    match = re.fullmatch(r"(.*?)(?: - at `(.*)`)?", str(error), re.DOTALL)
    text, path = (match[1], match[2] or "") if match else (str(error), "")
    steps = re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", path)
    hint, value = kind, raw
    for key, index in steps:
        hint = _inner(hint, key)
        if key:
            value = value.get(key) if isinstance(value, Mapping) else None
        else:
            value = value[int(index)] if index.isdecimal() and isinstance(value, list) else None
    name = path.removeprefix("$").removeprefix(".")
    place = f"{name}: " if name else ""
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", text):
        known = [name for struct in _structs_in(hint) for name in struct.__struct_fields__]
        return place + unknown_name("key", unknown[1], known)
    if missing := re.fullmatch(r"Object missing required field `(.*)`", text):
        return f"{place}key {missing[1]!r} is missing"
    if unknown := re.fullmatch(r"Invalid enum value '(.*)'", text):
        return place + unknown_name("value", unknown[1], map(str, _literals_in(hint)))
    if not text.startswith("Expected"):
        return place + text  # what a struct says of its own values
    expected = "e" + text[1:].partition(", got")[0].replace("`", "")
    if "..." in name:
        return f"key `{name}`: {expected}"  # msgspec does not name the key of a mapping
    return f"{f'key `{name}`' if name else 'the file'} is {brief(value)}; {expected}"


def brief(value: object) -> str:
    """The value as a message shows it.

    >>> brief("a" * 100)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return f"a huge {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def _inner(hint: Any, key: str) -> Any:
    """The hint of a struct's field; of an item of a list or mapping, that of the whole."""
    if not key:
        return hint
    hints = [get_type_hints(struct) for struct in _structs_in(hint)]
    return next((names[key] for names in hints if key in names), hint)


def _structs_in(hint: Any) -> list[Any]:
    """The structs of a hint: of ``Row | None``, ``tuple[Row, ...]``, ``Mapping[str, Row]``."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [hint]
    return [struct for argument in get_args(hint) for struct in _structs_in(argument)]


def _literals_in(hint: Any) -> list[Any]:
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [value for argument in get_args(hint) for value in _literals_in(argument)]
