import dataclasses
import errno
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from deep_em_bench import results
from deep_em_bench.core import DataError, UserError
from deep_em_bench.results import Failure, Scores, Store

ARRAYS = {
    "labels_train": np.arange(5),
    "responsibilities_train": np.eye(5, dtype=np.float16),
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs" / "digits_raw")


def test_what_was_written_is_read(store, make_record):
    written = store.write(make_record(), ARRAYS)
    assert store.keys() == [written.key]
    assert store.read(written.key) == written == next(iter(store))
    read = store.arrays(written.key)
    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)


def test_artifacts_hold_the_hash_of_the_file(store, make_record):
    written = store.write(make_record(), ARRAYS)
    content = (store.folder / f"{written.key}.npz").read_bytes()
    assert written.artifacts == {f"{written.key}.npz": hashlib.sha256(content).hexdigest()}


def test_an_empty_store(store):
    assert store.keys() == []
    assert list(store) == []
    with pytest.raises(DataError, match=r"0000\.json cannot be read \(No such file"):
        store.read("0" * 64)


def test_a_cell_without_arrays_has_none(store, make_record):
    written = store.write(make_record())
    assert written.artifacts == {}
    assert store.arrays(written.key) == {}


def test_writing_again_replaces_record_and_arrays(store, make_record):
    store.write(make_record(), ARRAYS)
    again = store.write(make_record(label="new"), {"labels_train": np.ones(2)})
    assert store.read(again.key).label == "new"
    assert store.arrays(again.key).keys() == {"labels_train"}
    failed = make_record(status="failed", error=Failure(type="E", message="m"))
    store.write(failed)
    assert [path.name for path in store.folder.iterdir()] == [f"{failed.key}.json"]


def test_no_temporary_file_stays_and_none_is_a_record(store, make_record):
    written = store.write(make_record(), ARRAYS)
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".json", ".npz"]
    (store.folder / f"{written.key}.0123.tmp").write_text("{")
    (store.folder / "notes.json").write_text("{}")
    assert store.keys() == [written.key]


def test_what_killed_writers_left_is_swept_a_day_later(store, make_record):
    written = store.write(make_record(), ARRAYS)
    old, new = (store.folder / f"{written.key}.{name}.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_text("{")
    long_ago = time.time() - 2 * 24 * 60 * 60
    for path in (old, store.folder / f"{written.key}.json"):
        os.utime(path, (long_ago, long_ago))
    store.sweep()
    assert not old.exists()
    assert new.exists()
    assert store.read(written.key) == written
    Store(store.folder / "nowhere").sweep()


def test_a_record_too_large_to_be_read_is_not_written(store, make_record, monkeypatch):
    record = make_record()
    monkeypatch.setattr("deep_em_bench.results.store.MOST_TEXT", len(record.to_json()) - 1)
    with pytest.raises(DataError, match=r"expected at most .*; keep less in history_"):
        store.write(record)
    assert not store.folder.exists()


def test_another_writer_of_the_cell_may_remove_its_arrays_first(store, make_record, monkeypatch):
    record = store.write(make_record(), ARRAYS)
    fsync = os.fsync

    def meanwhile(descriptor):
        (store.folder / f"{record.key}.npz").unlink(missing_ok=True)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    written = store.write(make_record(label="new"))
    assert store.read(record.key) == written


def test_a_writable_folder_is_made_and_left_empty(store):
    store.check_writable()
    assert list(store.folder.iterdir()) == []


def locked(*_, **__):
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_folder_that_is_locked_is_named(store, make_record, monkeypatch):
    with pytest.raises(UserError, match=r"cannot list .*: File name too long"):
        Store(store.folder.parents[1] / ("x" * 300)).keys()
    store.write(make_record())
    monkeypatch.setattr(os, "listdir", locked)
    with pytest.raises(UserError, match=r"cannot list .*digits_raw: Permission denied; permit it"):
        store.keys()


def test_object_arrays_are_refused_before_anything_is_written(store, make_record):
    with pytest.raises(DataError, match="array 'bad' holds Python objects"):
        store.write(make_record(), {"bad": np.array([{}, None])})
    assert not store.folder.exists()


def test_damaged_records_are_named_and_skipped_and_stay(store, make_record, caplog):
    good, damaged, renamed = (store.write(make_record(i)) for i in range(3))
    path = store.folder / f"{damaged.key}.json"
    path.write_text(path.read_text()[:200])
    stranger = store.folder / f"{'0' * 64}.json"
    (store.folder / f"{renamed.key}.json").rename(stranger)
    with caplog.at_level(logging.WARNING):
        assert [record.key for record in store] == [good.key]
    assert str(path) in caplog.text
    assert f"{stranger} holds the record of {renamed.key}" in caplog.text
    assert path.exists()
    assert stranger.exists()
    with pytest.raises(DataError, match=str(path)):
        store.read(damaged.key)


def test_bytes_that_are_no_text_are_damage(store, make_record, caplog):
    written = store.write(make_record())
    (store.folder / f"{written.key}.json").write_bytes(b"\xff\xfe\x00")
    assert list(store) == []
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "npz cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "npz has sha256"),
    ],
)
def test_damaged_arrays_are_refused(store, make_record, damage, says):
    written = store.write(make_record(), ARRAYS)
    damage(store.folder / f"{written.key}.npz")
    with pytest.raises(DataError, match=says):
        store.arrays(written.key)


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x80\x04K\x01.", b"PK\x03\x04"])
def test_a_file_of_the_right_hash_that_holds_no_arrays(store, make_record, content):
    written = store.write(make_record(), ARRAYS)
    path = store.folder / f"{written.key}.npz"
    path.write_bytes(content)
    record = store.folder / f"{written.key}.json"
    data = json.loads(record.read_text())
    data["artifacts"][path.name] = hashlib.sha256(content).hexdigest()
    record.write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"not a \.npz of plain arrays"):
        store.arrays(written.key)


def test_two_stores_merge_by_copying(tmp_path, make_record):
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    ours, theirs = here.write(make_record(0), ARRAYS), there.write(make_record(1), ARRAYS)
    shutil.copytree(there.folder, here.folder, dirs_exist_ok=True)
    assert here.keys() == sorted([ours.key, theirs.key])
    assert here.arrays(theirs.key).keys() == ARRAYS.keys()


def write_and_crash(store, monkeypatch, step, record, arrays):
    """Interrupts the writing at its ``step``-th change of the disk; whether it came so far."""
    count = 0

    def counting(function):
        def wrapped(*arguments, **words):
            nonlocal count
            count += 1
            if count == step + 1:
                raise KeyboardInterrupt
            return function(*arguments, **words)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", counting(os.fsync))
        patch.setattr(os, "replace", counting(os.replace))
        patch.setattr(Path, "unlink", counting(Path.unlink))
        try:
            store.write(record, arrays)
        except KeyboardInterrupt:
            return True
    return False


def test_a_crash_at_any_step_leaves_whole_cells_only(store, make_record, monkeypatch):
    """The cell is then the old one, the new one, or counts as not run."""
    seen = set()
    for step in range(20):
        old = store.write(make_record(label="old"), ARRAYS)
        new = make_record(label="new")
        if not write_and_crash(store, monkeypatch, step, new, {"labels_train": np.ones(3)}):
            break
        for record in store:
            assert len(store.arrays(record.key)["labels_train"]) == (5 if record == old else 3)
        seen.add(tuple(record.label for record in store))
    assert seen == {("old",), (), ("new",)}


def test_a_crash_while_scoring_again_never_loses_the_cell(store, make_record, monkeypatch):
    written = store.write(make_record(), ARRAYS)
    rescored = dataclasses.replace(written, metrics=Scores(train={"purity": 1.0}))
    for step in range(20):
        if not write_and_crash(store, monkeypatch, step, rescored, ARRAYS):
            break
        assert store.arrays(written.key).keys() == ARRAYS.keys()
    assert step > 2
    assert store.read(written.key).metrics.train == {"purity": 1.0}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk(store, make_record, monkeypatch, code):
    old = store.write(make_record(), ARRAYS)

    def fail(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=f"cannot write to {store.folder}: {os.strerror(code)}"):
        store.write(make_record(label="new"), ARRAYS)
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".json", ".npz"]
    assert store.read(old.key) == old


def test_a_file_where_the_folder_should_be(tmp_path, make_record):
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match=r"cannot write to .*runs/s"):
        Store(tmp_path / "runs" / "s").write(make_record())
    with pytest.raises(UserError, match="cannot list"):
        Store(tmp_path / "runs").keys()


def test_many_writers_share_a_folder(store, make_record):
    """Processes that write the same and other cells at once leave whole files only."""
    text = make_record().to_json()
    code = (
        "import sys, dataclasses; from deep_em_bench.results import *; "
        "import hashlib; record = Record.from_json(sys.stdin.read())\n"
        "for i in range(8):\n"
        "    key = hashlib.sha256(str(i).encode()).hexdigest()\n"
        "    Store(sys.argv[1]).write(dataclasses.replace(record, key=key))\n"
    )
    root = Path(results.__file__).parents[1]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(store.folder)],
            stdin=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for _ in range(3)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(text)
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(list(store)) == 8
    assert len(list(store.folder.iterdir())) == 8


def test_scores_can_be_replaced_and_arrays_kept(store, make_record):
    """What a rescoring does."""
    written = store.write(make_record(), ARRAYS)
    rescored = dataclasses.replace(written, metrics=Scores(train={"purity": 1.0}))
    again = store.write(rescored, store.arrays(written.key))
    assert again.artifacts == written.artifacts
    assert store.read(again.key).metrics.train == {"purity": 1.0}
