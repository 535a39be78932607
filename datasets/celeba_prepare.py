"""The compact CelebA file, made from the official aligned images and their attributes."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from deep_em_bench.core import DataError
from deep_em_bench.datasets.celeba import ATTRIBUTES, IMAGES, SIDE
from deep_em_bench.datasets.download import OfficialFile, read_limited, unexpected

__all__ = ["ATTRIBUTES_FILE", "compact_arrays", "read_attributes"]

ATTRIBUTE_BYTES = 2**26
"""Largest size of the attribute file; the official one has 26,721,026 bytes."""

IMAGE_BYTES = 2**20
"""Largest size of an image file; the official ones have some ten thousand bytes."""

SIZES = ((178, 218), (89, 109))
"""Width and height of an aligned image, and of one at half the scale."""

BALANCED_BY = "Male"

Opener = Callable[[str], bytes]
"""Maps the name of an image, such as 000001.jpg, to the content of its file."""


ATTRIBUTES_FILE = OfficialFile(
    path="celeba/list_attr_celeba.txt",
    sha256="f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
    by_hand=(
        "get list_attr_celeba.txt and img_align_celeba.zip from "
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, under its terms, and put both into "
        "that folder"
    ),
)

IMAGES_NAMES = ("img_align_celeba", "img_align_celeba.zip")
"""The folder, or the official zip file, in the folder of the attributes."""


def compact_arrays(attributes: Path) -> dict[str, np.ndarray]:
    """The arrays of the compact file, from list_attr_celeba.txt and the images in its folder.

    The first 2,000 images of each value of Male are taken, and of each image the middle square of
    its full width, shrunk to 64x64 by Pillow's bicubic filter. Nothing is unpacked to disk. Raises
    ``DataError`` for a file that is missing or has other content.
    """
    names, values = read_attributes(attributes)
    column = values[:, ATTRIBUTES.index(BALANCED_BY)]
    rows = np.sort(
        np.concatenate([np.flatnonzero(column == value)[: IMAGES // 2] for value in (-1, 1)])
    )
    if len(rows) < IMAGES:
        raise unexpected(
            attributes,
            f"too few images of one value of {BALANCED_BY}",
            f"{IMAGES // 2:,} of each",
        )
    arrays = {
        "X": np.empty((IMAGES, SIDE, SIDE, 3), dtype=np.uint8),
        "attr": values[rows],
        "image_id": np.array([int(names[row][:6]) for row in rows], dtype="<u2"),
        "attr_names": np.array(ATTRIBUTES, dtype="<U19"),
    }
    images = next(filter(Path.exists, map(attributes.with_name, IMAGES_NAMES)), None)
    if images is None:
        raise DataError(
            f"{attributes.parent} has neither {' nor '.join(IMAGES_NAMES)}; "
            f"{ATTRIBUTES_FILE.by_hand}"
        )
    with _opened(images) as read:
        for i, row in enumerate(rows):
            arrays["X"][i] = _face(read(names[row]), f"{names[row]} of {images}")
    return arrays


def read_attributes(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of all images, and their attributes ``(N, 40)`` int8, -1 or 1.

    The file has the number of images, a line with the 40 names, and one line for each image.
    """
    content = read_limited(path, ATTRIBUTE_BYTES, "list_attr_celeba.txt")
    lines = content.decode("ascii", errors="replace").splitlines()
    if len(lines) < 2 or lines[0].strip() != str(len(lines) - 2):
        first = lines[0].strip()[:20] if lines else ""
        start = f"first line {first!r} over {max(0, len(lines) - 2):,} images"
        raise unexpected(path, start, "their number in the first line")
    if tuple(lines[1].split()) != ATTRIBUTES:
        raise unexpected(path, "other names in line 2", "CelebA's 40 attributes in their order")
    names: list[str] = []
    values = np.empty((len(lines) - 2, len(ATTRIBUTES)), dtype=np.int8)
    for i, line in enumerate(lines[2:]):
        name, *row = line.split() or [""]
        number, ending = name[:-4], name[-4:]
        known = ending == ".jpg" and len(number) == 6 and number.isdecimal()
        if not known or len(row) != len(ATTRIBUTES) or not {"-1", "1"}.issuperset(row):
            raise unexpected(
                path,
                f"{line[:40]!r} in line {i + 3}",
                "000001.jpg and so on, and 40 times 1 or -1",
            )
        names.append(name)
        values[i] = [int(value) for value in row]
    return names, values


@contextlib.contextmanager
def _opened(images: Path) -> Iterator[Opener]:
    """A function that reads an image by its name, from a folder or a zip file."""
    if images.is_dir():
        yield lambda name: read_limited(images / name, IMAGE_BYTES, "an aligned image of CelebA")
        return
    try:
        archive = zipfile.ZipFile(images)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{images} is neither a folder nor a zip file ({error}); give img_align_celeba or "
            f"img_align_celeba.zip"
        ) from error
    with archive:
        # By file name alone: paths in the archive have no effect.
        members = {Path(info.filename).name: info for info in archive.infolist()}
        yield lambda name: _of_archive(archive, members.get(name), f"{name} of {images}")


def _of_archive(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None, what: str) -> bytes:
    if info is None:
        raise DataError(f"{what} is missing; give the whole img_align_celeba.zip")
    if info.file_size > IMAGE_BYTES:
        raise DataError(
            f"{what} has {info.file_size:,} bytes; expected at most {IMAGE_BYTES:,}; fetch it anew"
        )
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
        raise DataError(f"{what} cannot be unpacked ({error}); fetch the file anew") from error


def _face(content: bytes, what: str) -> np.ndarray:
    """The middle square of an aligned image, ``(64, 64, 3)`` uint8."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if image.size not in SIZES or image.mode != "RGB":
                raise DataError(
                    f"{what} is {image.mode} of {image.size[0]}x{image.size[1]} pixels; expected "
                    f"RGB of 178x218, the aligned images"
                )
            width, height = image.size
            top = (height - width) // 2
            square = image.crop((0, top, width, top + width))
            return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise DataError(
            f"{what} is no JPEG file that can be read ({error}); fetch it anew"
        ) from error
