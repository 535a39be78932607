from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deep_em_bench import datasets
from deep_em_bench.core import ConfigError, DataError
from deep_em_bench.core.npz import read_npz, write_npz
from deep_em_bench.datasets.celeba import ATTRIBUTES, FACES_FILE, LAYOUT, select
from deep_em_bench.datasets.celeba_prepare import ATTRIBUTES_FILE, compact_arrays, read_attributes
from deep_em_bench.datasets.download import file_sha256
from deep_em_bench.datasets.prepare import PREPARATIONS, prepare

N = 40
MALE, HAT = ATTRIBUTES.index("Male"), ATTRIBUTES.index("Wearing_Hat")


def attributes(n: int = N) -> np.ndarray:
    """Male alternates; one in four wears a hat; the rest is drawn."""
    values = np.random.default_rng(0).choice(np.array([-1, 1], dtype=np.int8), (n, 40))
    values[:, MALE] = np.where(np.arange(n) % 2, 1, -1)
    values[:, HAT] = np.where(np.arange(n) % 4 == 1, 1, -1)
    return values


def faces(n: int = N) -> dict[str, np.ndarray]:
    return {
        "X": np.random.default_rng(1).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8),
        "attr": attributes(n),
        "image_id": np.arange(1, n + 1, dtype="<u2"),
        "attr_names": np.array(ATTRIBUTES, dtype="<U19"),
    }


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with 40 faces, taken for the 4,000."""
    layout = {name: (dtype, (N, *shape[1:])) for name, (dtype, shape) in LAYOUT.items()}
    layout["attr_names"] = LAYOUT["attr_names"]
    monkeypatch.setattr(datasets.celeba, "LAYOUT", layout)
    pinned = dataclasses.replace(FACES_FILE, sha256=datasets.celeba.labels_sha256(faces()))
    monkeypatch.setattr(datasets.celeba, "FACES_FILE", pinned)
    monkeypatch.setattr(datasets.celeba_prepare, "IMAGES", N)
    write_npz(tmp_path / FACES_FILE.path, faces())
    return tmp_path


class TestSelection:
    def test_by_hand(self) -> None:
        values = np.full((7, 40), -1, dtype=np.int8)
        values[[1, 4], MALE] = 1  # the rarer value: both are taken
        values[[1, 4], 0] = 1  # they have attribute 0, so those that have it are nearest
        values[[0, 3, 5], 0] = 1
        values[5, 1:4] = 1  # but row 5 differs in three others
        values[3, 5] = 1  # and row 3 in one, as rows 2 and 6 in attribute 0
        assert select(values, MALE).tolist() == [0, 1, 2, 4]  # of 2, 3, 6 the first
        values[6] = values[0]
        assert select(values, MALE).tolist() == [0, 1, 4, 6]
        assert select(-values, MALE).tolist() == [0, 1, 4, 6]

    @pytest.mark.parametrize("column", [0, 7, MALE, 39])
    def test_it_is_balanced_and_takes_all_of_the_rarer_value(self, column: int) -> None:
        values = attributes()
        rows = select(values, column)
        chosen = values[rows, column]
        assert (chosen == 1).sum() == (chosen == -1).sum()
        assert sorted(set(rows.tolist())) == rows.tolist()
        rarer = min((-1, 1), key=lambda value: (values[:, column] == value).sum())
        assert set(np.flatnonzero(values[:, column] == rarer)) <= set(rows.tolist())

    def test_purity_of_the_other_attributes_is_no_less_than_by_chance(self) -> None:
        values = attributes(400)
        rows = select(values, HAT)
        rng = np.random.default_rng(0)
        hats, none = (np.flatnonzero(values[:, HAT] == value) for value in (1, -1))

        def purity(chosen: np.ndarray) -> float:
            share = (np.delete(values[chosen], HAT, axis=1) == 1).mean(axis=0)
            return float(np.maximum(share, 1 - share).mean())

        drawn = [rng.choice(none, len(hats), replace=False) for _ in range(20)]
        assert purity(rows) > max(purity(np.concatenate([hats, part])) for part in drawn)

    def test_a_single_value_is_refused(self) -> None:
        with pytest.raises(DataError, match="all 3 images have one value of Male"):
            select(np.ones((3, 40), dtype=np.int8), MALE)


def test_classes_splits_and_pixels(small: Path) -> None:
    found = datasets.load("celeba", data_dir=small)
    assert found.X_test is not None
    assert found.y_test is not None
    assert found.class_names == ("not Male", "Male")
    assert np.bincount(found.y).tolist() == [16, 16]
    assert np.bincount(found.y_test).tolist() == [4, 4]
    assert (found.X.shape[1:], found.X.dtype) == ((3, 64, 64), np.float32)
    written = faces()["X"]
    assert found.X[0, 2, 5, 9] == pytest.approx(written[0, 5, 9, 2] / 255)
    assert found.X_test[0, 0, 63, 0] == pytest.approx(written[8, 63, 0, 0] / 255)
    assert "labels were used" in found.source.where
    hats = datasets.load("celeba", attribute="Wearing_Hat", data_dir=small)
    assert hats.describe()["words"] == {"attribute": "Wearing_Hat"}
    assert np.bincount(hats.y).tolist() == [8, 8]


def test_an_unknown_attribute_names_the_nearest(small: Path) -> None:
    with pytest.raises(ConfigError, match="Wearing_Hat"):
        datasets.load("celeba", attribute="wearing_hat", data_dir=small)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("X", faces()["X"][:, :32], r"X has|X is uint8 \(40, 32, 64, 3\), expected"),
        ("X", faces()["X"] / 255, "X has 3"),
        ("attr", faces()["attr"].astype(np.int64), "attr has|attr is int64"),
        ("attr", faces()["attr"] * 0, "neither -1 nor 1"),
        ("attr_names", faces()["attr_names"][::-1], "other attributes than CelebA's 40"),
        ("image_id", faces()["image_id"] + np.uint16(1), "is not the official file"),
    ],
)
def test_another_file_is_refused(name: str, value: np.ndarray, said: str, small: Path) -> None:
    write_npz(small / FACES_FILE.path, {**faces(), name: value})
    with pytest.raises(DataError, match=said) as caught:
        datasets.load("celeba", data_dir=small)
    assert "deep-em-bench prepare celeba" in str(caught.value)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"cannot be downloaded; make it from the official files by: deep-em"
    ):
        datasets.load("celeba", data_dir=tmp_path)


class TestPrepare:
    @pytest.fixture
    def official(self, tmp_path: Path) -> Path:
        """A folder with images of two sizes and an attribute file, as they are offered."""
        folder = tmp_path / "root" / "celeba"
        (folder / "img_align_celeba").mkdir(parents=True)
        rng = np.random.default_rng(2)
        lines = [str(N), " ".join(ATTRIBUTES) + " "]
        for i, row in enumerate(attributes()):
            name = f"{i + 1:06}.jpg"
            lines.append(f"{name} " + " ".join(f"{value:2}" for value in row))
            width, height = ((178, 218), (89, 109))[i % 2]
            pixels = np.zeros((height, width, 3), dtype=np.uint8)
            top = (height - width) // 2
            pixels[top : top + width] = rng.integers(40, 256, 3)  # what the crop must keep
            path = folder / "img_align_celeba" / name
            Image.fromarray(pixels).save(path, quality=95, subsampling=0)
        (folder / ATTRIBUTES_FILE.path.rpartition("/")[2]).write_text("\n".join(lines) + "\n")
        return folder

    def test_a_folder_and_a_zip_file_give_the_same_file(
        self, small: Path, official: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listed = official / "list_attr_celeba.txt"
        pinned = dataclasses.replace(ATTRIBUTES_FILE, sha256=file_sha256(listed))
        made = dataclasses.replace(PREPARATIONS["celeba"], files=(pinned,))
        monkeypatch.setitem(PREPARATIONS, "celeba", made)
        path = prepare("celeba", data_dir=official.parent)
        before = path.read_bytes()
        found = datasets.load("celeba", data_dir=official.parent)
        assert len(found.X) == 32
        # One colour all over each face: the dark bands above and below are cut away.
        assert found.X.std(axis=(2, 3)).max() < 0.02
        assert found.X.min() > 0.1
        images = official / "img_align_celeba"
        with zipfile.ZipFile(official / "img_align_celeba.zip", "w") as archive:
            for image in sorted(images.iterdir()):
                archive.write(image, f"img_align_celeba/{image.name}")
        images.rename(official / "elsewhere")
        assert prepare("celeba", data_dir=official.parent, force=True).read_bytes() == before

    def test_what_is_wrong_with_an_image_is_said(self, small: Path, official: Path) -> None:
        images, listed = official / "img_align_celeba", official / "list_attr_celeba.txt"
        third = images / "000003.jpg"
        whole = third.read_bytes()
        square, png = io.BytesIO(), io.BytesIO()
        Image.new("RGB", (178, 178)).save(square, "JPEG")
        Image.new("RGB", (178, 218)).save(png, "PNG")
        for content, said in (
            (square.getvalue(), "RGB of 178x178 pixels; expected"),
            (png.getvalue(), "no JPEG file"),
            (whole[: len(whole) // 2], "no JPEG file"),
            (b"", "no JPEG file"),
            (bytes(2**20 + 1), "1,048,577 bytes; expected at most 1,048,576"),
        ):
            third.write_bytes(content)
            with pytest.raises(DataError, match=rf"000003\.jpg.*{said}"):
                compact_arrays(listed)
        third.unlink()
        with pytest.raises(DataError, match=r"000003\.jpg cannot be read"):
            compact_arrays(listed)
        images.rename(official / "elsewhere")
        with pytest.raises(DataError, match="neither img_align_celeba nor img_align"):
            compact_arrays(listed)
        packed = official / "img_align_celeba.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            first = (official / "elsewhere" / "000001.jpg").read_bytes()
            archive.writestr("img_align_celeba/000001.jpg", first)
        with pytest.raises(DataError, match=r"000002\.jpg of .* is missing"):
            compact_arrays(listed)
        packed.write_bytes(packed.read_bytes()[:-30])
        with pytest.raises(DataError, match="neither a folder nor a zip file"):
            compact_arrays(listed)

    def test_what_is_wrong_with_the_attributes_is_said(self, small: Path, official: Path) -> None:
        listed = official / "list_attr_celeba.txt"
        lines = listed.read_text().splitlines()
        for change, said in (
            ([*lines[1:]], "found first line '5_o_Clock_Shadow Arc' over"),
            ([], "found first line '' over 0 images"),
            ([lines[0], lines[1].lower(), *lines[2:]], "other names in line 2"),
            ([*lines[:4], "x" + lines[4], *lines[5:]], r"in line 5; expected 000001\.jpg"),
            ([*lines[:4], lines[4][:-1] + "0", *lines[5:]], "in line 5"),
            ([*lines[:4], "../../a.jpg" + lines[4][10:], *lines[5:]], "in line 5"),
            ([*lines[:4], lines[4] + " 1", *lines[5:]], "in line 5"),
            ([str(N - 4), *lines[1:-4]], "too few images of one value of Male"),
        ):
            listed.write_text("\n".join(change))
            with pytest.raises(DataError, match=said):
                compact_arrays(listed)
        with pytest.raises(DataError, match=r"cannot be read .*; expected list_attr_celeba\.txt"):
            read_attributes(official / "absent.txt")

    def test_without_the_official_files_it_says_where_they_are(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"list_attr_celeba\.txt is missing .* get list_attr"):
            prepare("celeba", data_dir=tmp_path)


def test_the_real_file(data_root: Callable[..., Path]) -> None:
    root = data_root(FACES_FILE.path)
    arrays = read_npz(root / FACES_FILE.path, LAYOUT, remedy="")
    found = datasets.load("celeba", data_dir=root)
    assert found.X_test is not None
    assert (len(found.X), len(found.X_test)) == (3200, 800)
    both = np.concatenate([found.X, found.X_test])
    assert float(both.mean()) == pytest.approx(arrays["X"].mean() / 255, rel=1e-4)
    glasses = datasets.load("celeba", attribute="Eyeglasses", data_dir=root)
    assert np.bincount(glasses.y).tolist() == [232, 232]
