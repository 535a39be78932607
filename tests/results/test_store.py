import errno
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from deep_em_bench.core import DataError, UserError
from deep_em_bench.results import Failure, Scores, Store, replace

ARRAYS = {
    "labels_train": np.arange(5),
    "responsibilities_train": np.eye(5, dtype=np.float16),
}


def arrays_of(store, record):
    """The path of its arrays."""
    (name,) = record.artifacts
    return store.folder / name


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
    digest = hashlib.sha256(arrays_of(store, written).read_bytes()).hexdigest()
    assert written.artifacts == {f"{written.key}.{digest[:12]}.npz": digest}


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
    failed = store.write(make_record(status="failed", error=Failure(type="E", message="m")))
    assert store.read(failed.key) == failed
    assert store.arrays(failed.key) == {}


def test_no_temporary_file_stays_and_none_is_a_record(store, make_record):
    written = store.write(make_record(), ARRAYS)
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".json", ".npz"]
    (store.folder / f"{written.key}.0123.tmp").write_text("{")
    (store.folder / "notes.json").write_text("{}")
    assert store.keys() == [written.key]


def test_what_killed_and_overtaken_writers_left_is_swept_a_day_later(store, make_record):
    overtaken = store.write(make_record(label="old"), {"labels_train": np.ones(2)})
    written = store.write(make_record(), ARRAYS)
    stranger = store.folder / f"{'0' * 64}.{'0' * 12}.npz"
    stray = arrays_of(store, overtaken)
    part, new = (store.folder / f"{written.key}.{name}.tmp" for name in ("old", "new"))
    for path in (stranger, part, new):
        path.write_text("{")
    store.sweep()
    assert all(path.exists() for path in (stray, stranger, part, new))
    long_ago = time.time() - 2 * 24 * 60 * 60
    kept = (store.folder / f"{written.key}.json", arrays_of(store, written))
    for path in (stray, stranger, part, *kept):
        os.utime(path, (long_ago, long_ago))
    store.sweep()
    assert sorted(store.folder.iterdir()) == sorted([*kept, new])
    assert store.arrays(written.key).keys() == ARRAYS.keys()
    Store(store.folder / "nowhere").sweep()


def test_arrays_of_a_damaged_record_are_not_swept(store, make_record):
    written = store.write(make_record(), ARRAYS)
    (store.folder / f"{written.key}.json").write_text("{")
    os.utime(arrays_of(store, written), (0, 0))
    store.sweep()
    assert arrays_of(store, written).exists()


def test_a_record_too_large_to_be_read_is_not_written(store, make_record, monkeypatch):
    record = make_record()
    monkeypatch.setattr("deep_em_bench.results.store.MOST_TEXT", len(record.to_json()) - 1)
    with pytest.raises(DataError, match=r"expected at most .*; keep less in history_"):
        store.write(record)
    assert not store.folder.exists()


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
    assert "is damaged: not JSON" in caplog.text


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "npz cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "npz has sha256"),
    ],
)
def test_damaged_arrays_are_refused(store, make_record, damage, says):
    written = store.write(make_record(), ARRAYS)
    damage(arrays_of(store, written))
    with pytest.raises(DataError, match=says):
        store.arrays(written.key)


def with_arrays(store, record, content, name="{key}.{digest:.12}.npz"):
    """Writes the record with arrays that are those bytes."""
    digest = hashlib.sha256(content).hexdigest()
    name = name.format(key=record.key, digest=digest)
    (store.folder / f"{record.key}.json").write_bytes(
        replace(record, artifacts={name: digest}).to_json()
    )
    (store.folder / name).write_bytes(content)


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x80\x04K\x01.", b"PK\x03\x04"])
def test_a_file_of_the_right_hash_that_holds_no_arrays(store, make_record, content):
    written = store.write(make_record())
    with_arrays(store, written, content)
    with pytest.raises(DataError, match=r"not a \.npz of plain arrays"):
        store.arrays(written.key)


@pytest.mark.parametrize("name", ["other.npz", "{key}.npz", "../{key}.{digest:.12}.npz"])
def test_arrays_of_another_name_are_refused(store, make_record, name):
    written = store.write(make_record())
    with_arrays(store, written, b"", name)
    with pytest.raises(DataError, match="key `artifacts` is"):
        store.arrays(written.key)


def test_only_regular_files_are_read(store, make_record):
    first, second = (store.write(make_record(i), ARRAYS) for i in (0, 1))
    path = store.folder / f"{first.key}.json"
    path.unlink()
    os.mkfifo(path)
    arrays_of(store, second).unlink()
    arrays_of(store, second).symlink_to("/dev/zero")
    with pytest.raises(DataError, match=r"json cannot be read \(not a regular file\)"):
        store.read(first.key)
    with pytest.raises(DataError, match=r"npz cannot be read \(not a regular file\)"):
        store.arrays(second.key)
    again = store.write(make_record(0))
    assert store.read(first.key) == again


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
        try:
            store.write(record, arrays)
        except KeyboardInterrupt:
            return True
    return False


def test_a_crash_at_any_step_leaves_whole_cells_only(store, make_record, monkeypatch):
    """The cell is then the old one or the new one."""
    seen = set()
    for step in range(20):
        old = store.write(make_record(label="old"), ARRAYS)
        new = make_record(label="new")
        if not write_and_crash(store, monkeypatch, step, new, {"labels_train": np.ones(3)}):
            break
        for record in store:
            assert len(store.arrays(record.key)["labels_train"]) == (5 if record == old else 3)
        seen.add(tuple(record.label for record in store))
    assert seen == {("old",), ("new",)}


def test_a_crash_while_scoring_again_never_loses_the_cell(store, make_record, monkeypatch):
    written = store.write(make_record(), ARRAYS)
    rescored = replace(written, metrics=Scores(train={"purity": 1.0}))
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


WRITER = """
import sys, hashlib, numpy as np
from deep_em_bench.results import Record, Store, replace
record = Record.from_json(sys.stdin.buffer.read())
for i in range(24):
    key = hashlib.sha256(str(i % 8).encode()).hexdigest()
    n = int(sys.argv[2]) + i
    Store(sys.argv[1]).write(replace(record, key=key, seed=n), {"x": np.full(n + 1, n)})
"""


def test_many_writers_share_a_folder(store, make_record):
    """Processes that write the same cells at once: each record has the arrays it came with."""
    text = make_record().to_json()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.folder), str(number * 100)],
            stdin=subprocess.PIPE,
        )
        for number in range(3)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(text)
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    records = list(store)
    assert len(records) == 8
    for record in records:
        assert store.arrays(record.key)["x"].tolist() == [record.seed] * (record.seed + 1)


def test_scores_can_be_replaced_and_arrays_kept(store, make_record):
    """What a rescoring does."""
    written = store.write(make_record(), ARRAYS)
    rescored = replace(written, metrics=Scores(train={"purity": 1.0}))
    again = store.write(rescored, store.arrays(written.key))
    assert again.artifacts == written.artifacts
    assert store.read(again.key).metrics.train == {"purity": 1.0}
