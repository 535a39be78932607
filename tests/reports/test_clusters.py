import logging

import numpy as np

from deep_em_bench.reports.clusters import cluster_tables
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed


def stored(store, record, labels, y=(0, 0, 1, 1, 1, 2)):
    arrays = {"y_train": np.array(y), "labels_train": np.array(labels)}
    return store.write(record, arrays if labels is not None else None)


def test_clusters_by_class_with_empty_ones_last(store, make_record):
    record = stored(store, make_record("kmeans", n_clusters=4), [3, 3, 1, 1, 3, 1])
    text = cluster_tables(summarise([record]), Stored(store))
    body = text.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert body == [
        r"1 & 0 & 3 & .667 \\",
        r"2 & 1 & 3 & .667 \\",
        r"3 & -- & 0 & -- \\",
        r"4 & -- & 0 & -- \\",
    ]
    assert r"\multicolumn{3}{c}{kmeans}" in text
    assert "in the run of seed 0, the first that ended well" in text


def test_the_first_run_that_ended_well_is_shown_not_the_best(store, make_record):
    records = [
        make_record("kmeans", 0, status="failed", n_clusters=3),
        stored(store, make_record("kmeans", 1, n_clusters=3), [0] * 6),
        stored(store, make_record("kmeans", 2, n_clusters=3), [0, 0, 1, 1, 1, 2]),
        stored(store, make_record("gmm", 0, n_clusters=3), [0, 0, 1, 1, 1, 2]),
    ]
    text = cluster_tables(summarise(records), Stored(store))
    assert r"\multicolumn{3}{c}{kmeans, seed 1}" in text
    assert r"\multicolumn{3}{c}{gmm, seed 0}" in text
    assert "1 & 1 & 6 & .500 & 0 & 2 & 1.000" in text


def test_many_methods_take_several_tables(store, make_record):
    records = [
        stored(store, make_record(f"m{i}", n_clusters=3), [0, 0, 1, 1, 1, 2]) for i in range(6)
    ]
    text = cluster_tables(summarise(records), Stored(store))
    assert text.count(r"\begin{table") == 2
    assert text.count(r"\multicolumn{3}{c}") == 6


def test_what_stores_no_labels_or_damaged_ones_is_warned_of(store, make_record, caplog):
    none = stored(store, make_record("none", n_clusters=3), None)
    damaged = stored(store, make_record("damaged", n_clusters=3), [0, 0, 1, 1, 1, 2])
    store.folder.joinpath(*damaged.artifacts).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert cluster_tables(summarise([none, damaged]), Stored(store)) == ""
    assert "no clusters of none: the record stores no 'y_train'" in caplog.text
    assert "no clusters of damaged" in caplog.text
    assert "sha256" in caplog.text


def test_classes_have_their_names_and_told_rows_are_left_out(store, make_record):
    used = DatasetUsed(name="three", words={"labelled": 2}, class_names=("sky", "a_b"))
    record = make_record("gan_em", n_clusters=3, dataset=used)
    labels = {
        "y_train": np.array([0, 0, 1, 1, 1, 2]),
        "labels_train": np.array([0, 1, 1, 1, 0, 2]),
    }
    record = store.write(record, labels | {"labelled_rows": np.array([1, 4])})
    text = cluster_tables(summarise([record]), Stored(store))
    body = text.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert body == [
        r"1 & sky & 1 & 1.000 \\",
        r"2 & a\_b & 2 & 1.000 \\",
        r"3 & 2 & 1 & 1.000 \\",
    ]
    assert "training scores and clusters leave these rows out" in text
