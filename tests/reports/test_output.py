import json
import logging

import pytest

from deep_em_bench.core import UserError
from deep_em_bench.reports.output import LIST, replace_files, write


@pytest.fixture
def output(tmp_path):
    return Output(tmp_path / "suite")


class Output:
    def __init__(self, folder):
        self.folder = folder

    def replace(self, kind, files):
        replace_files(self.folder, kind, files)


def names(output):
    return sorted(path.name for path in output.folder.iterdir())


def test_only_files_of_that_kind_that_are_written_no_more_are_removed(output, capsys):
    output.replace("figures", {"a.png": b"a", "b.png": b"b"})
    output.replace("csv", {"table.csv": "1"})
    (output.folder / "c.png").write_bytes(b"the user's")
    capsys.readouterr()
    output.replace("figures", {"b.png": b"new"})
    assert names(output) == [LIST, "b.png", "c.png", "table.csv"]
    assert (output.folder / "b.png").read_bytes() == b"new"
    assert "removed 1 older files" in capsys.readouterr().err
    output.replace("figures", {})
    assert names(output) == [LIST, "c.png", "table.csv"]
    assert list(json.loads((output.folder / LIST).read_text())) == ["csv"]


def test_what_the_user_changed_stays(output, caplog):
    output.replace("latex", {"table.tex": "ours", "more.tex": "ours"})
    (output.folder / "more.tex").write_text("theirs")
    with caplog.at_level(logging.WARNING):
        output.replace("latex", {"table.tex": "again"})
    assert (output.folder / "more.tex").read_text() == "theirs"
    assert "more.tex was changed since it was written" in caplog.text


def test_what_cannot_be_written_leaves_the_file_as_it_was(output, monkeypatch):
    output.replace("csv", {"table.csv": "whole"})

    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(UserError, match="No space left"):
            write(output.folder, {"table.csv": "another"})
    assert (output.folder / "table.csv").read_text() == "whole"
    assert names(output) == [LIST, "table.csv"]


def test_links_and_folders_stay(output, tmp_path):
    output.replace("csv", {"a.csv": "1", "b.csv": "2"})
    elsewhere = tmp_path / "kept.csv"
    elsewhere.write_text("1")
    for name in ("a.csv", "b.csv"):
        (output.folder / name).unlink()
    (output.folder / "a.csv").symlink_to(elsewhere)
    (output.folder / "b.csv").mkdir()
    output.replace("csv", {})
    assert names(output) == [LIST, "a.csv", "b.csv"]
    assert elsewhere.read_text() == "1"


@pytest.mark.parametrize("name", ["../kept.csv", "/etc/hostname", "..", "", "sub/kept.csv"])
def test_nothing_outside_the_folder_is_touched(output, tmp_path, name):
    kept = tmp_path / "kept.csv"
    kept.write_text("")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    output.folder.mkdir()
    (output.folder / "sub").mkdir()
    (output.folder / "sub" / "kept.csv").write_text("")
    (output.folder / LIST).write_text(json.dumps({"csv": {name: empty}}))
    output.replace("csv", {"new.csv": ""})
    assert kept.exists()
    assert (output.folder / "sub" / "kept.csv").exists()


@pytest.mark.parametrize("text", ["{", "[]", "[" * 10_000, '{"csv": ["table.csv"]}', "\udcff"])
def test_a_damaged_list_removes_nothing(output, text, caplog):
    output.replace("csv", {"table.csv": "1"})
    (output.folder / LIST).write_bytes(text.encode(errors="surrogateescape"))
    with caplog.at_level(logging.WARNING):
        output.replace("csv", {"other.csv": "1"})
    assert names(output) == [LIST, "other.csv", "table.csv"]
    assert "cannot be read: files of earlier reports stay" in caplog.text
    output.replace("csv", {})
    assert names(output) == [LIST, "table.csv"], "the list is good again"


def test_what_a_killed_run_wrote_is_known_to_the_next(output, monkeypatch):
    from deep_em_bench.reports import output as module

    output.replace("csv", {"a.csv": "1"})
    written = module.write

    def killed(folder, files, summary):
        written(folder, files, summary)
        if "b.csv" in files:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            output.replace("csv", {"b.csv": "2"})
    output.replace("csv", {"c.csv": "3"})
    assert names(output) == [LIST, "c.csv"]


def test_nothing_to_write_makes_no_folder(output):
    output.replace("figures", {})
    assert not output.folder.exists()


def test_a_folder_that_cannot_be_written_to_is_named(output):
    output.folder.write_text("")
    with pytest.raises(UserError, match="cannot write to"):
        output.replace("csv", {"a.csv": ""})
