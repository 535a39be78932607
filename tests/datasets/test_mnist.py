from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deep_em_bench import datasets
from deep_em_bench.core import DataError
from deep_em_bench.datasets.download import file_sha256
from deep_em_bench.datasets.mnist import FASHION_MNIST, FILES, MNIST

Write = Callable[[str, np.ndarray | bytes], Path]


@pytest.fixture
def small(
    write_idx: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: SimpleNamespace
) -> Path:
    """A data root with an MNIST of 40 and 10 images, pinned as if it were the official one."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 40), ("t10k", 10)):
        write_idx(f"mnist/{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 28, 28)))
        write_idx(f"mnist/{part}-labels-idx1-ubyte.gz", np.arange(n) % 10)
    sha256 = tuple(file_sha256(tmp_path / "mnist" / file) for file in FILES)
    pinned = dataclasses.replace(MNIST, sha256=sha256, mirrors=(mirror.url,))
    monkeypatch.setattr(datasets.mnist, "MNIST", pinned)
    return tmp_path


def test_splits(small: Path) -> None:
    train = datasets.load("mnist", data_dir=small)
    assert train.X.shape == (40, 1, 28, 28)
    assert train.X_test is not None
    assert train.y_test is not None
    assert train.X_test.shape == (10, 1, 28, 28)
    whole = datasets.load("mnist", data_dir=small, split="all")
    assert whole.X_test is None
    assert whole.y_test is None
    np.testing.assert_array_equal(whole.X, np.concatenate([train.X, train.X_test]))
    np.testing.assert_array_equal(whole.y, np.concatenate([train.y, train.y_test]))
    assert whole.describe()["words"] == {"split": "all"}
    assert set(whole.source.sha256) == {f"mnist/{file}" for file in FILES}
    part = datasets.load("mnist", data_dir=small, subset=7)
    assert len(part.X) == 7
    assert part.X_test is not None
    assert len(part.X_test) == 10


def test_the_environment_names_the_root(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEP_EM_BENCH_DATA", str(small))
    assert len(datasets.load("mnist").X) == 40


def test_what_is_missing_is_downloaded_into_the_same_layout(
    small: Path, mirror: SimpleNamespace, tmp_path: Path
) -> None:
    mirror.files |= {file: (small / "mnist" / file).read_bytes() for file in FILES}
    (small / "mnist" / FILES[2]).unlink()
    assert len(datasets.load("mnist", data_dir=small).X) == 40
    assert mirror.asked == [f"/{FILES[2]}"]
    fresh = tmp_path / "fresh"
    assert len(datasets.load("mnist", data_dir=fresh).X) == 40
    assert sorted(path.name for path in (fresh / "mnist").iterdir()) == sorted(FILES)


def test_a_whole_file_with_other_content_is_refused(small: Path, write_idx: Write) -> None:
    write_idx(f"mnist/{FILES[1]}", np.arange(40)[::-1] % 10)
    with pytest.raises(DataError, match=f"{FILES[1]} is not the official file: its sha256 is"):
        datasets.load("mnist", data_dir=small)


def test_a_damaged_file_is_refused_for_what_is_wrong_with_it(small: Path) -> None:
    path = small / "mnist" / FILES[0]
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"truncated.*expected 31,376: a header of 16 and 40x28"):
        datasets.load("mnist", data_dir=small)


@pytest.mark.parametrize("family", [MNIST, FASHION_MNIST])
def test_the_real_files_bit_for_bit(
    family: datasets.mnist.IdxFamily, data_root: Callable[..., Path]
) -> None:
    root = data_root(*(f"{family.name}/{file}" for file in FILES))
    found = datasets.load(family.name, data_dir=root)
    said = datasets.registry.declarations()[family.name].attributes
    assert (len(found.X), found.shape, found.n_classes) == (said["n"], said["shape"], 10)
    assert dict(found.source.sha256) == {
        f"{family.name}/{file}": sha256 for file, sha256 in zip(FILES, family.sha256, strict=True)
    }
    for file, values, start in (
        (FILES[0], found.X, 16),
        (FILES[1], found.y, 8),
        (FILES[2], found.X_test, 16),
        (FILES[3], found.y_test, 8),
    ):
        assert values is not None
        grey = np.frombuffer(gzip.decompress((root / family.name / file).read_bytes()), np.uint8)
        scale = 255 if start == 16 else 1
        expected = (np.arange(256) / scale).astype(values.dtype)[grey[start:]]
        assert np.array_equal(values.ravel(), expected)


def test_real_mnist_has_the_known_class_counts(data_root: Callable[..., Path]) -> None:
    found = datasets.load("mnist", data_dir=data_root(*(f"mnist/{file}" for file in FILES)))
    assert found.y_test is not None
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(found.y).tolist() == train
    assert np.bincount(found.y_test).tolist() == test
    assert found.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
