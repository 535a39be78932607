"""Street View House Numbers, the cropped digits, read from the two official MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core import DataError
from datasets.base import Dataset, Request, Source, register
from datasets.download import OfficialFile, obtain, verify
from datasets.mat5 import Variable, read_bytes, refusal, variables

__all__ = ["FILES", "read_cropped", "svhn"]

MOST_BYTES = 2**28
"""Largest file that is read; the larger one has 182,040,794 bytes."""

MOST_IMAGES = 100_000
"""Most images that memory is asked for; the larger file has 73,257."""

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
    images, labels = (read_bytes(path, variable) for variable in _check_header(path))
    if labels.min() < 1 or labels.max() > 10:
        row = int(np.argmax((labels[:, 0] < 1) | (labels[:, 0] > 10)))
        raise refusal(
            path, f"label {labels[row, 0]} at index {row}", "labels in 1..10, 10 for the digit 0"
        )
    # (H, W, C, N) -> (N, C, H, W), in one pass: the larger file makes 900 MB
    X = np.divide(images.transpose(3, 2, 0, 1), np.float32(255), dtype=np.float32, order="C")
    return X, labels[:, 0].astype(np.int64) % 10


def _check_header(path: Path) -> tuple[Variable, Variable]:
    """X and y as the file describes them; what its size and that give away is refused."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected a MATLAB file there"
        ) from error
    if size > MOST_BYTES:
        raise refusal(path, f"{size:,} bytes", f"at most {MOST_BYTES:,}")
    held = variables(path)
    names = [variable.name for variable in held]
    if names.count("X") != 1 or names.count("y") != 1:
        listed = ", ".join(sorted(names)) or "nothing"
        raise refusal(path, f"the variables {listed}", "X and y, each once")
    X, y = (held[names.index(name)] for name in ("X", "y"))
    n = X.shape[-1]
    if (X.shape[:-1], X.kind) != ((32, 32, 3), "uint8"):
        raise refusal(path, f"X {X.kind} {X.shape}", "uint8 (32, 32, 3, N)")
    if not 1 <= n <= MOST_IMAGES:
        raise refusal(path, f"X with {n:,} images", f"1 to {MOST_IMAGES:,}")
    if (y.shape, y.kind) != ((n, 1), "uint8"):
        raise refusal(path, f"y {y.kind} {y.shape}", f"uint8 ({n}, 1), a label for each image")
    return X, y
