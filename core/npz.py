"""Arrays of an .npz, read without trust and written whole or not at all.

The reader gives the names, types and shapes that it expects. They are compared with those in the
file, and sizes before memory is allocated. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deep_em_bench.core.errors import DataError
from deep_em_bench.core.files import temporary_beside

__all__ = ["Expected", "read_npz", "write_npz"]

Expected = Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]]
"""Type and shape of each array."""

NPZ_ERRORS = (OSError, ValueError, KeyError, EOFError, RuntimeError, struct.error, zlib.error)
NPZ_ERRORS += (zipfile.BadZipFile,)
"""What zipfile and numpy raise for a damaged .npz; RuntimeError is for an encrypted one."""

HEADER = 1024
"""More than the bytes that precede the values in an .npy file."""


def read_npz(path: Path, expected: Expected, *, remedy: str) -> dict[str, np.ndarray]:
    """The arrays of ``expected``, read-only; others in the file are not looked at.

    Raises ``DataError`` that ends with ``remedy`` for a file that does not hold them so.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _member(archive, name, *form) for name, form in expected.items()}
    except NPZ_ERRORS as error:
        raise DataError(
            f"{path} is not the .npz that it should be ({type(error).__name__}: {error}); {remedy}"
        ) from error


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed .npz to ``path``, whole or not at all.

    The same arrays give the same bytes. Raises ``DataError`` where that cannot be written.
    """
    try:
        with temporary_beside(path) as part:
            with part.open("wb") as stream:
                np.savez_compressed(stream, allow_pickle=False, **arrays)
            os.replace(part, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); name a folder that can be"
        ) from error


def _member(
    archive: zipfile.ZipFile, name: str, dtype: npt.DTypeLike, shape: tuple[int, ...]
) -> np.ndarray:
    dtype = np.dtype(dtype)
    info = archive.getinfo(f"{name}.npy")
    most = dtype.itemsize * math.prod(shape) + HEADER
    if info.file_size > most:
        raise ValueError(f"{name} has {info.file_size:,} bytes, expected at most {most:,}")
    stream = io.BytesIO(archive.read(info))
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is not in version 1.0 of the .npy format")
    found_shape, fortran, found_dtype = np.lib.format.read_array_header_1_0(stream)
    if (found_shape, fortran, found_dtype) != (shape, False, dtype):
        raise ValueError(f"{name} is {found_dtype} {found_shape}, expected {dtype} {shape}")
    return np.frombuffer(stream.read(), dtype=dtype).reshape(shape)
