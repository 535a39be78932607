"""The two UCI data sets of the GANMM paper, in the standard reading and in that paper's.

GANMM's code subtracts each column's mean, divides by the largest absolute value, and then drops
the last rows so that 50 divides the count. Its 6,000 "instances" of Artificial Characters are in
fact 30,654 line segments, each labelled with the letter of its character.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np

from deep_em_bench.core import DataError
from deep_em_bench.core.npz import Expected, read_npz
from deep_em_bench.datasets.base import Dataset, Request, Source, check_choice, register
from deep_em_bench.datasets.download import OfficialFile, obtain, read_limited, verify_all

__all__ = ["artificial_characters", "ganmm_scale", "image_segmentation", "standardise"]

Reading = Literal["standard", "ganmm"]
READINGS: tuple[Reading, ...] = ("standard", "ganmm")

LICENCE = "CC BY 4.0"

SURFACES = ("BRICKFACE", "SKY", "FOLIAGE", "CEMENT", "WINDOW", "PATH", "GRASS")

MOST_BYTES = 2**22
"""Largest size of a text file; the largest has 0.3 million bytes."""

LETTERS = ("A", "C", "D", "E", "F", "G", "H", "L", "P", "R")

SEGMENTS: Expected = {"raw": (np.float64, (30_654, 6)), "y": (np.uint8, (30_654,))}
"""Type and shape of each array of artificial_characters.npz."""


def _rows(path: Path) -> list[list[str]]:
    """The cells of each data row, without header lines and white space."""
    content = read_limited(path, MOST_BYTES, "comma-separated ASCII text")
    lines = (line.strip() for line in content.decode("ascii", errors="replace").splitlines())
    header = (";", "REGION-CENTROID-COL,")
    return [line.split(",") for line in lines if line and not line.startswith(header)]


def _rows_sha256(path: Path) -> str:
    """Digest of the data rows: copies in circulation differ in header, blanks and line ends."""
    return hashlib.sha256("\n".join(map(",".join, _rows(path))).encode()).hexdigest()


def _regions(path: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers ``(n, 19)`` float64 and classes ``(n,)`` int64 of a segmentation file."""
    rows = _rows(path)
    if len(rows) != n:
        raise DataError(f"{path} has {len(rows)} rows; expected {n}; fetch the file anew")
    for i, row in enumerate(rows, start=1):
        if len(row) != 20 or row[0] not in SURFACES:
            raise DataError(
                f"{path}: row {i} has {len(row)} cells, the first {row[0][:20]!r}; expected "
                f"one of {', '.join(SURFACES)} and 19 numbers; fetch the file anew"
            )
    try:
        X = np.array([row[1:] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise DataError(
            f"{path}: {error}; expected 19 numbers a row; fetch the file anew"
        ) from error
    return X, np.array([SURFACES.index(row[0]) for row in rows], dtype=np.int64)


def _segments(path: Path) -> dict[str, np.ndarray]:
    return read_npz(path, SEGMENTS, remedy=CHARACTERS_FILE.by_hand)


def _segments_sha256(path: Path) -> str:
    """Digest of the arrays: two .npz files with the same arrays may differ in their bytes."""
    arrays = _segments(path)
    return hashlib.sha256(b"".join(arrays[name].tobytes() for name in SEGMENTS)).hexdigest()


_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/image/"
_COPY = (
    "https://raw.githubusercontent.com/newtonlb/ProjetoAM/"
    "0ec4ab9d39f10362448a519804dfe3fc2e7d908f/"
)

SEGMENTATION_FILES = tuple(
    OfficialFile(
        path=f"image_segmentation/{name}",
        sha256=sha256,
        mirrors=(_UCI + name, _COPY + name),
        digest=_rows_sha256,
    )
    for name, sha256 in (
        ("segmentation.data", "34d0af6cc2a57bad881440477b7f26ac2234524333df225a79431fab6c67da03"),
        ("segmentation.test", "433e63d92e672c024ecb97bdea9eb33fca1d344cb8c5db3a4bca4b2e65413959"),
    )
)

CHARACTERS_FILE = OfficialFile(
    path="artificial_characters/artificial_characters.npz",
    sha256="57e366a6eef8aabc8f63af609e995ecf7c4e36027eb0934bd9d869904eb45fa5",
    digest=_segments_sha256,
    by_hand=(
        "make it with numpy.savez from the third and second entry of Data/chara.pkl of "
        "https://github.com/eyounx/GANMM: raw (30654, 6) float64, which is x1 y1 x2 y2 length "
        f"diagonal of each segment, and y (30654,) uint8, which is 0..9 for {' '.join(LETTERS)}"
    ),
)


@register(
    "image_segmentation",
    title="Image Segmentation",
    origin="download",
    shape=(19,),
    n=2310,
    n_classes=7,
)
def image_segmentation(request: Request, *, reading: Reading = "standard") -> Dataset:
    """UCI Image Segmentation: 2,310 regions of outdoor images, 19 numbers each (Brodley, 1990).

    A region is 3x3 pixels; the rows of segmentation.data, then those of segmentation.test. No
    held-out split.

    Arguments:
        reading: "standard" has all rows, columns with mean 0 and standard deviation 1; "ganmm"
            has GANMM's scaling and its first 2,300 rows. The one constant column is 0 in both.
    """
    check_choice("reading", reading, READINGS)
    paths = [obtain(file, request.root) for file in SEGMENTATION_FILES]
    parts = [_regions(path, n) for path, n in zip(paths, (210, 2100), strict=True)]
    sha256 = verify_all(SEGMENTATION_FILES, paths)
    X, y = (np.concatenate(both) for both in zip(*parts, strict=True))
    return _read_as(
        reading,
        X,
        y,
        name="image_segmentation",
        n_ganmm=2300,
        class_names=tuple(name.lower() for name in SURFACES),
        where="https://archive.ics.uci.edu/dataset/50/image+segmentation",
        sha256=sha256,
    )


@register(
    "artificial_characters",
    title="Artificial Characters",
    origin="by hand",
    shape=(6,),
    n=30_654,
    n_classes=10,
)
def artificial_characters(request: Request, *, reading: Reading = "standard") -> Dataset:
    """UCI Artificial Characters: 30,654 line segments of 6,000 capital letters (Botta, 1992).

    A row is one segment: x1, y1, x2, y2, its length, and the diagonal of its character's bounding
    box. Its class is the letter. No held-out split.

    Arguments:
        reading: "standard" has all rows, columns with mean 0 and standard deviation 1; "ganmm"
            has GANMM's scaling and its first 30,500 rows.
    """
    check_choice("reading", reading, READINGS)
    path = obtain(CHARACTERS_FILE, request.root)
    arrays = _segments(path)
    sha256 = verify_all([CHARACTERS_FILE], [path])
    return _read_as(
        reading,
        arrays["raw"],
        arrays["y"].astype(np.int64),
        name="artificial_characters",
        n_ganmm=30_500,
        class_names=LETTERS,
        where="https://archive.ics.uci.edu/dataset/6/artificial+characters",
        sha256=sha256,
    )


def standardise(raw: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation (ddof 0) 1; constant ones become 0. Float32."""
    centred = _centre(raw)
    return _divide(centred, centred.std(axis=0))


def ganmm_scale(raw: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and largest absolute value 1; constant ones become 0. Float32."""
    centred = _centre(raw)
    return _divide(centred, np.abs(centred).max(axis=0))


def _centre(raw: np.ndarray) -> np.ndarray:
    """Float64 columns with mean 0; a constant one is exactly 0, without rounding errors."""
    raw = raw.astype(np.float64)
    return np.where(np.ptp(raw, axis=0) > 0, raw - raw.mean(axis=0), 0)


def _divide(centred: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return (centred / np.where(scale > 0, scale, 1)).astype(np.float32)


def _read_as(
    reading: Reading,
    raw: np.ndarray,
    y: np.ndarray,
    *,
    name: str,
    n_ganmm: int,
    class_names: tuple[str, ...],
    where: str,
    sha256: dict[str, str],
) -> Dataset:
    if reading == "ganmm":  # scaled by all rows, then cut, as in GANMM's data files
        X, y = ganmm_scale(raw)[:n_ganmm], y[:n_ganmm]
    else:
        X = standardise(raw)
    source = Source(where=where, licence=LICENCE, sha256=sha256)
    return Dataset(name=name, X=X, y=y, class_names=class_names, source=source)
