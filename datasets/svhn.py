"""Street View House Numbers, the cropped digits, read from the two official MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from deep_em_bench.core import DataError
from deep_em_bench.datasets.base import Dataset, Request, Source, register
from deep_em_bench.datasets.download import OfficialFile, obtain, verify

__all__ = ["FILES", "read_cropped", "svhn"]

HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512)
"""Where an HDF5 file begins: at once, or after MATLAB's own header of 512 bytes."""

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
        _check_format(path)
    # Verified before it is parsed: scipy believes whatever sizes stand in a file.
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
    digit 0. Raises ``DataError`` for other arrays. Give it only a file whose bytes were verified.
    """
    found = loadmat(path, variable_names=("X", "y"))
    if missing := {"X", "y"} - found.keys():
        raise _refusal(path, f"no {' and no '.join(sorted(missing))}", "the variables X and y")
    images, labels = found["X"], found["y"]
    if (images.dtype, images.shape[:-1]) != (np.uint8, (32, 32, 3)):
        raise _refusal(path, f"X {images.dtype} {images.shape}", "uint8 (32, 32, 3, N)")
    n = images.shape[-1]
    if (labels.dtype, labels.shape) != (np.uint8, (n, 1)):
        raise _refusal(
            path, f"y {labels.dtype} {labels.shape}", f"uint8 ({n}, 1), a label for each image"
        )
    if labels.min() < 1 or labels.max() > 10:
        row = int(np.argmax((labels[:, 0] < 1) | (labels[:, 0] > 10)))
        raise _refusal(
            path, f"label {labels[row, 0]} at index {row}", "labels in 1..10, 10 for the digit 0"
        )
    # (H, W, C, N) -> (N, C, H, W), in one pass: the larger file makes 900 MB
    X = np.divide(images.transpose(3, 2, 0, 1), np.float32(255), dtype=np.float32, order="C")
    return X, labels[:, 0].astype(np.int64) % 10


def _check_format(path: Path) -> None:
    """Refuse an HDF5 file by name: its checksum alone would not say what is wrong with it."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HDF5_PLACES[-1] + len(HDF5))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected a MATLAB file there"
        ) from error
    if any(head.startswith(HDF5, place) for place in HDF5_PLACES):
        raise _refusal(path, "an HDF5 file (MATLAB 7.3)", "the MATLAB 5 file that is offered")


def _refusal(path: Path, found: str, expected: str) -> DataError:
    return DataError(f"{path}: found {found}; expected {expected}; fetch the file anew")
