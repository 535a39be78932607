"""What a MATLAB 5 file says of its variables, held against its length before scipy reads them.

scipy believes the sizes and types that stand in a file: a damaged one can make it ask for more
memory than there is, or crash. The format is level 5 of "MAT-File Format" (MathWorks): a header,
then an element for each variable, packed by zlib or not.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from core import DataError

__all__ = ["Variable", "read_bytes", "refusal", "variables"]

HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512)
"""Where an HDF5 file begins: at once, or after MATLAB's own header of 512 bytes."""

START = 128
"""Bytes of the file's header."""
VERSION = b"\x00\x01IM"
"""The last of them: format 5, little-endian."""

INT8, UINT8, INT32, UINT32, MATRIX, PACKED = 1, 2, 5, 6, 14, 15
"""Types of elements."""

KINDS = {4: "char", 6: "double", 7: "single", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16"}
KINDS |= {12: "int32", 13: "uint32", 14: "int64", 15: "uint64"}
COMPLEX, LOGICAL = 0x800, 0x200
"""Flags of an array."""

SCIPY_ERRORS = (MatReadError, ValueError, TypeError, KeyError, IndexError, EOFError, OSError)
SCIPY_ERRORS += (zlib.error, struct.error, OverflowError, MemoryError)
"""What scipy raises for a damaged file."""

MOST_VARIABLES = 100
HEAD = 1024
"""More bytes than precede the values of a variable, of 32 axes and a name of 63 letters."""
PACKED_HEAD = 4096
"""More than those can have when packed."""
MOST_PACKING = 1032
"""Bytes that zlib can make of one, at most."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """What a file says of one of its variables."""

    name: str
    kind: str
    """MATLAB's class, as in "uint8"; "other" for what is no array of plain numbers."""
    shape: tuple[int, ...]
    length: int
    """Of its element, in bytes, as it stands in the file."""
    packed: bool
    at: int
    """Of its values in the element, unpacked where it is packed: where their tag begins."""
    tag: bytes
    """Of its values."""


class _DamagedError(Exception):
    """What is wrong, as it follows "found"."""


def variables(path: Path) -> tuple[Variable, ...]:
    """What the file says that it holds, in its order; no value is read.

    Raises ``DataError`` for what is no MATLAB 5 file, little-endian, or is damaged.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            _check_format(path, stream.read(HDF5_PLACES[-1] + len(HDF5)))
            return tuple(_walk(stream, size))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected a MATLAB file there"
        ) from error
    except _DamagedError as error:
        raise refusal(path, str(error), "a whole MATLAB 5 file") from error


def read_bytes(path: Path, variable: Variable) -> np.ndarray:
    """The values of a variable of kind "uint8", in its shape, by scipy.

    Before that the element must have as many bytes as the shape has values. Raises ``DataError``
    where it does not, and where scipy cannot read them.
    """
    if variable.kind != "uint8":
        raise ValueError(f"{variable.name} is {variable.kind}; only uint8 is read")
    try:
        _check_values(variable)
        found = loadmat(path, variable_names=(variable.name,))[variable.name]
    except _DamagedError as error:
        raise refusal(path, f"{variable.name} with {error}", "a whole MATLAB 5 file") from error
    except SCIPY_ERRORS as error:
        raise refusal(
            path,
            f"{variable.name} with values that cannot be read ({type(error).__name__}: {error})",
            "a whole MATLAB 5 file",
        ) from error
    return found


def refusal(path: Path, found: str, expected: str) -> DataError:
    """The error for a file that is not what it should be."""
    return DataError(f"{path}: found {found}; expected {expected}; fetch the file anew")


def _check_format(path: Path, head: bytes) -> None:
    wanted = "a MATLAB 5 file, as it is offered"
    if any(head[place:].startswith(HDF5) for place in HDF5_PLACES):
        raise refusal(path, "an HDF5 file (MATLAB 7.3)", wanted)
    if len(head) >= 20 and 0 in head[:4]:  # where version 5 has text
        raise refusal(path, "a MATLAB 4 file", wanted)
    if head[START - len(VERSION) : START] != VERSION:
        raise refusal(path, f"no MATLAB 5 file, little-endian ({len(head):,} bytes seen)", wanted)


def _walk(stream: BinaryIO, size: int) -> list[Variable]:
    found: list[Variable] = []
    place = START
    while place < size:
        stream.seek(place)
        kind, length, small = _tag(stream.read(8))
        place += 8
        if small or kind not in (MATRIX, PACKED):
            raise _DamagedError(f"an element of type {kind} at byte {place - 8:,}")
        if length > size - place:
            raise _DamagedError(
                f"an element of {length:,} bytes at byte {place - 8:,}, where {size - place:,} "
                f"are left"
            )
        if len(found) == MOST_VARIABLES:
            raise _DamagedError(f"more than {MOST_VARIABLES} variables")
        found.append(_variable(stream, place, length, packed=kind == PACKED))
        place += length
    return found


def _variable(stream: BinaryIO, place: int, length: int, *, packed: bool) -> Variable:
    head, at = stream.read(min(length, PACKED_HEAD if packed else HEAD)), 0
    if packed:
        head, at = _unpacked(zlib.decompressobj(), head, HEAD), 8
        kind, inner, small = _tag(head)
        if small or kind != MATRIX or inner > MOST_PACKING * length:
            raise _DamagedError(
                f"{length:,} packed bytes at byte {place:,} that are said to be {inner:,} of type "
                f"{kind}"
            )
    flags, at = _part(head, at, UINT32)
    dimensions, at = _part(head, at, INT32)
    name, at = _part(head, at, INT8)
    shape = struct.unpack(f"<{len(dimensions) // 4}i", dimensions[: len(dimensions) // 4 * 4])
    if len(flags) != 8 or len(shape) < 2 or min(shape) < 0:
        raise _DamagedError(f"a variable at byte {place:,} of shape {shape}")
    word = struct.unpack("<I", flags[:4])[0]
    kind = KINDS.get(word & 0xFF, "other")
    kind = "logical" if word & LOGICAL else f"complex {kind}" if word & COMPLEX else kind
    return Variable(
        name=name.decode("latin-1"),
        kind=kind,
        shape=shape,
        length=length,
        packed=packed,
        at=at,
        tag=head[at : at + 8],
    )


def _check_values(variable: Variable) -> None:
    count = math.prod(variable.shape)
    kind, length, small = _tag(variable.tag)
    if (kind, length) != (UINT8, count):
        raise _DamagedError(f"{length:,} bytes of type {kind}, its shape having {count:,} values")
    end = variable.at + 8 if small else variable.at + 8 + count
    if variable.packed and end > MOST_PACKING * variable.length:
        raise _DamagedError(f"{count:,} values in {variable.length:,} packed bytes")
    if not variable.packed and end > variable.length:
        raise _DamagedError(f"{count:,} values in {variable.length:,} bytes")


def _part(head: bytes, at: int, expected: int) -> tuple[bytes, int]:
    """The content of the element there, and where the next one begins."""
    kind, length, small = _tag(head[at : at + 8])
    start = at + (4 if small else 8)
    content = head[start : start + length]
    if kind != expected or len(content) != length:
        raise _DamagedError(f"a part of type {kind} and {length:,} bytes in a variable's head")
    return content, at + 8 if small else start + length + -length % 8


def _tag(content: bytes) -> tuple[int, int, bool]:
    """Type and length of an element, and whether its content stands in the tag itself."""
    if len(content) < 8:
        raise _DamagedError("a file that ends within a tag")
    kind, length = struct.unpack_from("<II", content)
    if kind >> 16:
        if kind >> 16 > 4:
            raise _DamagedError(f"a tag of {kind >> 16:,} bytes that should have 4 at most")
        return kind & 0xFFFF, kind >> 16, True
    return kind, length, False


def _unpacked(unpacker: zlib._Decompress, content: bytes, most: int) -> bytes:
    """The first ``most`` bytes of what was packed."""
    try:
        return unpacker.decompress(content, most)
    except zlib.error as error:
        raise _DamagedError(f"packed bytes that cannot be unpacked ({error})") from error
