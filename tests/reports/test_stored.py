import numpy as np
import pytest

from deep_em_bench.core import DataError
from deep_em_bench.reports import stored as module
from deep_em_bench.reports.stored import NotStoredError, Stored, by_class, labels_of
from deep_em_bench.reports.summary import summarise


@pytest.fixture
def rows(store, make_record):
    """Three rows of runs with labels; the first has a failed run before them."""
    y = np.arange(30) % 3
    store.write(make_record("m0", 0, status="failed", n_clusters=3))
    for i in range(3):
        record = make_record(f"m{i}", 1, {"ari": 0.1}, n_clusters=3)
        store.write(record, {"y_train": y, "labels_train": (y + i) % 3})
    (block,) = summarise(store.load(history=False))
    return block.rows


def test_a_file_is_read_once_whoever_asks(store, rows, monkeypatch):
    read = []
    arrays = store.arrays
    monkeypatch.setattr(store, "arrays", lambda key: read.append(key) or arrays(key))
    stored = Stored(store)
    for _ in range(3):
        for row in rows:
            run = stored.run(row)
            assert run.record.seed == 1
            assert run.clusters == stored.clusters(row)
    assert sorted(read) == sorted(row.ok[0].key for row in rows)


def test_what_is_held_is_bounded_and_clusters_are_kept(store, rows, monkeypatch):
    read = []
    arrays = store.arrays
    monkeypatch.setattr(store, "arrays", lambda key: read.append(key) or arrays(key))
    monkeypatch.setattr(module, "KEPT", 1000)  # two runs have 960 bytes
    stored = Stored(store)
    for row in (*rows, *rows):
        stored.clusters(row)
    assert len(read) == 3
    stored.run(rows[2])
    assert len(read) == 3
    stored.run(rows[0])
    stored.run(rows[1])
    stored.run(rows[0])
    assert len(read) == 5


def test_what_is_missing_is_told_apart_from_what_is_damaged(store, make_record):
    none = store.write(make_record("none", n_clusters=3))
    damaged = store.write(make_record("damaged", n_clusters=3), {"y_train": np.zeros(3)})
    store.folder.joinpath(*damaged.artifacts).write_bytes(b"")
    store.write(make_record("failed", status="failed", n_clusters=3))
    (block,) = summarise(store.load(history=False))
    rows = {row.label: row for row in block.rows}
    stored = Stored(store)
    for _ in range(2):
        with pytest.raises(NotStoredError, match="the record stores no 'y_train'"):
            stored.clusters(rows["none"])
        with pytest.raises(DataError, match="sha256") as raised:
            stored.clusters(rows["damaged"])
        assert not isinstance(raised.value, NotStoredError)
    assert stored.run(rows["none"]).record.key == none.key
    assert stored.run(rows["failed"]) is None
    assert stored.clusters(rows["failed"]) is None
    with pytest.raises(NotStoredError, match="'labels_test'"):
        labels_of({"y_test": np.zeros(3)}, "test")


def test_clusters_are_ordered_by_class_then_size():
    y, labels = np.array([1, 1, 1, 0, 0, 1]), np.array([2, 0, 0, 3, 3, 0])
    clusters = by_class(y, labels, n_clusters=5)
    assert [cluster.cluster for cluster in clusters] == [3, 0, 2, 1, 4]
    assert [cluster.majority_class for cluster in clusters] == [0, 1, 1, None, None]


def test_points_whose_class_was_told_are_left_out_of_the_training_split_alone():
    y, labels, told = np.array([0, 1, 2, 2]), np.array([0, 0, 1, 2]), np.array([3, 0])
    arrays = {"y_train": y, "labels_train": labels, "labelled_rows": told}
    found = labels_of(arrays | {"y_test": y, "labels_test": labels}, "train")
    assert [values.tolist() for values in found] == [[1, 2], [0, 1]]
    found = labels_of(arrays | {"y_test": y, "labels_test": labels}, "test")
    assert [values.tolist() for values in found] == [y.tolist(), labels.tolist()]
