from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from deep_em_bench import datasets
from deep_em_bench.core import ConfigError, DataError
from deep_em_bench.core.npz import write_npz
from deep_em_bench.datasets import flowers
from deep_em_bench.datasets.download import file_sha256
from deep_em_bench.datasets.flowers import COMPACT, COUNTS, IMAGES, N, compact_arrays

COLOURS = np.random.default_rng(0).integers(0, 256, (10, 3))


def made_arrays() -> dict[str, np.ndarray]:
    """A compact file's arrays: plain images in the colour of their class."""
    y = np.repeat(np.arange(10), COUNTS).astype(np.uint8)
    return {
        "X": np.broadcast_to(COLOURS[y, None, None], (N, 64, 64, 3)).astype(np.uint8),
        "y": y,
        "image_id": np.arange(1, N + 1, dtype=np.uint16) * 3,
        "split": np.arange(N, dtype=np.uint8) % 3 + 1,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_npz(tmp_path / COMPACT, made_arrays())
    return tmp_path


def test_splits(root: Path) -> None:
    arrays = made_arrays()
    rows = {
        "train": (arrays["split"] == 1, arrays["split"] == 3),
        "train_valid": (arrays["split"] < 3, arrays["split"] == 3),
        "test": (arrays["split"] == 3, arrays["split"] < 3),
        "all": (arrays["split"] > 0, None),
    }
    for split, (fit, held) in rows.items():
        found = datasets.load("flowers102", data_dir=root, split=split)
        np.testing.assert_array_equal(found.y, arrays["y"][fit])
        expected = arrays["X"][fit].transpose(0, 3, 1, 2) / np.float32(255)
        np.testing.assert_array_equal(found.X, expected)
        if held is None:
            assert found.X_test is None
        else:
            assert found.y_test is not None
            np.testing.assert_array_equal(found.y_test, arrays["y"][held])
        assert found.X.flags["C_CONTIGUOUS"]
    assert datasets.load("flowers102", data_dir=root).words == {"split": "train"}
    assert found.source.sha256 == {COMPACT: file_sha256(root / COMPACT)}
    assert found.n_classes == 10
    with pytest.raises(ConfigError, match="'trian'; did you mean 'train'"):
        datasets.load("flowers102", data_dir=root, split="trian")


def test_channels_are_red_green_blue(root: Path) -> None:
    found = datasets.load("flowers102", data_dir=root, split="all")
    colours = found.X[:, :, 5, 7] * 255
    np.testing.assert_allclose(colours, COLOURS[found.y], rtol=1e-6)


def test_a_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"deep-em-bench prepare flowers102") as caught:
        datasets.load("flowers102", data_dir=tmp_path)
    assert f"{tmp_path / COMPACT} is missing" in str(caught.value)


def changed(**other: Any) -> dict[str, np.ndarray]:
    arrays = made_arrays()
    return {**arrays, **{name: change(arrays[name].copy()) for name, change in other.items()}}


def moved(y: np.ndarray) -> np.ndarray:
    y[0] = 9
    return y


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (changed(X=lambda X: X[..., 0]), r"X is uint8 \(522, 64, 64\), expected uint8"),
        (changed(X=lambda X: X.astype(np.float32)), "X has 25,657,4"),
        (changed(y=lambda y: y[:-1]), r"y is uint8 \(521,\)"),
        (changed(y=lambda y: y + np.uint8(1)), r"classes 0\.\.10 have \[0, 40, 60"),
        (changed(y=moved), r"have \[39, 60, 40, .*expected \[40, 60, 40"),
        (changed(split=lambda s: s - np.uint8(1)), r"split has \[0, 1, 2\]"),
        (changed(split=lambda s: s.clip(1, 2)), r"split has \[1, 2\]"),
        (changed(image_id=lambda i: i % np.uint16(500)), "of them different; expected 522"),
        (changed(image_id=lambda i: i + np.uint16(8000)), r"expected 522 in 1\.\.8189"),
    ],
)
def test_other_arrays_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], says: str
) -> None:
    write_npz(tmp_path / COMPACT, arrays)
    with pytest.raises(DataError, match=says) as caught:
        datasets.load("flowers102", data_dir=tmp_path)
    assert str(tmp_path / COMPACT) in str(caught.value)
    assert "prepare flowers102 --force" in str(caught.value)


def test_a_cut_file_is_refused(root: Path) -> None:
    path = root / COMPACT
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="BadZipFile"):
        datasets.load("flowers102", data_dir=root)


def jpeg(colour: np.ndarray, size: tuple[int, int] = (90, 70)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, tuple(int(c) for c in colour)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def write_tar(path: Path, files: dict[str, bytes | tarfile.TarInfo]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.name = name
            if isinstance(content, bytes):
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)


def special(kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo()
    member.type, member.linkname = kind, target
    return member


def official(folder: Path) -> tuple[Path, Path, Path]:
    """The three official files in small: the images of ten classes at every third number."""
    of_image = np.full(IMAGES, 11)
    of_image[2 : 3 * N : 3] = np.repeat(np.arange(1, 11), COUNTS)
    numbers = np.random.default_rng(0).permutation(IMAGES) + 1
    paths = (folder / "102flowers.tgz", folder / "imagelabels.mat", folder / "setid.mat")
    savemat(paths[1], {"labels": of_image[None].astype(np.uint8)})
    sets = np.split(numbers[None].astype(np.uint16), [1020, 2040], axis=1)
    savemat(paths[2], dict(zip(("trnid", "valid", "tstid"), sets, strict=True)))
    plain = [jpeg(colour) for colour in COLOURS]
    wanted = np.flatnonzero(of_image <= 10)
    files: dict[str, bytes | tarfile.TarInfo] = {"jpg": special(tarfile.DIRTYPE)}
    files |= {f"jpg/image_{row + 1:05}.jpg": plain[of_image[row] - 1] for row in wanted[::-1]}
    files["jpg/image_00001.jpg"] = b"of another class, and never decoded"
    write_tar(paths[0], files)
    return paths


def test_the_official_files_give_the_compact_one(tmp_path: Path) -> None:
    found = compact_arrays(*official(tmp_path))
    assert found["image_id"].tolist() == list(range(3, 3 * N + 1, 3))  # in number order
    np.testing.assert_array_equal(found["y"], np.repeat(np.arange(10), COUNTS))
    assert (found["X"].shape, found["X"].dtype) == ((N, 64, 64, 3), np.uint8)
    centre = found["X"][:, 32, 32].astype(int)
    assert np.abs(centre - COLOURS[found["y"]]).max() <= 6  # JPEG
    numbers = np.random.default_rng(0).permutation(IMAGES) + 1
    assert set(found["image_id"][found["split"] == 2]) < set(numbers[1020:2040])
    write_npz(tmp_path / COMPACT, found)
    assert datasets.load("flowers102", data_dir=tmp_path, split="all").X.shape == (N, 3, 64, 64)


def test_images_are_squeezed_not_cut(tmp_path: Path) -> None:
    left_red = np.zeros((40, 200, 3), np.uint8)
    left_red[:, :100, 0] = 255
    stream = io.BytesIO()
    Image.fromarray(left_red).save(stream, "JPEG", quality=95)
    small = flowers._decode("an image", stream.getvalue())
    assert small.shape == (64, 64, 3)
    assert small[:, :28, 0].min() > 240
    assert small[:, 36:, 0].max() < 15


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("../jpg/image_00003.jpg", b"", r"has '\.\./jpg/image_00003\.jpg' of 0 bytes"),
        ("/jpg/image_00003.jpg", b"", "has '/jpg/image_00003.jpg'"),
        ("jpg/../../image_00003.jpg", b"", "expected regular files"),
        ("jpg/image_00003.jpg.exe", b"", "expected regular files"),
        ("jpg/image_00003.jpg", special(tarfile.SYMTYPE, "/etc/passwd"), "expected regular"),
        ("jpg/image_00003.jpg", special(tarfile.LNKTYPE, "/etc/passwd"), "expected regular"),
        ("jpg/image_00003.jpg", special(tarfile.CHRTYPE), "expected regular"),
        ("jpg/image_00003.jpg", bytes(2**22 + 1), "of 4,194,305 bytes"),
        ("jpg/image_00003.jpg", b"no image", r"image_00003\.jpg is no JPEG that can be read"),
        ("jpg/image_00003.jpg", b"GIF89a" + bytes(20), "is no JPEG that can be read"),
        ("jpg/image_00003.jpg", jpeg(COLOURS[0])[:300], "is no JPEG that can be read"),
        ("jpg/image_00003.jpg", jpeg(COLOURS[0]), "lacks 521 of 522 images.*image_00006"),
    ],
)
def test_other_archives_are_refused(
    tmp_path: Path, name: str, content: bytes | tarfile.TarInfo, says: str
) -> None:
    paths = official(tmp_path)
    write_tar(paths[0], {name: content})
    with pytest.raises(DataError, match=says) as caught:
        compact_arrays(*paths)
    assert str(paths[0]) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_huge_pictures_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = official(tmp_path)
    monkeypatch.setattr(flowers, "MOST_PIXELS", 90 * 70 - 1)
    with pytest.raises(DataError, match="has 90x70 pixels; expected at most 6,299"):
        compact_arrays(*paths)


def test_cut_archives_and_other_labels_are_refused(tmp_path: Path) -> None:
    paths = official(tmp_path)
    content = paths[0].read_bytes()
    for broken in (content[: len(content) // 2], b"", b"no tar"):
        paths[0].write_bytes(broken)
        with pytest.raises(DataError, match=r"cannot be unpacked|lacks"):
            compact_arrays(*paths)
    savemat(paths[1], {"labels": np.ones((1, 100), np.uint8)})
    with pytest.raises(DataError, match="has 100 labels and"):
        compact_arrays(*paths)


def test_real_flowers(data_root: Callable[..., Path]) -> None:
    root = data_root(COMPACT, "flowers102/imagelabels.mat", "flowers102/setid.mat")
    said = datasets.registry.declarations()["flowers102"].attributes
    train = datasets.load("flowers102", data_dir=root)
    assert (len(train.X), train.shape) == (said["n"], said["shape"])
    assert np.bincount(train.y).tolist() == [10] * 10
    assert train.X_test is not None
    assert len(train.X_test) == 322
    # The official labels and sets, read as the archive's are, say the same of every image.
    of_image, sets = flowers._labels(
        *(root / "flowers102" / f for f in ("imagelabels.mat", "setid.mat"))
    )
    with np.load(root / COMPACT, allow_pickle=False) as held:
        np.testing.assert_array_equal(of_image[held["image_id"] - 1], held["y"] + 1)
        np.testing.assert_array_equal(sets[held["image_id"] - 1], held["split"])
        assert tuple(held["class_names"]) == flowers.CLASS_NAMES
