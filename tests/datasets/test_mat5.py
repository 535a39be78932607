from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import loadmat, savemat, whosmat

from core import DataError
from datasets.mat5 import read_bytes, variables

HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"

tolerant = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def element(kind: int, content: bytes, *, said: int | None = None) -> bytes:
    """A tag and its content, filled up to eight bytes; ``said`` is another length than its own."""
    tag = struct.pack("<II", kind, len(content) if said is None else said)
    return tag + content + bytes(-len(content) % 8)


def matrix(
    shape: tuple[int, ...] = (2, 3),
    values: bytes = bytes(range(6)),
    *,
    flags: int = 9,
    name: bytes = b"X",
    said: int | None = None,
    said_name: int | None = None,
    said_whole: int | None = None,
) -> bytes:
    """A variable of uint8; each ``said`` is a length that its content does not have."""
    parts = [
        element(6, struct.pack("<II", flags, 0)),
        element(5, struct.pack(f"<{len(shape)}i", *shape)),
        element(1, name, said=said_name),
        element(2, values, said=said),
    ]
    return element(14, b"".join(parts), said=said_whole)


def packed(content: bytes, *, said: int | None = None) -> bytes:
    content = zlib.compress(content)
    return struct.pack("<II", 15, len(content) if said is None else said) + content


def read(path: Path) -> dict[str, np.ndarray]:
    return {found.name: read_bytes(path, found) for found in variables(path)}


@tolerant
@given(
    values=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=5)),
    more=hnp.arrays(np.uint8, st.tuples(st.just(1), st.integers(0, 5))),
    compressed=st.booleans(),
)
def test_values_are_those_that_scipy_reads(
    tmp_path: Path, values: np.ndarray, more: np.ndarray, compressed: bool
) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"a_long_name": values, "y": more}, do_compression=compressed)
    found, expected = read(path), loadmat(path)
    assert list(found) == ["a_long_name", "y"]
    for name, array in found.items():
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected[name], strict=True)


@pytest.mark.parametrize("compressed", [True, False])
def test_names_kinds_and_shapes_are_those_that_scipy_lists(
    tmp_path: Path, compressed: bool
) -> None:
    path = tmp_path / "a.mat"
    kinds = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
    held = {f"of_{kind}": np.ones((2, i + 1), kind) for i, kind in enumerate(kinds)}
    held |= {"of_double": np.ones((1, 2)), "of_single": np.ones((3, 1), np.float32)}
    held |= {"of_logical": np.ones((2, 2), bool)}
    savemat(path, held, do_compression=compressed)
    assert [(found.name, found.shape, found.kind) for found in variables(path)] == whosmat(path)
    others = {"z": np.ones((1, 2), np.complex64), "text": "abc", "a_struct": {"a": 1}}
    savemat(path, others, do_compression=compressed)
    assert [found.kind for found in variables(path)] == ["complex single", "char", "other"]
    with pytest.raises(ValueError, match="z is complex single; only uint8 is read"):
        read(path)


def test_files_that_matlab_wrote(data_root: Callable[..., Path]) -> None:
    files = ("flowers102/imagelabels.mat", "flowers102/setid.mat")
    root = data_root(*files)
    for file in files:
        found = [(one.name, one.shape, one.kind) for one in variables(root / file)]
        assert found == whosmat(root / file)


@pytest.mark.parametrize("wrap", [bytes, packed], ids=["plain", "packed"])
def test_a_file_made_by_hand(tmp_path: Path, wrap: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.mat"
    small = struct.pack("<HH", 2, 3) + b"\x07\x08\x09\x00"  # values in the tag itself
    y = matrix((3, 1), b"", name=b"y")[8:-8] + small
    path.write_bytes(HEADER + wrap(matrix()) + wrap(element(14, y)))
    found = read(path)
    assert found["X"].tolist() == [[0, 2, 4], [1, 3, 5]]  # by columns
    assert found["y"].tolist() == [[7], [8], [9]]


HUGE = 2**32 - 1
LONG = matrix((2, 3, 1, 1, 1), bytes(6))
LIES = {
    "an element that is longer than the file": element(14, matrix()[8:], said=HUGE),
    "a packed one": packed(matrix(), said=HUGE),
    "what is packed": packed(matrix(said_whole=HUGE)),
    "the values": matrix(said=HUGE),
    "the values, packed": packed(matrix(said=HUGE)),
    "the name": matrix(said_name=HUGE),
    "the name, packed": packed(matrix(said_name=HUGE)),
    "the name, which is a bomb": packed(matrix(name=bytes(10**7))),
    "the shape": matrix((2**31 - 1, 2**31 - 1)),
    "the shape, packed": packed(matrix((2**31 - 1, 2**31 - 1))),
    "shape and values": matrix((2**31 - 1, 2), said=2**32 - 2),
    "shape and values, packed": packed(matrix((2**31 - 1, 2), said=2**32 - 2)),
    "shape, values and what is packed": packed(
        matrix((10**4, 10), said=10**5, said_whole=10**5 + 56)
    ),
    "a shape with negative numbers": matrix((-2, -3)),
    "a shape of one axis": matrix((6,)),
    "more axes than can be": matrix((1,) * 300, b"\x01"),
    "fewer values": matrix((2, 4)),
    "more values": packed(matrix((2, 3), bytes(range(7)))),
    "values of another type": matrix().replace(struct.pack("<II", 2, 6), struct.pack("<II", 1, 6)),
    "a small tag of more than four bytes": matrix((5, 1), b"")[:-8] + struct.pack("<HH", 2, 5),
    "values behind the packed ones": packed(matrix() + bytes(100)),
    "packed bytes without their end": struct.pack("<II", 15, 40) + zlib.compress(LONG)[:40],
    "a wrong checksum": packed(matrix())[:-1] + b"\x00",
    "no zlib": struct.pack("<II", 15, 16) + b"not packed at all",
    "an element of another kind": element(9, bytes(16)),
    "a packed one of another kind": packed(element(15, bytes(16))),
    "half a tag": matrix() + b"\x0e\x00\x00",
    "far too many": matrix() * 101,
    "nothing within": element(14, b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_lies_is_refused_before_memory_is_asked_for(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(HEADER + LIES[lie])
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"\A[^\n]*found .*; expected .*fetch the file anew\Z"):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_variable_that_is_not_asked_for_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    bomb = packed(matrix((10**4, 10**3), bytes(10**7), name=b"bomb"))
    assert len(bomb) < 2**17
    path.write_bytes(HEADER + packed(matrix()) + bomb)
    tracemalloc.start()
    try:
        found = variables(path)
        assert [one.name for one in found] == ["X", "bomb"]
        assert read_bytes(path, found[0]).shape == (2, 3)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no MATLAB 5 file"),
        (b"no MATLAB file " * 20, "no MATLAB 5 file"),
        (HEADER[:-4] + b"\x01\x00MI" + matrix(), "no MATLAB 5 file, little-endian"),
        (HEADER[:-4] + b"\x00\x02IM" + matrix(), "no MATLAB 5 file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), r"an HDF5 file \(MATLAB 7\.3\)"),
        (HEADER.ljust(512) + b"\x89HDF\r\n\x1a\n", r"an HDF5 file \(MATLAB 7\.3\)"),
        (struct.pack("<5i", 0, 2, 2, 0, 2) + bytes(200), "a MATLAB 4 file"),
    ],
)
def test_other_formats_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"found {said}.*; expected a MATLAB 5 file"):
        variables(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        variables(tmp_path / "absent.mat")
    path = tmp_path / "a.mat"
    path.write_bytes(HEADER + matrix())
    (found,) = variables(path)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        read_bytes(path, found)


@pytest.mark.parametrize("compressed", [True, False])
def test_every_byte_may_be_another(tmp_path: Path, compressed: bool) -> None:
    """What is read is of the shape that is said, or refused; a checksum guards packed values."""
    stream = io.BytesIO()
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    savemat(stream, {"X": values}, do_compression=compressed)
    whole, path = stream.getvalue(), tmp_path / "a.mat"
    for at in range(124, len(whole)):
        for change in (0x01, 0x80, 0xFF):
            content = bytearray(whole)
            content[at] ^= change
            path.write_bytes(bytes(content))
            with contextlib.suppress(DataError):
                for found in variables(path):
                    if found.kind == "uint8":
                        array = read_bytes(path, found)
                        assert array.shape == found.shape
                        assert not compressed or np.array_equal(array, values)
