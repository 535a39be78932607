from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.core import DataError
from deep_em_bench.core.npz import Expected, read_npz, write_npz

EXPECTED: Expected = {"X": (np.uint8, (3, 4)), "y": (np.float64, (2,))}
ARRAYS = {"X": np.arange(12, dtype=np.uint8).reshape(3, 4), "y": np.array([0.5, np.nan])}


def refused(path: Path, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read_npz(path, EXPECTED, remedy="do something")
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith("; do something")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.npz"
    write_npz(path, {**ARRAYS, "names": np.array(["one", "three"])})
    found = read_npz(path, EXPECTED, remedy="")
    assert set(found) == set(EXPECTED)
    for name, array in found.items():
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert array.dtype == ARRAYS[name].dtype
    assert [entry.name for entry in path.parent.iterdir()] == ["a.npz"]


def test_equal_arrays_are_equal_bytes_and_replace_what_was_there(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, ARRAYS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    write_npz(tmp_path / "a.npz", {**ARRAYS, "y": np.zeros(2)})
    assert (read_npz(tmp_path / "a.npz", EXPECTED, remedy="")["y"] == 0).all()


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_npz(tmp_path / "file" / "a.npz", ARRAYS)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npz(tmp_path / "a.npz", {"X": np.array([{}], dtype=object)})
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"X": np.zeros((3, 5), np.uint8)}, r"X is uint8 \(3, 5\), expected uint8 \(3, 4\)"),
        ({"X": np.zeros((3, 4), np.int8)}, "X is int8"),
        ({"X": np.zeros((4, 3), np.uint8).T}, "expected uint8"),
        ({"X": np.zeros((300, 4), np.uint8)}, "X has 1,328 bytes, expected at most 1,036"),
        ({"X": np.array({"an": "object"}, dtype=object)}, "X is object"),
        ({"X": None}, "KeyError"),
    ],
)
def test_other_arrays_are_refused(
    tmp_path: Path, changed: dict[str, np.ndarray | None], says: str
) -> None:
    path = tmp_path / "a.npz"
    content = {name: v for name, v in {**ARRAYS, **changed}.items() if v is not None}
    np.savez(path, **content)  # type: ignore[arg-type]
    refused(path, says)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    refused(path, "FileNotFoundError")
    for content in (b"", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04."):
        path.write_bytes(content)
        refused(path, "BadZipFile")


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 10_000), value=st.integers(1, 255), cut=st.booleans())
def test_a_mutated_file_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, cut: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.npz"
    write_npz(path, ARRAYS)
    content = bytearray(path.read_bytes())
    at %= len(content)
    content[at : at + 1] = b"" if cut else bytes([content[at] ^ value])
    path.write_bytes(content)
    try:
        found = read_npz(path, EXPECTED, remedy="do something")
    except DataError as error:
        refusal = str(error)
    else:
        np.testing.assert_array_equal(found["X"], ARRAYS["X"])
        np.testing.assert_array_equal(found["y"], ARRAYS["y"])
        return
    assert str(path) in refusal
    assert "\n" not in refusal
