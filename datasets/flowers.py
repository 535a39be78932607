"""The first ten classes of Oxford 102 Flowers at 64x64, as the responsibility GAN has them."""

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
from deep_em_bench.datasets.base import Dataset, Request, Source, check_choice, register
from deep_em_bench.datasets.download import OfficialFile, file_sha256

__all__ = ["COMPACT", "OFFICIAL", "compact_arrays", "flowers102"]

Split = Literal["train", "train_valid", "test", "all"]
SPLITS: tuple[Split, ...] = ("train", "train_valid", "test", "all")

COMPACT = "flowers102/flowers10_64x64.npz"
"""Below the data root; X, y, image_id and split of COMPACT_ARRAYS."""

REMEDY = "make it anew by: python -m datasets.prepare flowers102 --force"

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
"""Images of each of the ten classes."""

N = sum(COUNTS)
SIDE = 64
IMAGES = 8189
"""In the official archive, of 102 classes."""

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
"""Of one JPEG file; the largest official ones have some hundred thousand."""
MOST_PIXELS = 2**23


@register("flowers102", origin="prepared", shape=(3, 64, 64), n=100, n_classes=10)
def flowers102(request: Request, *, split: Split = "train") -> Dataset:
    """Flowers: the first ten of Oxford's 102 classes, 64x64 colour (Nilsback & Zisserman, 2008).

    The images are squeezed to a square, their aspect ratio not kept.

    Arguments:
        split: "train" fits on the official 100 training images and "train_valid" on those and the
            100 for validation, both with the 322 test images held out; "test" fits on the 322 and
            holds the other 200 out; "all" fits on all 522 and holds nothing out.
    """
    check_choice("split", split, SPLITS)
    path = request.root / COMPACT
    if not path.exists():
        raise DataError(
            f"{path} is missing; make it from the official archive (345 MB) by: "
            f"python -m datasets.prepare flowers102"
        )
    arrays = read_npz(path, COMPACT_ARRAYS, remedy=REMEDY)
    _check(path, arrays)
    # (N, H, W, C) -> (N, C, H, W)
    X = np.divide(arrays["X"].transpose(0, 3, 1, 2), np.float32(255), dtype=np.float32, order="C")
    y, part = arrays["y"].astype(np.int64), arrays["split"]
    fit = np.isin(part, {"train": [1], "train_valid": [1, 2], "test": [3]}.get(split, [1, 2, 3]))
    held = part == 3 if split in ("train", "train_valid") else ~fit
    return Dataset(
        name="flowers102",
        X=X[fit],
        y=y[fit],
        X_test=X[held] if held.any() else None,
        y_test=y[held] if held.any() else None,
        class_names=CLASS_NAMES,
        source=Source(
            where=_OXFORD,
            licence="none stated; images from the web, for research",
            sha256={COMPACT: file_sha256(path)},
        ),
    )


def compact_arrays(archive: Path, labels: Path, sets: Path) -> dict[str, np.ndarray]:
    """The arrays of the compact file from the three official ones, images in number order.

    Nothing is unpacked to disk. Raises ``DataError`` for an archive with other names in it than
    the official ones, with an image that is missing or cannot be read, and for labels or sets that
    are not those of 8,189 images.
    """
    of_image, set_of_image = _labels(labels, sets)
    wanted = np.flatnonzero(of_image <= len(CLASS_NAMES))  # rows; image numbers begin at 1
    found = _images(archive, {int(row) + 1 for row in wanted})
    return {
        "X": np.stack([found[int(row) + 1] for row in wanted]),
        "y": (of_image[wanted] - 1).astype(np.uint8),
        "image_id": (wanted + 1).astype(np.uint16),
        "split": set_of_image[wanted].astype(np.uint8),
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
            f"{path}: split holds {sorted(set(split.tolist()))}; expected 1, 2 and 3; {REMEDY}"
        )
    if len(set(image_id.tolist())) != N or not 1 <= image_id.min() <= image_id.max() <= IMAGES:
        raise DataError(
            f"{path}: image numbers run from {image_id.min()} to {image_id.max()}, "
            f"{len(set(image_id.tolist()))} of them different; expected {N} in 1..{IMAGES}; "
            f"{REMEDY}"
        )


def _labels(labels: Path, sets: Path) -> tuple[np.ndarray, np.ndarray]:
    """Class 1..102 and set 1..3 of each image, by image number less one."""
    from scipy.io import loadmat

    of_image = np.asarray(loadmat(str(labels))["labels"]).ravel().astype(np.int64)
    found = loadmat(str(sets))
    members = [np.asarray(found[name]).ravel() for name in ("trnid", "valid", "tstid")]
    numbers = np.sort(np.concatenate(members))
    if len(of_image) != IMAGES or not np.array_equal(numbers, np.arange(1, IMAGES + 1)):
        raise DataError(
            f"{labels} has {len(of_image)} labels and {sets} {len(numbers)} image numbers; "
            f"expected {IMAGES:,} of both, each number once; fetch both anew"
        )
    set_of_image = np.zeros(IMAGES, dtype=np.int64)
    for i, rows in enumerate(members, start=1):
        set_of_image[rows.astype(np.int64) - 1] = i
    return of_image, set_of_image


def _images(archive: Path, wanted: set[int]) -> dict[int, np.ndarray]:
    """The wanted images ``(64, 64, 3)`` uint8 by number."""
    found: dict[int, np.ndarray] = {}
    try:
        with tarfile.open(archive, "r|gz") as members:
            for member in members:
                number = _number(archive, member)
                if number in wanted:
                    stream = members.extractfile(member)
                    assert stream is not None  # a regular file has one
                    found[number] = _decode(f"{archive}: {member.name}", stream.read())
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} cannot be unpacked ({error}); fetch it anew") from error
    if missing := wanted - set(found):
        raise DataError(
            f"{archive} lacks {len(missing)} of {len(wanted)} images, the first of them "
            f"image_{min(missing):05}.jpg; fetch it anew"
        )
    return found


def _number(archive: Path, member: tarfile.TarInfo) -> int | None:
    """The number of the image that a member is; None for the folder."""
    if member.isdir() and member.name.rstrip("/") == "jpg":
        return None
    named = MEMBER.fullmatch(member.name)
    if named is None or not member.isreg() or member.size > MOST_BYTES:
        raise DataError(
            f"{archive} holds {member.name[:80]!r} of {member.size:,} bytes; expected regular "
            f"files jpg/image_00001.jpg and so on of at most {MOST_BYTES:,}; fetch it anew"
        )
    return int(named[1])


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
