from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deep_em_bench.core import ConfigError, DataError
from deep_em_bench.core.npz import read_npz
from deep_em_bench.datasets import prepare as module
from deep_em_bench.datasets.download import OfficialFile, file_sha256
from deep_em_bench.datasets.prepare import PREPARATIONS, Preparation, main, prepare

TARGET = "numbers/compact.npz"


def arrays(one: Path, two: Path) -> dict[str, np.ndarray]:
    texts = [path.read_text() for path in (one, two)]
    if "?" in texts[0]:
        raise DataError(f"{one} asks; expected numbers")
    return {"X": np.array([int(text) for text in texts])}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: SimpleNamespace) -> Path:
    """Two official files on a mirror, and none in the root."""
    mirror.files |= {"one.txt": b"11", "two.txt": b"22"}
    files = []
    for name, content in mirror.files.items():
        (tmp_path / name).write_bytes(content)
        files.append(
            OfficialFile(
                path=f"numbers/{name}",
                sha256=file_sha256(tmp_path / name),
                mirrors=(mirror.url + name,),
            )
        )
    made = Preparation(files=tuple(files), target=TARGET, arrays=arrays)
    monkeypatch.setitem(PREPARATIONS, "numbers", made)
    return tmp_path / "root"


def numbers(root: Path) -> list[int]:
    expected = {"X": (np.int64, (2,))}
    return read_npz(root / TARGET, expected, remedy="")["X"].tolist()


def test_downloaded_compared_and_made_once(root: Path, mirror: SimpleNamespace) -> None:
    path = prepare("numbers", data_dir=root)
    assert path == root / TARGET
    assert numbers(root) == [11, 22]
    assert mirror.asked == ["/one.txt", "/two.txt"]
    names = ["compact.npz", "one.txt", "two.txt"]
    assert sorted(entry.name for entry in path.parent.iterdir()) == names
    before = path.stat().st_mtime_ns
    prepare("numbers", data_dir=root)
    assert path.stat().st_mtime_ns == before
    prepare("numbers", data_dir=root, force=True)
    assert path.stat().st_mtime_ns > before
    assert len(mirror.asked) == 2


def test_other_content_is_refused_before_it_is_looked_into(root: Path) -> None:
    (root / "numbers").mkdir(parents=True)
    (root / "numbers" / "one.txt").write_text("?")
    with pytest.raises(DataError, match=r"one\.txt is not the official file: its sha256 is"):
        prepare("numbers", data_dir=root)
    assert not (root / TARGET).exists()


def test_a_failure_leaves_the_compact_file_as_it_was(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare("numbers", data_dir=root)
    made = PREPARATIONS["numbers"]

    def fail(*_: Path) -> dict[str, np.ndarray]:
        raise DataError("no use")

    monkeypatch.setitem(PREPARATIONS, "numbers", dataclasses.replace(made, arrays=fail))
    with pytest.raises(DataError, match="no use"):
        prepare("numbers", data_dir=root, force=True)
    assert numbers(root) == [11, 22]


def test_the_command_prints_the_path(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["numbers", "--data-dir", str(root)]) == 0
    assert capsys.readouterr().out == f"{root / TARGET}\n"


def test_its_failures_are_one_line_or_a_usage(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "numbers").mkdir(parents=True)
    (root / "numbers" / "one.txt").write_text("12")
    assert main(["numbers", "--data-dir", str(root)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    with pytest.raises(SystemExit) as caught:
        main(["nombers"])
    assert caught.value.code == 2
    with pytest.raises(ConfigError, match="did you mean 'numbers'"):
        prepare("nombers", data_dir=root)

    def interrupt(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "prepare", interrupt)
    assert main(["numbers"]) == 130
