"""A strict reader of gzipped idx files, the format of MNIST.

An idx file has two zero bytes, a type code, the number of axes, the size of each axis as a
big-endian 32-bit integer, and the values (http://yann.lecun.com/exdb/mnist/, "the idx file
format"). The sizes in a header are compared with what deflate can pack into the file before memory
is allocated, and no more is unpacked than they need: a false header or a bomb costs no memory.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np

from deep_em_bench.datasets.download import read_limited, unexpected

__all__ = ["MOST_BYTES", "read_idx", "read_labelled_images"]

MOST_BYTES = 2**28
"""Largest size of a file and of its content; MNIST's largest has 47 million bytes."""

DEFLATE_RATIO = 1032
"""Most bytes that deflate packs into one: 258 into two bits (RFC 1951)."""

GZIP = 31
"""zlib's ``wbits`` for gzip, with its checksum and length."""

TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32"}
TYPES |= {0x0E: "float64"}


def read_labelled_images(
    images: Path, labels: Path, *, size: tuple[int, int], n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(N, H, W)`` uint8 and their labels ``(N,)`` uint8 in [0, n_classes).

    Raises ``DataError`` as :func:`read_idx`, for images of another ``size``, for unequal numbers
    of images and labels, and for labels out of range.
    """
    y = read_idx(labels, axes=1)
    X = read_idx(images, axes=3)
    if X.shape[1:] != size:
        raise unexpected(images, f"images of {_times(X.shape[1:])} pixels", _times(size))
    if len(X) != len(y):
        raise unexpected(
            labels, f"{len(y)} labels", f"{len(X)}, as many as {images.name} has images"
        )
    if y.max() >= n_classes:
        row = int(np.argmax(y >= n_classes))
        raise unexpected(labels, f"label {y[row]} at index {row}", f"labels in 0..{n_classes - 1}")
    return X, y


def read_idx(path: Path, *, axes: int) -> np.ndarray:
    """The uint8 array of a gzipped idx file with that many ``axes``, read-only.

    Raises ``DataError`` for any other file.
    """
    packed = read_limited(path, MOST_BYTES, "a gzipped idx file")
    start = 4 + 4 * axes
    shape = _shape(path, _unpack(path, packed, start)[0], axes, len(packed))
    expected = start + math.prod(shape)
    content, stream = _unpack(path, packed, expected + 1)
    size = f"{expected:,}: a header of {start} and {_times(shape)} values"
    if len(content) > expected:
        raise unexpected(path, f"more than {expected:,} bytes when unpacked", size)
    if len(content) < expected:
        raise unexpected(path, f"{len(content):,} bytes when unpacked (it is truncated)", size)
    if not stream.eof:
        raise unexpected(path, "no end of the gzip stream (it is truncated)", "its checksum")
    if stream.unused_data:
        raise unexpected(path, f"{len(stream.unused_data):,} bytes after the gzip stream", "none")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _shape(path: Path, header: bytes, axes: int, n_packed: int) -> tuple[int, ...]:
    """The sizes in an idx header; raises ``DataError`` for sizes that the file cannot have."""
    if len(header) < 4 + 4 * axes:
        raise unexpected(
            path,
            f"{len(header)} bytes when unpacked",
            f"an idx header of {4 + 4 * axes} bytes",
        )
    zeros, code, n_axes, *sizes = struct.unpack(f">HBB{axes}I", header)
    if zeros != 0:
        raise unexpected(path, f"magic number 0x{header[:4].hex()}", f"0x000008{axes:02x}")
    if code != 0x08:
        name = TYPES.get(code, "unknown")
        raise unexpected(path, f"type code 0x{code:02x} ({name})", "0x08 (uint8)")
    if n_axes != axes:
        raise unexpected(path, f"{n_axes} axes", f"{axes}: images have 3, labels 1")
    n = math.prod(sizes)
    if n == 0:
        raise unexpected(path, f"a header that promises {_times(sizes)} values", "at least one")
    most = min(MOST_BYTES, DEFLATE_RATIO * n_packed)
    if n > most:
        values = f"a header that promises {_times(sizes)} = {n:,} values"
        raise unexpected(path, values, f"at most {most:,} in a file of {n_packed:,} bytes")
    return tuple(sizes)


def _unpack(path: Path, packed: bytes, most: int) -> tuple[bytes, zlib._Decompress]:
    """At most the first ``most`` bytes of a gzip stream's content, and the stream's state."""
    if packed[:2] != b"\x1f\x8b":
        start = f"first bytes 0x{packed[:2].hex()}" if packed else "an empty file"
        raise unexpected(path, start, "0x1f8b: a gzip file")
    stream = zlib.decompressobj(wbits=GZIP)
    try:
        return stream.decompress(packed, most), stream
    except zlib.error as error:
        raise unexpected(path, f"a damaged gzip stream ({error})", "an intact one") from error


def _times(shape: tuple[int, ...] | list[int]) -> str:
    return "x".join(str(size) for size in shape)
