from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from deep_em_bench import datasets
from deep_em_bench.core import DataError
from deep_em_bench.datasets.download import file_sha256
from deep_em_bench.datasets.svhn import FILES, HDF5, read_cropped

Arrays = dict[str, np.ndarray]


def arrays(n: int = 12, seed: int = 0) -> Arrays:
    """What an official file holds, of ``n`` images whose labels run 1..10 and on."""
    X = np.random.default_rng(seed).integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
    return {"X": X, "y": (np.arange(n, dtype=np.uint8) % 10 + 1)[:, None]}


def write(path: Path, found: Arrays, *, compressed: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, found, do_compression=compressed)
    return path


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: SimpleNamespace) -> Path:
    """A data root with an SVHN of 12 and 11 images, pinned as if it were the official one."""
    parts = zip(FILES, (arrays(12), arrays(11, seed=1)), strict=True)
    paths = [write(tmp_path / file.path, found) for file, found in parts]
    pinned = tuple(
        dataclasses.replace(
            file, sha256=file_sha256(path), mirrors=(mirror.url + Path(file.path).name,)
        )
        for file, path in zip(FILES, paths, strict=True)
    )
    monkeypatch.setattr(datasets.svhn, "FILES", pinned)
    return tmp_path


def test_images_labels_and_splits(small: Path) -> None:
    found = datasets.load("svhn", data_dir=small)
    assert found.X_test is not None
    assert found.y_test is not None
    assert (found.X.shape, found.X_test.shape) == ((12, 3, 32, 32), (11, 3, 32, 32))
    assert found.y.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert found.class_names[found.y[9]] == "0"
    written = arrays()["X"]
    for i, channel, row, column in ((0, 0, 0, 0), (5, 2, 31, 7), (11, 1, 3, 30)):
        assert found.X[i, channel, row, column] == pytest.approx(
            written[row, column, channel, i] / 255
        )
    assert set(found.source.sha256) == {file.path for file in FILES}
    assert len(datasets.load("svhn", data_dir=small, subset=5).X) == 5


@pytest.mark.parametrize("compressed", [True, False])
def test_both_ways_of_writing_the_file(compressed: bool, tmp_path: Path) -> None:
    X, y = read_cropped(write(tmp_path / "a.mat", arrays(), compressed=compressed))
    assert (X.dtype, y.dtype) == (np.float32, np.int64)
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(np.rint(X * 255), arrays()["X"].transpose(3, 2, 0, 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"X": arrays()["X"][:28]}, r"X uint8 \(28, 32, 3, 12\); expected uint8 \(32, 32, 3, N\)"),
        ({"X": arrays()["X"][:, :, :1]}, r"X uint8 \(32, 32, 1, 12\)"),
        ({"X": arrays()["X"][..., 0]}, r"X uint8 \(32, 32, 3\)"),
        ({"X": arrays()["X"] / 255}, r"X float64 \(32, 32, 3, 12\)"),
        ({"y": arrays()["y"].astype(float)}, r"y float64 \(12, 1\); expected uint8 \(12, 1\)"),
        ({"y": arrays(11)["y"]}, r"y uint8 \(11, 1\)"),
        ({"y": arrays()["y"].T}, r"y uint8 \(1, 12\)"),
        ({"y": arrays()["y"] - 1}, r"label 0 at index 0; expected labels in 1\.\.10"),
        ({"y": arrays()["y"] + 1}, r"label 11 at index 9"),
        ({"X": None}, "no X; expected the variables X and y"),
        ({"X": None, "y": None}, "no X and no y"),
    ],
)
def test_other_content_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    found = {name: value for name, value in (arrays() | change).items() if value is not None}
    with pytest.raises(DataError, match=said) as caught:
        read_cropped(write(tmp_path / "a.mat", found))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("fetch the file anew")


@pytest.mark.parametrize("start", [b"", b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)])
def test_an_hdf5_file_is_refused_by_its_name(start: bytes, small: Path) -> None:
    (small / FILES[1].path).write_bytes(start + HDF5 + bytes(2000))
    with pytest.raises(DataError, match=r"an HDF5 file \(MATLAB 7\.3\); expected the MATLAB 5"):
        datasets.load("svhn", data_dir=small)


def test_a_file_is_verified_before_it_is_parsed(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is cut, flipped, of another format or empty never reaches scipy."""
    monkeypatch.setattr(datasets.svhn, "loadmat", None)
    path = small / FILES[0].path
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[200] ^= 1
    for content in (b"", whole[:100], whole[:-5], bytes(flipped), b"no MATLAB file " * 100):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"train_32x32\.mat is not the official file: its sha"):
            datasets.load("svhn", data_dir=small)


def test_what_is_no_file_is_refused(small: Path) -> None:
    path = small / FILES[0].path
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        datasets.load("svhn", data_dir=small)


def test_what_is_missing_is_downloaded(
    small: Path, mirror: SimpleNamespace, tmp_path: Path
) -> None:
    for file in FILES:
        mirror.files[Path(file.path).name] = (small / file.path).read_bytes()
    fresh = tmp_path / "fresh"
    assert len(datasets.load("svhn", data_dir=fresh).X) == 12
    assert sorted(path.name for path in (fresh / "svhn").iterdir()) == sorted(
        Path(file.path).name for file in FILES
    )


def test_a_sound_file_with_other_content_is_refused(small: Path) -> None:
    write(small / FILES[0].path, arrays(12, seed=3))
    with pytest.raises(DataError, match=r"train_32x32\.mat is not the official file"):
        datasets.load("svhn", data_dir=small)


def test_the_real_files(data_root: Callable[..., Path]) -> None:
    found = datasets.load("svhn", data_dir=data_root(*(file.path for file in FILES)))
    assert (len(found.X), len(found.X_test if found.X_test is not None else ())) == (73257, 26032)
