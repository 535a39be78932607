from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

import datasets
import datasets.svhn
from core import DataError
from datasets.download import file_sha256
from datasets.svhn import FILES, read_cropped

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
        ({"X": arrays()["X"] / 255}, r"X double \(32, 32, 3, 12\)"),
        ({"y": arrays()["y"].astype(float)}, r"y double \(12, 1\); expected uint8 \(12, 1\)"),
        ({"y": arrays(11)["y"]}, r"y uint8 \(11, 1\)"),
        ({"y": arrays()["y"].T}, r"y uint8 \(1, 12\)"),
        ({"y": arrays()["y"] - 1}, r"label 0 at index 0; expected labels in 1\.\.10"),
        ({"y": arrays()["y"] + 1}, r"label 11 at index 9"),
        ({"X": None}, "the variables y; expected X and y, each once"),
        ({"X": None, "y": None}, "the variables nothing"),
    ],
)
def test_other_content_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    found = {name: value for name, value in (arrays() | change).items() if value is not None}
    with pytest.raises(DataError, match=said) as caught:
        read_cropped(write(tmp_path / "a.mat", found))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("fetch the file anew")


def test_more_images_than_there_are_is_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.mat", arrays())
    monkeypatch.setattr(datasets.svhn, "MOST_IMAGES", 11)
    monkeypatch.setattr(datasets.svhn, "read_bytes", None)
    with pytest.raises(DataError, match="X with 12 images; expected 1 to 11"):
        read_cropped(path)
    monkeypatch.setattr(datasets.svhn, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="expected at most 100"):
        read_cropped(path)


@pytest.mark.parametrize("start", [b"", b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512)])
def test_an_hdf5_file_is_refused_by_its_name(start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(start + b"\x89HDF\r\n\x1a\n" + bytes(2000))
    with pytest.raises(DataError, match=r"an HDF5 file \(MATLAB 7\.3\); expected a MATLAB 5 file"):
        read_cropped(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_matlab_4_file_is_refused_before_its_header_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "train_32x32.mat"
    savemat(path, {"X": np.ones((2, 2)), "y": np.ones((2, 1))}, format="4")
    with pytest.raises(DataError, match="a MATLAB 4 file; expected a MATLAB 5 file"):
        read_cropped(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", arrays())
    whole = path.read_bytes()
    cuts = [whole[:n] for n in (0, 1, 50, 127, 130, 150, 1000, len(whole) // 2, len(whole) - 5)]
    rng = np.random.default_rng(0)
    for _ in range(30):
        damaged = bytearray(whole)
        damaged[int(rng.integers(128, 400))] ^= int(rng.integers(1, 256))
        cuts.append(bytes(damaged))
    for content in [*cuts, b"not a MATLAB file at all " * 100]:
        path.write_bytes(content)
        with contextlib.suppress(DataError):  # a flipped bit of a flag may leave all whole
            X, y = read_cropped(path)
            assert (X.shape, y.shape) == ((12, 3, 32, 32), (12,))
    for content in cuts[:9]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"\A[^\n]*fetch the file anew\Z"):
            read_cropped(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_cropped(tmp_path / "absent.mat")


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
