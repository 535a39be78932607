"""The first ten classes of Oxford 102 Flowers at 64x64, as in the responsibility GAN's paper."""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from deep_em_bench.core import DataError
from deep_em_bench.core.npz import Expected, read_npz
from deep_em_bench.datasets.base import (
    Dataset,
    Request,
    Source,
    check_choice,
    register,
    scale_pixels,
)
from deep_em_bench.datasets.download import OfficialFile, file_sha256

__all__ = ["COMPACT", "OFFICIAL", "compact_arrays", "flowers102"]

Split = Literal["train", "train_valid", "test", "all"]
SPLITS: tuple[Split, ...] = ("train", "train_valid", "test", "all")

COMPACT = "flowers102/flowers10_64x64.npz"
"""Path below the data root of the file with COMPACT_ARRAYS."""

REMEDY = "make it anew by: deep-em-bench prepare flowers102 --force"

CLASS_NAMES = (
    "pink primrose",
    "hard-leaved pocket orchid",
    "canterbury bells",
    "sweet pea",
    "english marigold",
    "tiger lily",
    "moon orchid",
    "bird of paradise",
    "monkshood",
    "globe thistle",
)

COUNTS = (40, 60, 40, 56, 65, 45, 40, 85, 46, 45)
"""Number of images of each of the ten classes."""

N = sum(COUNTS)
SIDE = 64
IMAGES = 8189
"""Number of images in the official archive, of 102 classes."""

COMPACT_ARRAYS: Expected = {
    "X": (np.uint8, (N, SIDE, SIDE, 3)),
    "y": (np.uint8, (N,)),
    "image_id": (np.uint16, (N,)),
    "split": (np.uint8, (N,)),
}
"""The split is 1 for the official training images, 2 for validation, 3 for test."""

_OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"

OFFICIAL = tuple(
    OfficialFile(path=f"flowers102/{name}", sha256=sha256, mirrors=(_OXFORD + name,))
    for name, sha256 in (
        ("102flowers.tgz", "2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246"),
        ("imagelabels.mat", "4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d"),
        ("setid.mat", "46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd"),
    )
)

MEMBER = re.compile(r"jpg/image_(\d{5})\.jpg")
MOST_BYTES = 2**22
"""Largest size of a JPEG file; the largest official ones have some hundred thousand bytes."""
MOST_PIXELS = 2**23


@register(
    "flowers102",
    title="Oxford-102 flowers",
    origin="prepared",
    shape=(3, 64, 64),
    n=100,
    n_classes=10,
)
def flowers102(request: Request, *, split: Split = "train") -> Dataset:
    """Flowers: the first ten of Oxford's 102 classes, 64x64 colour (Nilsback & Zisserman, 2008).

    The images are squeezed to a square; their aspect ratio is not kept.

    Arguments:
        split: "train" fits the official 100 training images, "train_valid" these and the 100 for
            validation; both hold the 322 test images out. "test" fits the 322 and holds the other
            200 out. "all" fits all 522 and holds none out.
    """
    check_choice("split", split, SPLITS)
    path = request.root / COMPACT
    if not path.exists():
        raise DataError(
            f"{path} is missing; make it from the official archive (345 MB) by: "
            f"deep-em-bench prepare flowers102"
        )
    arrays = read_npz(path, COMPACT_ARRAYS, remedy=REMEDY)
    _check(path, arrays)
    X, y, part = scale_pixels(arrays["X"]), arrays["y"].astype(np.int64), arrays["split"]
    fit = np.isin(part, {"train": [1], "train_valid": [1, 2], "test": [3]}.get(split, [1, 2, 3]))
    test = part == 3 if split in ("train", "train_valid") else ~fit
    return Dataset(
        name="flowers102",
        X=X[fit],
        y=y[fit],
        X_test=X[test] if test.any() else None,
        y_test=y[test] if test.any() else None,
        class_names=CLASS_NAMES,
        source=Source(
            where=_OXFORD,
            licence="none stated; images from the web, for research",
            sha256={COMPACT: file_sha256(path)},
        ),
    )


def compact_arrays(archive: Path, labels: Path, sets: Path) -> dict[str, np.ndarray]:
    """The arrays of the compact file, made from the three official ones; images by number.

    Nothing is unpacked to disk. Raises ``DataError`` for unofficial names in the archive, for an
    image that is missing or cannot be read, and for labels or sets of other than 8,189 images.
    """
    classes, image_sets = _labels(labels, sets)
    rows = np.flatnonzero(classes <= len(CLASS_NAMES))  # image numbers begin at 1
    images = _images(archive, {int(row) + 1 for row in rows})
    return {
        "X": np.stack([images[int(row) + 1] for row in rows]),
        "y": (classes[rows] - 1).astype(np.uint8),
        "image_id": (rows + 1).astype(np.uint16),
        "split": image_sets[rows].astype(np.uint8),
        "class_names": np.array(CLASS_NAMES),
    }


def _check(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    y, split, image_id = arrays["y"], arrays["split"], arrays["image_id"]
    if y.max() >= len(COUNTS) or tuple(np.bincount(y, minlength=len(COUNTS))) != COUNTS:
        raise DataError(
            f"{path}: classes 0..{y.max()} have {np.bincount(y).tolist()} images; expected "
            f"{list(COUNTS)}; {REMEDY}"
        )
    if set(split.tolist()) != {1, 2, 3}:
        raise DataError(
            f"{path}: split has {sorted(set(split.tolist()))}; expected 1, 2 and 3; {REMEDY}"
        )
    if len(set(image_id.tolist())) != N or not 1 <= image_id.min() <= image_id.max() <= IMAGES:
        raise DataError(
            f"{path}: image numbers run from {image_id.min()} to {image_id.max()}, "
            f"{len(set(image_id.tolist()))} of them different; expected {N} in 1..{IMAGES}; "
            f"{REMEDY}"
        )


def _labels(labels: Path, sets: Path) -> tuple[np.ndarray, np.ndarray]:
    """Class 1..102 and set 1..3 of each image; row i is image number i + 1."""
    from scipy.io import loadmat

    classes = np.asarray(loadmat(str(labels))["labels"]).ravel().astype(np.int64)
    numbers_of = loadmat(str(sets))
    members = [np.asarray(numbers_of[name]).ravel() for name in ("trnid", "valid", "tstid")]
    numbers = np.sort(np.concatenate(members))
    if len(classes) != IMAGES or not np.array_equal(numbers, np.arange(1, IMAGES + 1)):
        raise DataError(
            f"{labels} has {len(classes)} labels and {sets} {len(numbers)} image numbers; "
            f"expected {IMAGES:,} of both, each number once; fetch both anew"
        )
    image_sets = np.zeros(IMAGES, dtype=np.int64)
    for i, rows in enumerate(members, start=1):
        image_sets[rows.astype(np.int64) - 1] = i
    return classes, image_sets


def _images(archive: Path, wanted: set[int]) -> dict[int, np.ndarray]:
    """The wanted images ``(64, 64, 3)`` uint8 by number."""
    images: dict[int, np.ndarray] = {}
    try:
        with tarfile.open(archive, "r|gz") as members:
            for member in members:
                number = _number(archive, member)
                if number in wanted:
                    stream = members.extractfile(member)
                    assert stream is not None  # a regular file has one
                    images[number] = _decode(f"{archive}: {member.name}", stream.read())
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} cannot be unpacked ({error}); fetch it anew") from error
    if missing := wanted - set(images):
        raise DataError(
            f"{archive} lacks {len(missing)} of {len(wanted)} images, the first of them "
            f"image_{min(missing):05}.jpg; fetch it anew"
        )
    return images


def _number(archive: Path, member: tarfile.TarInfo) -> int | None:
    """The image number in a member's name; None for the folder."""
    if member.isdir() and member.name.rstrip("/") == "jpg":
        return None
    match = MEMBER.fullmatch(member.name)
    if match is None or not member.isreg() or member.size > MOST_BYTES:
        raise DataError(
            f"{archive} has {member.name[:80]!r} of {member.size:,} bytes; expected regular "
            f"files jpg/image_00001.jpg and so on of at most {MOST_BYTES:,}; fetch it anew"
        )
    return int(match[1])


def _decode(what: str, content: bytes) -> np.ndarray:
    """A JPEG squeezed to ``(64, 64, 3)`` uint8."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(
                    f"{what} has {image.width}x{image.height} pixels; expected at most "
                    f"{MOST_PIXELS:,}; fetch the archive anew"
                )
            small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(
            f"{what} is no JPEG that can be read ({error}); fetch the archive anew"
        ) from error
    return np.asarray(small)
