from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pooch
import pytest

from deep_em_bench.core import DataError
from deep_em_bench.datasets.download import OfficialFile, file_sha256, obtain, verify

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()

DEAD_MIRROR = "http://127.0.0.1:9/"
"""The discard port: nobody listens there."""

ROOT_OF_PROJECT = Path(__file__).parents[2]


def official(*mirrors: str) -> OfficialFile:
    return OfficialFile(
        path="family/file.gz",
        sha256=SHA256,
        mirrors=tuple(f"{mirror}file.gz" for mirror in mirrors),
    )


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_missing_file_is_downloaded_once(mirror: SimpleNamespace, tmp_path: Path) -> None:
    mirror.files["file.gz"] = CONTENT
    file = official(mirror.url)
    root = tmp_path / "a root" / "that is not there yet"
    path = obtain(file, root)
    assert path == root / "family" / "file.gz"
    assert path.read_bytes() == CONTENT
    assert verify(file, path) == SHA256 == file_sha256(path)
    assert obtain(file, root) == path
    assert mirror.asked == ["/file.gz"]
    assert files_below(tmp_path) == ["a root/that is not there yet/family/file.gz"]


def test_the_next_mirror_serves_where_one_fails(mirror: SimpleNamespace, tmp_path: Path) -> None:
    mirror.files |= {"good/file.gz": CONTENT, "bad/file.gz": CONTENT[::-1]}
    file = official(DEAD_MIRROR, f"{mirror.url}none/", f"{mirror.url}bad/", f"{mirror.url}good/")
    assert obtain(file, tmp_path).read_bytes() == CONTENT
    assert mirror.asked == ["/none/file.gz", "/bad/file.gz", "/good/file.gz"]
    assert files_below(tmp_path) == ["family/file.gz"]


@pytest.mark.parametrize(
    ("status", "header", "value"),
    [
        (302, "Location", "http://[::bad"),
        (302, "Location", f"http://{'a' * 70}.example/"),
        (302, "Location", "gopher://elsewhere/"),
        (200, "Content-Length", "many"),
        (200, "Transfer-Encoding", "chunked"),
    ],
)
def test_the_next_mirror_serves_where_one_answers_nonsense(
    mirror: SimpleNamespace, tmp_path: Path, status: int, header: str, value: str
) -> None:
    mirror.files["good/file.gz"] = CONTENT
    mirror.answers["/bad/file.gz"] = (status, header, value)
    file = official(f"{mirror.url}bad/", f"{mirror.url}good/")
    assert obtain(file, tmp_path).read_bytes() == CONTENT


def test_without_a_network_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        obtain(official(DEAD_MIRROR, "file:///nowhere/"), tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert f"{tmp_path / 'family' / 'file.gz'} is missing" in message
    assert "127.0.0.1: ConnectionError" in message
    assert message.endswith(f"get {DEAD_MIRROR}file.gz and put it into {tmp_path / 'family'}")
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("wrong", [b"", b"<html>Log in to the network</html>", CONTENT + b"\x00"])
def test_what_has_another_hash_is_thrown_away(
    mirror: SimpleNamespace, tmp_path: Path, wrong: bytes
) -> None:
    mirror.files["file.gz"] = wrong
    found = hashlib.sha256(wrong).hexdigest()
    with pytest.raises(DataError, match=f"its sha256 is {found}, expected {SHA256}"):
        obtain(official(mirror.url), tmp_path)
    assert files_below(tmp_path) == []


def test_a_broken_transfer_leaves_nothing(mirror: SimpleNamespace, tmp_path: Path) -> None:
    mirror.files["file.gz"] = CONTENT
    mirror.cut_after = 100_000
    with pytest.raises(DataError, match="could not be downloaded"):
        obtain(official(mirror.url), tmp_path)
    assert files_below(tmp_path) == []
    mirror.cut_after = None
    assert obtain(official(mirror.url), tmp_path).read_bytes() == CONTENT


def test_an_interrupted_download_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(url: str, target: str, _: object) -> None:
        Path(target).write_bytes(CONTENT[:1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_: interrupted)
    with pytest.raises(KeyboardInterrupt):
        obtain(official(DEAD_MIRROR), tmp_path)
    assert files_below(tmp_path) == []


def test_two_processes_at_once_both_end_well(mirror: SimpleNamespace, tmp_path: Path) -> None:
    mirror.files["file.gz"] = CONTENT
    mirror.meeting = threading.Barrier(2)  # neither is answered before both have asked
    program = (
        "from pathlib import Path\n"
        "from deep_em_bench.datasets.download import OfficialFile, obtain\n"
        f"file = OfficialFile(path='family/file.gz', sha256={SHA256!r}, "
        f"mirrors=({mirror.url + 'file.gz'!r},))\n"
        f"print(len(obtain(file, Path({str(tmp_path)!r})).read_bytes()))\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT_OF_PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said == [(f"{len(CONTENT)}\n", "")] * 2  # nor a progress bar where nobody watches
    assert mirror.asked == ["/file.gz"] * 2
    assert files_below(tmp_path) == ["family/file.gz"]


def test_a_terminal_is_shown_a_bar(
    mirror: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    mirror.files["file.gz"] = CONTENT
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    obtain(official(mirror.url), tmp_path)
    assert "100%" in terminal.getvalue()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"folder cannot be written to .* another data folder"):
        obtain(official(DEAD_MIRROR), root)


def test_a_file_that_nobody_offers_says_how_it_is_made(tmp_path: Path) -> None:
    file = OfficialFile(path="family/file.npz", sha256=SHA256, by_hand="make it with numpy.savez")
    path = tmp_path / "family" / "file.npz"
    with pytest.raises(DataError) as caught:
        obtain(file, tmp_path)
    assert str(caught.value) == (
        f"{path} is missing and cannot be downloaded; make it with numpy.savez"
    )
    assert not path.parent.exists()


def test_a_found_file_must_be_the_official_one(tmp_path: Path) -> None:
    file = official(DEAD_MIRROR)
    path = tmp_path / file.path
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    assert obtain(file, tmp_path) == path
    assert verify(file, path) == SHA256
    path.write_bytes(CONTENT[:-1] + b"\x00")
    with pytest.raises(
        DataError, match=f"not the official file.*expected {SHA256}; get {DEAD_MIRROR}"
    ):
        verify(file, path)
    assert path.exists()


def test_a_digest_may_look_past_what_does_not_matter(
    mirror: SimpleNamespace, tmp_path: Path
) -> None:
    def without_blanks(path: Path) -> str:
        if b"<html>" in path.read_bytes():
            raise DataError("not a table")
        return hashlib.sha256(path.read_bytes().replace(b" ", b"")).hexdigest()

    mirror.files |= {"page": b"<html>", "table": b"1, 2"}
    file = OfficialFile(
        path="table",
        sha256=hashlib.sha256(b"1,2").hexdigest(),
        mirrors=(f"{mirror.url}page", f"{mirror.url}table"),
        digest=without_blanks,
    )
    path = obtain(file, tmp_path)
    assert path.read_bytes() == b"1, 2"
    assert verify(file, path) == hashlib.sha256(b"1, 2").hexdigest()
    path.unlink()
    del mirror.files["table"]
    with pytest.raises(DataError, match=r"of another kind; 127\.0\.0\.1: HTTP status 404"):
        obtain(file, tmp_path)
