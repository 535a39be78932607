"""Temporary files and folders: what is moved into place stays, what is left behind goes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deep_em_bench.core.files import SUFFIX, claim_folder, sweep_folders, temporary_beside


def test_what_is_moved_into_place_is_all_that_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    with temporary_beside(path) as first, temporary_beside(path) as second:
        assert first != second
        for part in (first, second):
            assert part.parent == path.parent
            assert part.suffix == SUFFIX
            part.write_text(part.name)
        os.replace(first, path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text() == first.name


def test_a_broken_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def broken() -> None:
        with temporary_beside(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "before"


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError), temporary_beside(tmp_path / "file" / "a.txt"):
        pass


def test_a_folder_is_swept_when_it_is_old_and_its_process_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "import sys; from pathlib import Path; from deep_em_bench.core import files\n"
    code += "for name in sys.argv[1:]: files.claim_folder(Path(name))"
    old, young, mine, other = (tmp_path / name for name in ("old", "young", "mine", "other"))
    for folder in (old, young, mine, other):
        folder.mkdir()
    subprocess.run([sys.executable, "-c", code, old, young], check=True)
    claim_folder(mine)
    for folder in (old, mine, other):
        os.utime(folder, (0, 0))
    sweep_folders()
    assert sorted(tmp_path.iterdir()) == [mine, other, young]
    monkeypatch.setattr(os, "getuid", lambda: -1)
    os.utime(young, (0, 0))
    sweep_folders()
    assert young.is_dir()  # it is another user's
