"""Faces of CelebA in two classes: with one of the 40 attributes, and without it.

The compact file has 4,000 of the aligned images, cut and shrunk to 64x64. CelebA's terms forbid
passing it on, so it cannot be downloaded: ``deep-em-bench prepare celeba`` makes it from the
official files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from deep_em_bench.core import DataError
from deep_em_bench.core.npz import read_npz
from deep_em_bench.datasets.base import (
    Dataset,
    Request,
    Source,
    check_choice,
    register,
    scale_pixels,
)
from deep_em_bench.datasets.download import OfficialFile, obtain, verify_all

__all__ = ["ATTRIBUTES", "FACES_FILE", "LAYOUT", "celeba", "labels_sha256", "select"]

ATTRIBUTES = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
"""In the order of list_attr_celeba.txt."""

SIDE = 64
IMAGES = 4000

LAYOUT = {
    "X": (np.dtype(np.uint8), (IMAGES, SIDE, SIDE, 3)),
    "attr": (np.dtype(np.int8), (IMAGES, len(ATTRIBUTES))),
    "image_id": (np.dtype("<u2"), (IMAGES,)),
    "attr_names": (np.dtype("<U19"), (len(ATTRIBUTES),)),
}
"""Type and shape of the compact file's arrays: pixels, -1 or 1 for each attribute, numbers."""

HELD_OUT = 5
"""One of so many images of either class is held out."""

REMEDY = "make it from the official files by: deep-em-bench prepare celeba --force"


def labels_sha256(arrays: dict[str, np.ndarray]) -> str:
    """Digest of image numbers and attributes; pixels depend on the scale of the JPEG files."""
    parts = (arrays[name].tobytes() for name in ("attr_names", "image_id", "attr"))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _file_labels_sha256(path: Path) -> str:
    return labels_sha256(_read(path))


FACES_FILE = OfficialFile(
    path="celeba/celeba_4000_64x64.npz",
    sha256="4963d35ee6c06384a90379f715176944c0e991b7b782370543e420d508b19f73",
    digest=_file_labels_sha256,
    by_hand=REMEDY,
)


@register("celeba", title="CelebA", origin="prepared", shape=(3, 64, 64), n=3200, n_classes=2)
def celeba(request: Request, *, attribute: str = "Male") -> Dataset:
    """Celebrities' faces, 64x64, with and without one attribute, as many of each (CelebA, 2015).

    LABELS CHOOSE THE IMAGES, as in GAN-EM's appendix B.3: see :func:`select`. So clusters follow
    the attribute more than they do for faces at large. One in five of the chosen images of either
    class, by their numbers, is held out.

    Arguments:
        attribute: one of the 40, such as "Eyeglasses" or "Wearing_Hat".
    """
    check_choice("attribute", attribute, ATTRIBUTES)
    path = obtain(FACES_FILE, request.root)
    arrays = _read(path)
    sha256 = verify_all([FACES_FILE], [path])
    rows = select(arrays["attr"], ATTRIBUTES.index(attribute))
    y = (arrays["attr"][rows, ATTRIBUTES.index(attribute)] == 1).astype(np.int64)
    test = np.zeros(len(rows), dtype=bool)
    for value in (0, 1):
        test[np.flatnonzero(y == value)[HELD_OUT - 1 :: HELD_OUT]] = True
    X = scale_pixels(arrays["X"][rows])
    return Dataset(
        name="celeba",
        X=X[~test],
        y=y[~test],
        X_test=X[test],
        y_test=y[test],
        class_names=(f"not {attribute}", attribute),
        source=Source(
            where=(
                "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html; images selected by their "
                "attributes as in GAN-EM, appendix B.3, so labels were used before any fit"
            ),
            licence="non-commercial research only; not to be passed on",
            sha256=sha256,
        ),
    )


def select(attributes: np.ndarray, column: int) -> np.ndarray:
    """Sorted rows, as many with as without the attribute of ``column`` (GAN-EM, appendix B.3).

    All images of the rarer value are taken (with the attribute, if both are equally frequent). Of
    the other value as many are taken: those that agree in most other attributes with the typical
    image of the first ones; ties go to the first rows. This is our reading of "all other
    attributes should maintain as much purity as possible". ``attributes`` is (N, 40), -1 or 1.

    Raises ``DataError`` if all images have one value.
    """
    has = attributes[:, column] == 1
    rare = has.sum() <= (~has).sum()
    first, pool = np.flatnonzero(has == rare), np.flatnonzero(has != rare)
    if not len(first):
        raise DataError(
            f"all {len(has)} images have one value of {ATTRIBUTES[column]}; choose another"
        )
    others = np.delete(attributes, column, axis=1)
    typical = np.where(2 * (others[first] == 1).sum(axis=0) > len(first), 1, -1)
    agreement = (others[pool] == typical).sum(axis=1)
    second = pool[np.argsort(-agreement, kind="stable")[: len(first)]]
    return np.sort(np.concatenate([first, second]))


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays = read_npz(path, LAYOUT, remedy=REMEDY)
    if tuple(arrays["attr_names"].tolist()) != ATTRIBUTES:
        raise DataError(f"{path} has other attributes than CelebA's 40, in its order; {REMEDY}")
    if not np.isin(arrays["attr"], (-1, 1)).all():
        raise DataError(f"{path} has attributes that are neither -1 nor 1; {REMEDY}")
    return arrays
