"""Street View House Numbers, the cropped digits, read from the two official MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from deep_em_bench.core import DataError
from deep_em_bench.datasets.base import Dataset, Request, Source, register, scale_pixels
from deep_em_bench.datasets.download import OfficialFile, obtain, unexpected, verify_all

__all__ = ["FILES", "read_cropped", "svhn"]

HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512)
"""Where the content of an HDF5 file may begin: MATLAB puts a header of 512 bytes before it."""

_SITE = "http://ufldl.stanford.edu/housenumbers/"

FILES = tuple(
    OfficialFile(path=f"svhn/{name}", sha256=sha256, mirrors=(_SITE + name,))
    for name, sha256 in (
        ("train_32x32.mat", "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
        ("test_32x32.mat", "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
    )
)


@register("svhn", title="SVHN", origin="download", shape=(3, 32, 32), n=73_257, n_classes=10)
def svhn(request: Request) -> Dataset:
    """SVHN: 73,257 cropped house numbers, 26,032 held out, colour, 32x32 (Netzer et al., 2011).

    The class is the digit in the centre; parts of its neighbours may be visible. The 531,131 extra
    images are not used.
    """
    paths = [obtain(file, request.root) for file in FILES]
    for path in paths:
        _check_format(path)
    sha256 = verify_all(FILES, paths)  # before parsing: scipy trusts the sizes in a file
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

    A file has ``X``, uint8 (32, 32, 3, N), and ``y``, uint8 (N, 1), where 10 stands for digit 0.
    Raises ``DataError`` for other arrays. Verify the file before: scipy trusts its content.
    """
    arrays = loadmat(path, variable_names=("X", "y"))
    if missing := {"X", "y"} - arrays.keys():
        raise unexpected(path, f"no {' and no '.join(sorted(missing))}", "the variables X and y")
    images, labels = arrays["X"], arrays["y"]
    if (images.dtype, images.shape[:-1]) != (np.uint8, (32, 32, 3)):
        raise unexpected(path, f"X {images.dtype} {images.shape}", "uint8 (32, 32, 3, N)")
    n = images.shape[-1]
    if (labels.dtype, labels.shape) != (np.uint8, (n, 1)):
        raise unexpected(
            path, f"y {labels.dtype} {labels.shape}", f"uint8 ({n}, 1), a label for each image"
        )
    if labels.min() < 1 or labels.max() > 10:
        row = int(np.argmax((labels[:, 0] < 1) | (labels[:, 0] > 10)))
        raise unexpected(
            path, f"label {labels[row, 0]} at index {row}", "labels in 1..10, 10 for the digit 0"
        )
    X = scale_pixels(images.transpose(3, 0, 1, 2))  # (H, W, C, N) -> (N, H, W, C)
    return X, labels[:, 0].astype(np.int64) % 10


def _check_format(path: Path) -> None:
    """Raise ``DataError`` for an HDF5 file: a wrong checksum would not say what it is."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HDF5_PLACES[-1] + len(HDF5))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected a MATLAB file there"
        ) from error
    if any(head.startswith(HDF5, place) for place in HDF5_PLACES):
        raise unexpected(path, "an HDF5 file (MATLAB 7.3)", "the MATLAB 5 file that is offered")
