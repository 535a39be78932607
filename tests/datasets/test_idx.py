from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deep_em_bench.core import DataError
from deep_em_bench.datasets import idx
from deep_em_bench.datasets.idx import read_idx, read_labelled_images

Write = Callable[[str, np.ndarray | bytes], Path]

IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
LABELS = np.array([0, 1, 2, 1, 0], dtype=np.uint8)


def idx_of(*shape: int, code: int = 8, values: bytes = b"") -> bytes:
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values


def test_reads_what_was_written(write_idx: Write) -> None:
    read = read_idx(write_idx("images.gz", IMAGES), axes=3)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, IMAGES)
    np.testing.assert_array_equal(read_idx(write_idx("labels.gz", LABELS), axes=1), LABELS)
    black = write_idx("black.gz", np.zeros((5000, 28, 28), np.uint8))
    assert read_idx(black, axes=3).size > 1000 * black.stat().st_size  # near deflate's best


def test_a_header_is_held_against_the_size_of_its_file(write_idx: Write) -> None:
    path = write_idx("images.gz", idx_of(100_000, 28, 28))
    most = 1032 * path.stat().st_size
    with pytest.raises(DataError, match=f"78,400,000 values; expected at most {most:,} in a file"):
        read_idx(path, axes=3)


@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        (idx_of(5, 4, 3, values=bytes(59)), "75 bytes when unpacked", "76"),
        (idx_of(5, 4, 3), "16 bytes when unpacked", "76"),
        (idx_of(5, 4, 3, values=bytes(61)), "more than 76 bytes", "76"),
        (idx_of(5, 4, 3, values=bytes(5000)), "more than 76 bytes", "5x4x3"),
        (b"\x00\x00\x08\x03\x00\x00", "6 bytes when unpacked", "header of 16 bytes"),
        (b"", "0 bytes when unpacked", "header of 16 bytes"),
        (b"\x01" + idx_of(5, 4, 3)[1:] + bytes(60), "0x01000803", "0x00000803"),
        (idx_of(5, 4, 3, code=0x0D, values=bytes(240)), "0x0d (float32)", "0x08 (uint8)"),
        (idx_of(5, 4, 3, code=0x77, values=bytes(60)), "0x77 (unknown)", "0x08 (uint8)"),
        (idx_of(60, values=bytes(60)), "1 axes", "3: images"),
        (idx_of(5, 4, 3, 1, values=bytes(60)), "4 axes", "3: images"),
        (idx_of(5, 0, 3), "5x0x3 values", "at least one"),
        (idx_of(2**31, 28, 28), "2147483648x28x28", "at most"),
        (idx_of(2**32 - 1, 2**32 - 1, 2**32 - 1), "a header that promises", "at most"),
    ],
)
def test_refuses_wrong_content(
    write_idx: Write, content: bytes, found: str, expected: str
) -> None:
    path = write_idx("images.gz", content)
    with pytest.raises(DataError) as caught:
        read_idx(path, axes=3)
    message = str(caught.value)
    before, after = message.split("; expected ")
    assert str(path) in before
    assert found in before
    assert expected in after
    assert "\n" not in message


def test_refuses_what_is_no_gzip_file(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(idx_of(5, 4, 3, values=bytes(60)))
    with pytest.raises(DataError, match="found first bytes 0x0000; expected 0x1f8b"):
        read_idx(path, axes=3)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="found an empty file"):
        read_idx(path, axes=3)


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path, axes=3)
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "absent.gz", axes=3)


def test_refuses_every_truncation_of_the_gzip_stream(write_idx: Write) -> None:
    path = write_idx("images.gz", IMAGES)
    whole = path.read_bytes()
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises(DataError, match="found"):
            read_idx(path, axes=3)


def test_refuses_bytes_after_the_stream(write_idx: Write) -> None:
    path = write_idx("images.gz", IMAGES)
    whole = path.read_bytes()
    for rest in (b"\x00", b"junk", gzip.compress(b"a second member")):
        path.write_bytes(whole + rest)
        with pytest.raises(DataError, match=f"{len(rest)} bytes after the gzip stream"):
            read_idx(path, axes=3)


def test_refuses_a_wrong_checksum(write_idx: Write) -> None:
    path = write_idx("images.gz", IMAGES)
    whole = bytearray(path.read_bytes())
    whole[-6] ^= 1  # the CRC stands in the eight last bytes, before the length
    path.write_bytes(whole)
    with pytest.raises(DataError, match="damaged gzip stream"):
        read_idx(path, axes=3)


def test_refuses_files_past_the_limit(write_idx: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_idx("images.gz", IMAGES)
    n = path.stat().st_size
    monkeypatch.setattr(idx, "MOST_BYTES", n)
    assert read_idx(path, axes=3).shape == IMAGES.shape
    monkeypatch.setattr(idx, "MOST_BYTES", n - 1)
    with pytest.raises(DataError, match=f"found {n} bytes; expected at most {n - 1}"):
        read_idx(path, axes=3)
    monkeypatch.undo()
    dense = write_idx("dense.gz", np.zeros((100, 28, 28)))
    monkeypatch.setattr(idx, "MOST_BYTES", 78_399)
    with pytest.raises(DataError, match="100x28x28 = 78,400 values; expected at most 78,399"):
        read_idx(dense, axes=3)


@pytest.mark.parametrize(("shape", "n_megabytes"), [((1, 2, 2), 48), ((100_000, 28, 28), 0)])
def test_neither_a_bomb_nor_a_lying_header_costs_memory(
    tmp_path: Path, shape: tuple[int, ...], n_megabytes: int
) -> None:
    packer = zlib.compressobj(level=1, wbits=31)
    parts = [packer.compress(idx_of(*shape))]
    parts += [packer.compress(bytes(2**20)) for _ in range(n_megabytes)]
    path = tmp_path / "bomb.gz"
    path.write_bytes(b"".join([*parts, packer.flush()]))
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read_idx(path, axes=3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * path.stat().st_size + 2**18


def test_labels_must_fit_the_images(write_idx: Write) -> None:
    images, labels = write_idx("images.gz", IMAGES), write_idx("labels.gz", LABELS)
    X, y = read_labelled_images(images, labels, size=(4, 3), n_classes=3)
    np.testing.assert_array_equal(X, IMAGES)
    np.testing.assert_array_equal(y, LABELS)
    with pytest.raises(DataError, match=r"label 2 at index 2; expected labels in 0\.\.1"):
        read_labelled_images(images, labels, size=(4, 3), n_classes=2)
    with pytest.raises(DataError, match="images of 4x3 pixels; expected 28x28"):
        read_labelled_images(images, labels, size=(28, 28), n_classes=3)
    write_idx("labels.gz", LABELS[:4])
    with pytest.raises(DataError, match=r"found 4 labels; expected 5, as many as images\.gz"):
        read_labelled_images(images, labels, size=(4, 3), n_classes=3)
    with pytest.raises(DataError, match="3 axes; expected 1"):
        read_labelled_images(labels, images, size=(4, 3), n_classes=3)
