"""Files of data sets may hold anything, and in the same way: a value, or an error of ours."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from deep_em_bench import datasets
from deep_em_bench.core.npz import read_npz
from deep_em_bench.datasets import uci
from deep_em_bench.datasets.celeba import ATTRIBUTES
from deep_em_bench.datasets.celeba_prepare import read_attributes
from deep_em_bench.datasets.idx import read_idx, read_labelled_images
from tests.fuzz.mutations import Read, fuzzed, mutated, refused_or_read


def idx(*shape: int) -> bytes:
    header = bytes([0, 0, 8, len(shape)]) + b"".join(struct.pack(">I", n) for n in shape)
    return header + bytes(range(256)) * (int(np.prod(shape)) // 256 + 1)


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def mat(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    savemat(stream, arrays, do_compression=True)
    return stream.getvalue()


@fuzzed
@given(data=st.data())
@pytest.mark.parametrize("packed", [True, False])
def test_idx(tmp_path: Path, data: st.DataObject, packed: bool) -> None:
    good = [idx(3, 4, 4)[: 16 + 48], idx(5)[: 8 + 5]]
    drawn = mutated([gzip.compress(raw, mtime=0) for raw in good] if packed else good)
    content = data.draw(drawn)
    content = content if packed else gzip.compress(content, mtime=0)
    labels = tmp_path / "labels.gz"
    labels.write_bytes(gzip.compress(good[1], mtime=0))

    def read(path: Path) -> None:
        values = read_idx(path, axes=3)
        assert gzip.decompress(content)[16:] == values.tobytes()

    refused_or_read(read, tmp_path / "idx.gz", content)
    refused_or_read(
        lambda path: read_labelled_images(path, labels, size=(4, 4), n_classes=5),
        tmp_path / "idx.gz",
        content,
    )


@fuzzed
@given(content=mutated([("BRICKFACE," + ",".join(["1.5"] * 19) + "\n").encode() * 2]))
def test_csv(tmp_path: Path, content: bytes) -> None:
    refused_or_read(lambda path: uci._regions(path, 2), tmp_path / "segmentation.data", content)


SEGMENTS = {name: np.zeros(shape, dtype) for name, (dtype, shape) in uci.SEGMENTS.items()}


@fuzzed
@given(content=mutated([npz(**SEGMENTS)]))
def test_npz(tmp_path: Path, content: bytes) -> None:
    refused_or_read(uci._segments, tmp_path / "artificial_characters.npz", content)


LAYOUT = {"X": (np.uint8, (3, 4, 4)), "names": ("<U5", (2,))}
COMPACT = npz(X=np.ones((3, 4, 4), np.uint8), names=np.array(["one", "three"]), more=np.eye(3))


@fuzzed
@given(content=mutated([COMPACT]))
def test_compact_files(tmp_path: Path, content: bytes) -> None:
    def read(path: Path) -> None:
        found = read_npz(path, LAYOUT, remedy="make it anew")
        assert found["names"].shape == (2,)

    refused_or_read(read, tmp_path / "compact.npz", content)


HOUSE_NUMBERS = mat(
    X=np.random.default_rng(0).integers(0, 256, (32, 32, 3, 2), dtype=np.uint8),
    y=np.array([[1], [10]], np.uint8),
)


@fuzzed
@given(content=mutated([HOUSE_NUMBERS]))
def test_mat(tmp_path: Path, content: bytes) -> None:
    def read(path: Path) -> None:
        datasets.load("svhn", data_dir=path.parents[1])

    folder = tmp_path / "svhn"
    folder.mkdir(exist_ok=True)
    (folder / "test_32x32.mat").write_bytes(HOUSE_NUMBERS)
    refused_or_read(read, folder / "train_32x32.mat", content)


ROWS = [f"{i:06}.jpg " + " ".join(["-1", " 1"] * 20) for i in (1, 2, 3)]
FACES = "\n".join(["3", " ".join(ATTRIBUTES), *ROWS, ""]).encode()


@fuzzed
@given(content=mutated([FACES]))
def test_attributes(tmp_path: Path, content: bytes) -> None:
    refused_or_read(read_attributes, tmp_path / "list_attr_celeba.txt", content)


REAL: dict[str, Read] = {
    "mnist/t10k-labels-idx1-ubyte.gz": lambda path: read_idx(path, axes=1),
    "image_segmentation/segmentation.data": lambda path: uci._regions(path, 210),
    "artificial_characters/artificial_characters.npz": uci._segments,
}


@fuzzed
@given(data=st.data())
@pytest.mark.parametrize("file", REAL)
def test_real_files(
    tmp_path: Path, data_root: Callable[..., Path], data: st.DataObject, file: str
) -> None:
    real = (data_root(file) / file).read_bytes()
    refused_or_read(REAL[file], tmp_path / Path(file).name, data.draw(mutated([real])))
