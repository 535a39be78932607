"""A strict reader of gzipped idx files, the format of MNIST and its kin.

An idx file is two zero bytes, a type code, the number of axes, each axis' size as a big-endian
32-bit integer, and the values (http://yann.lecun.com/exdb/mnist/, "the idx file format"). A
header is believed only as far as the file can hold what it promises: sizes are compared with what
deflate can pack into the file's bytes before memory is asked for, and no more is unpacked than
the header promises, so neither a lying header nor a bomb costs memory.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np

from deep_em_bench.core import DataError

__all__ = ["MOST_BYTES", "read_idx", "read_labelled_images"]

MOST_BYTES = 2**28
"""Largest file and largest content that are read; MNIST's largest has 47 million bytes."""

DEFLATE_RATIO = 1032
"""Bytes that deflate packs into one at the most: 258 into two bits (RFC 1951)."""

GZIP = 31
"""zlib's ``wbits`` for the gzip wrapper, whose checksum and length are then compared too."""

TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32"}
TYPES |= {0x0E: "float64"}


def read_labelled_images(
    images: Path, labels: Path, *, size: tuple[int, int], n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(N, H, W)`` uint8 and their labels ``(N,)`` uint8 in [0, n_classes).

    Raises ``DataError`` for files that :func:`read_idx` refuses, images of another ``size``,
    another number of labels than of images, and labels out of range.
    """
    y = read_idx(labels, axes=1)
    X = read_idx(images, axes=3)
    if X.shape[1:] != size:
        raise _refusal(images, f"images of {_times(X.shape[1:])} pixels", _times(size))
    if len(X) != len(y):
        raise _refusal(
            labels, f"{len(y)} labels", f"{len(X)}, as many as {images.name} has images"
        )
    if y.max() >= n_classes:
        row = int(np.argmax(y >= n_classes))
        raise _refusal(labels, f"label {y[row]} at index {row}", f"labels in 0..{n_classes - 1}")
    return X, y


def read_idx(path: Path, *, axes: int) -> np.ndarray:
    """The uint8 array with that many ``axes`` in a gzipped idx file; it is read-only.

    Raises ``DataError`` that says what was found and what was expected.
    """
    try:
        n_packed = path.stat().st_size
        if n_packed > MOST_BYTES:
            raise _refusal(path, f"{n_packed:,} bytes", f"at most {MOST_BYTES:,}")
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected a gzipped idx file there"
        ) from error
    start = 4 + 4 * axes
    shape = _shape(path, _unpack(path, packed, start)[0], axes, len(packed))
    expected = start + math.prod(shape)
    content, stream = _unpack(path, packed, expected + 1)
    promise = f"{expected:,}: a header of {start} and {_times(shape)} values"
    if len(content) > expected:
        raise _refusal(path, f"more than {expected:,} bytes when unpacked", promise)
    if len(content) < expected:
        raise _refusal(path, f"{len(content):,} bytes when unpacked (it is truncated)", promise)
    if not stream.eof:
        raise _refusal(path, "no end of the gzip stream (it is truncated)", "its checksum")
    if stream.unused_data:
        raise _refusal(path, f"{len(stream.unused_data):,} bytes after the gzip stream", "none")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _shape(path: Path, header: bytes, axes: int, n_packed: int) -> tuple[int, ...]:
    """The sizes in an idx header, once they are known to be ones that the file can have."""
    if len(header) < 4 + 4 * axes:
        raise _refusal(
            path,
            f"{len(header)} bytes when unpacked",
            f"an idx header of {4 + 4 * axes} bytes",
        )
    zeros, code, found_axes, *sizes = struct.unpack(f">HBB{axes}I", header)
    if zeros != 0:
        raise _refusal(path, f"magic number 0x{header[:4].hex()}", f"0x000008{axes:02x}")
    if code != 0x08:
        found = f"type code 0x{code:02x} ({TYPES.get(code, 'unknown')})"
        raise _refusal(path, found, "0x08 (uint8)")
    if found_axes != axes:
        raise _refusal(path, f"{found_axes} axes", f"{axes}: images have 3, labels 1")
    n = math.prod(sizes)
    if n == 0:
        raise _refusal(path, f"a header that promises {_times(sizes)} values", "at least one")
    most = min(MOST_BYTES, DEFLATE_RATIO * n_packed)
    if n > most:
        found = f"a header that promises {_times(sizes)} = {n:,} values"
        raise _refusal(path, found, f"at most {most:,} in a file of {n_packed:,} bytes")
    return tuple(sizes)


def _unpack(path: Path, packed: bytes, most: int) -> tuple[bytes, zlib._Decompress]:
    """At most the first ``most`` bytes of what a gzip stream holds, and the stream's state."""
    if packed[:2] != b"\x1f\x8b":
        found = f"first bytes 0x{packed[:2].hex()}" if packed else "an empty file"
        raise _refusal(path, found, "0x1f8b: a gzip file")
    stream = zlib.decompressobj(wbits=GZIP)
    try:
        return stream.decompress(packed, most), stream
    except zlib.error as error:
        raise _refusal(path, f"a damaged gzip stream ({error})", "an intact one") from error


def _times(shape: tuple[int, ...] | list[int]) -> str:
    return "x".join(str(size) for size in shape)


def _refusal(path: Path, found: str, expected: str) -> DataError:
    return DataError(f"{path}: found {found}; expected {expected}; fetch the file anew")
