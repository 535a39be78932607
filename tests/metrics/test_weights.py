from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from deep_em_bench.core import DataError
from deep_em_bench.metrics.weights import content_sha256, kept, read_weights, weights_sha256

SHAPES: Mapping[str, tuple[int, ...]] = {"a.weight": (2, 3), "a.bias": (2,)}
KEY = "0123456789abcdef" * 4


def arrays(value: float = 1.0) -> dict[str, np.ndarray]:
    return {name: np.full(shape, value, np.float32) for name, shape in SHAPES.items()}


class Maker:
    """Counts how often it is asked."""

    def __init__(self, value: float = 1.0) -> None:
        self.value, self.times = value, 0

    def __call__(self) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        self.times += 1
        return arrays(self.value), {"accuracy": 0.875}


def blocked(folder: Path) -> Path:
    """A folder below a file, which nobody can make: not even root, as a read-only one can be."""
    folder.write_text("a file")
    return folder / "below"


def test_digests_tell_content_apart_and_nothing_else() -> None:
    one = arrays()
    assert weights_sha256(one) == weights_sha256(dict(reversed(one.items())))
    assert weights_sha256(one) != weights_sha256(arrays(2))
    assert weights_sha256(one) != weights_sha256({"b" + name: v for name, v in one.items()})
    flat = np.arange(6, dtype=np.float32)
    digests = {
        content_sha256(flat),
        content_sha256(flat.reshape(2, 3)),
        content_sha256(flat.reshape(3, 2)),
        content_sha256(flat.view(np.int32)),
        content_sha256(flat, "x"),
        content_sha256("x", flat),
    }
    assert len(digests) == 6
    assert content_sha256(np.asfortranarray(flat.reshape(2, 3))) in digests


def test_made_once_and_then_read(tmp_path: Path) -> None:
    make = Maker()
    first = kept("net", KEY, [tmp_path / "new" / "nets"], SHAPES, make)
    again = kept("net", KEY, [tmp_path / "new" / "nets"], SHAPES, make)
    assert make.times == 1
    for found, facts in (first, again):
        assert facts == {"accuracy": 0.875}
        assert weights_sha256(found) == weights_sha256(arrays())
    (path,) = (tmp_path / "new" / "nets").iterdir()  # no part of a file is left beside it
    assert path.name == f"net-{KEY[:16]}.safetensors"
    kept("net", "f" * 64, [tmp_path / "new" / "nets"], SHAPES, make)
    assert make.times == 2


def test_a_root_that_cannot_be_written_to_leaves_it_to_the_next_folder(tmp_path: Path) -> None:
    folders = [blocked(tmp_path / "root"), tmp_path / "cache"]
    make = Maker()
    for _ in range(2):
        kept("net", KEY, folders, SHAPES, make)
    assert make.times == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_without_any_folder_it_is_made_each_time_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make = Maker()
    with caplog.at_level(logging.WARNING):
        found, _ = kept("net", KEY, [blocked(tmp_path / "root")], SHAPES, make)
    assert weights_sha256(found) == weights_sha256(arrays())
    assert "no folder for net can be written to" in caplog.text


def test_of_two_that_make_it_at_once_the_first_to_finish_wins(tmp_path: Path) -> None:
    slow = Maker(2.0)

    def overtaken() -> tuple[dict[str, np.ndarray], dict[str, float]]:
        kept("net", KEY, [tmp_path], SHAPES, Maker(1.0))
        return slow()

    found, _ = kept("net", KEY, [tmp_path], SHAPES, overtaken)
    assert slow.times == 1
    assert weights_sha256(found) == weights_sha256(arrays(1.0))


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "key", "shape", "type", "nan"])
def test_a_kept_file_with_other_content_is_refused(tmp_path: Path, damage: str) -> None:
    def broken() -> tuple[dict[str, np.ndarray], dict[str, float]]:
        found = arrays()
        if damage == "shape":
            found["a.bias"] = np.zeros(3, np.float32)
        elif damage == "type":
            found["a.bias"] = np.zeros(2)
        elif damage == "nan":
            found["a.bias"] = np.full(2, np.nan, np.float32)
        return found, {"accuracy": 0.5}

    other = KEY[:16] + "0" * 48 if damage == "key" else KEY
    try:
        kept("net", other, [tmp_path], SHAPES, broken)
    except DataError:
        assert damage in ("shape", "type", "nan")
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-3])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "noise":
        path.write_bytes(b"\x80\x04" + content)
    with pytest.raises(DataError, match="is not the net of its name") as caught:
        kept("net", KEY, [tmp_path], SHAPES, Maker())
    assert str(path) in str(caught.value)
    assert "delete it" in str(caught.value)


def test_an_npz_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(), other=np.array(["not", "looked", "at"]))
    found = read_weights(tmp_path / "a.npz", SHAPES)
    assert set(found) == set(SHAPES)
    assert weights_sha256(found) == weights_sha256(arrays())


@pytest.mark.parametrize(
    ("bias", "says"),
    [
        (np.zeros(3, np.float32), r"a.bias is float32 \(3,\), expected float32 \(2,\)"),
        (np.array([1, np.inf], np.float32), "a.bias has NaN or infinity; get the file anew"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, bias: np.ndarray, says: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **{**arrays(), "a.bias": bias})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=says) as caught:
        read_weights(path, SHAPES)
    assert str(path) in str(caught.value)
