"""Street View House Numbers, the cropped digits, read from the two official MATLAB files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError, matfile_version

from core import DataError
from datasets.base import Dataset, Request, Source, register
from datasets.download import OfficialFile, obtain, verify

__all__ = ["FILES", "read_cropped", "svhn"]

MOST_BYTES = 2**28
"""Largest file that is read; the larger one has 182,040,794 bytes."""

MOST_IMAGES = 100_000
"""Most images that memory is asked for; the larger file has 73,257."""

HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512)
"""Where an HDF5 file begins: at once, or after MATLAB's own header of 512 bytes."""

MAT_ERRORS = (MatReadError, ValueError, TypeError, KeyError, IndexError, EOFError, OSError)
MAT_ERRORS += (zlib.error, struct.error, OverflowError, MemoryError, NotImplementedError)
"""What scipy raises for a damaged file."""

_SITE = "http://ufldl.stanford.edu/housenumbers/"

FILES = tuple(
    OfficialFile(path=f"svhn/{name}", sha256=sha256, mirrors=(_SITE + name,))
    for name, sha256 in (
        ("train_32x32.mat", "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
        ("test_32x32.mat", "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
    )
)


@register("svhn", origin="download", shape=(3, 32, 32), n=73_257, n_classes=10)
def svhn(request: Request) -> Dataset:
    """SVHN: 73,257 cropped house numbers, 26,032 held out, colour, 32x32 (Netzer et al., 2011).

    The centre digit is the class; neighbours may be in the picture. The 531,131 extra images are
    left out.
    """
    paths = [obtain(file, request.root) for file in FILES]
    for path in paths:
        _check_header(path)
    # The bytes are known to be the official ones before the large arrays are unpacked.
    sha256 = {file.path: verify(file, path) for file, path in zip(FILES, paths, strict=True)}
    (X, y), (X_test, y_test) = (read_cropped(path) for path in paths)
    return Dataset(
        name="svhn",
        X=X,
        y=y,
        X_test=X_test,
        y_test=y_test,
        class_names=tuple(str(digit) for digit in range(10)),
        source=Source(
            where=_SITE,
            licence="non-commercial use only, as its site says",
            sha256=sha256,
        ),
    )


def read_cropped(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(N, 3, 32, 32)`` float32 in [0, 1] and their digits ``(N,)`` int64 in 0..9.

    A file holds ``X``, uint8 (32, 32, 3, N), and ``y``, uint8 (N, 1), where 10 stands for the
    digit 0. Raises ``DataError`` for anything else, an HDF5 file among it.
    """
    _check_header(path)
    try:
        found = loadmat(path, variable_names=("X", "y"))
        images, labels = found["X"], found["y"]
    except MAT_ERRORS as error:
        raise _refusal(
            path, f"content that cannot be read ({type(error).__name__}: {error})"
        ) from error
    if labels.min() < 1 or labels.max() > 10:
        row = int(np.argmax((labels[:, 0] < 1) | (labels[:, 0] > 10)))
        raise _refusal(
            path, f"label {labels[row, 0]} at index {row}", "labels in 1..10, 10 for the digit 0"
        )
    # (H, W, C, N) -> (N, C, H, W), in one pass: the larger file makes 900 MB
    X = np.divide(images.transpose(3, 2, 0, 1), np.float32(255), dtype=np.float32, order="C")
    return X, labels[:, 0].astype(np.int64) % 10


def _check_header(path: Path) -> None:
    """Refuse what the file's first bytes and the headers of its variables give away."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(HDF5_PLACES[-1] + len(HDF5))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected a MATLAB file there"
        ) from error
    if size > MOST_BYTES:
        raise _refusal(path, f"{size:,} bytes", f"at most {MOST_BYTES:,}")
    if any(head[place:].startswith(HDF5) for place in HDF5_PLACES):
        raise _refusal(path, "an HDF5 file (MATLAB 7.3)", "a MATLAB 5 file, as it is offered")
    try:
        if matfile_version(path)[0] == 0:  # its header alone may ask for gigabytes
            raise _refusal(path, "a MATLAB 4 file", "a MATLAB 5 file, as it is offered")
        listed = whosmat(path)
    except MAT_ERRORS as error:
        raise _refusal(
            path, f"no MATLAB file ({type(error).__name__}: {error})", "a MATLAB 5 file"
        ) from error
    names = [name for name, _, _ in listed]
    if names.count("X") != 1 or names.count("y") != 1:
        held = ", ".join(sorted(names)) or "nothing"
        raise _refusal(path, f"the variables {held}", "X and y, each once")
    found = {name: (tuple(shape), kind) for name, shape, kind in listed}
    (X_shape, X_kind), (y_shape, y_kind) = found["X"], found["y"]
    n = X_shape[-1]
    if (X_shape[:-1], X_kind) != ((32, 32, 3), "uint8"):
        raise _refusal(path, f"X {X_kind} {X_shape}", "uint8 (32, 32, 3, N)")
    if not 1 <= n <= MOST_IMAGES:
        raise _refusal(path, f"X with {n:,} images", f"1 to {MOST_IMAGES:,}")
    if (y_shape, y_kind) != ((n, 1), "uint8"):
        raise _refusal(path, f"y {y_kind} {y_shape}", f"uint8 ({n}, 1), a label for each image")


def _refusal(path: Path, found: str, expected: str = "the official file's variables") -> DataError:
    return DataError(f"{path}: found {found}; expected {expected}; fetch the file anew")
