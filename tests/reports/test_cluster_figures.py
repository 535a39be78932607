import logging

import numpy as np
from matplotlib.collections import QuadMesh

import metrics
from tests.reports.drawing import images, only, titles, words_of


def test_confusion_is_of_the_matched_clusters_and_names_the_error_rate(put, drawn):
    y, labels = np.repeat([0, 1, 2], 20), np.repeat([3, 1, 1, 0, 2, 0], 10)
    put("kmeans", 0, status="failed")
    put("kmeans", 1, K=4, arrays={"y_train": y, "labels_train": labels})
    figure = only(drawn(), "confusion")
    (mesh,) = figure.axes[0].findobj(QuadMesh)
    # Cluster 1 may stand for class 0 or 1; either way one cluster is left over.
    shares = np.asarray(mesh.get_array()).reshape(3, 4)
    assert shares.sum() == 3
    assert np.trace(shares) == 1.5
    error = metrics.score_clustering(y, labels, n_clusters=4)["error_rate"]
    assert error == 0.5
    assert titles(figure)[0] == "kmeans (error .500)"
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == ["0", "1", "2", "unmatched"]
    assert "On the train split, seed 1;" in " ".join(words_of(figure).split())


def test_confusion_is_of_the_held_out_split_where_there_is_one(put, drawn):
    held = {"y_test": np.array([0, 1, 2, 2]), "labels_test": np.array([2, 0, 1, 1])}
    put("kmeans", 0, 0.5, arrays=held)
    put("gmm", 1, 0.5, arrays=held)
    figure = only(drawn(), "confusion")
    assert titles(figure) == ["kmeans (seed 0, error .000)", "gmm (seed 1, error .000)"]
    for ax in figure.axes[:2]:
        (mesh,) = ax.findobj(QuadMesh)
        np.testing.assert_array_equal(np.reshape(mesh.get_array(), (3, 3)), np.eye(3))


def test_many_matrices_take_several_figures(put, drawn):
    for i in range(9):
        put(f"m{i}")
    stems = [stem for stem in drawn() if stem.startswith("confusion")]
    assert stems == [
        "confusion-digits-raw-digits-3-quick",
        "confusion-digits-raw-digits-3-quick-1",
    ]


def test_arrays_that_cannot_be_read_are_warned_of(store, put, drawn, caplog):
    damaged = put("damaged", 0, arrays={"samples": images(3)})
    (store.folder / f"{damaged.key}.npz").write_bytes(b"")
    put("wrong", 0, arrays={"samples": images(5)})
    put("unlabelled", 0, arrays={"labels_train": np.full(60, 9), "samples": images(3)})
    with caplog.at_level(logging.WARNING):
        assert [stem.partition("-")[0] for stem in drawn()] == ["points", "time", "confusion"]
    assert "no pictures of the clusters of damaged: " in caplog.text
    assert "no samples of wrong: 5 components, not 3" in caplog.text
    assert "no confusion matrix of unlabelled: labels run from 9" in caplog.text
