import logging

import numpy as np
from matplotlib.collections import QuadMesh
from msgspec import structs

from deep_em_bench import metrics
from deep_em_bench.benchmarks.scoring import headline, score
from deep_em_bench.results import DatasetUsed
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
    store.folder.joinpath(*damaged.artifacts).write_bytes(b"")
    put("wrong", 0, arrays={"samples": images(5)})
    put("unlabelled", 0, arrays={"labels_train": np.full(60, 9), "samples": images(3)})
    with caplog.at_level(logging.WARNING):
        assert [stem.partition("-")[0] for stem in drawn()] == ["points", "time", "confusion"]
    assert "no pictures of the clusters of damaged: " in caplog.text
    assert "no samples of wrong: 5 components, not 3" in caplog.text
    assert "no confusion matrix of unlabelled: labels run from 9" in caplog.text


def test_with_labels_components_are_the_classes_and_told_rows_are_left_out(put, drawn):
    y = np.arange(60) % 3
    labels, told = np.roll(y, 20), np.arange(6)
    labels[told] = y[told]  # the fit has these right, and nothing else
    arrays = {"y_train": y, "labels_train": labels, "labelled_rows": told}
    used = DatasetUsed(name="digits", words={"labelled": 6}, n=60, n_test=0)
    put("gan_em", arrays=arrays, dataset=used)
    figure = only(drawn(), "confusion")
    error = headline(score(arrays, 3))
    assert error == 1.0
    assert titles(figure)[0] == "gan_em (error 1.000)"
    (mesh,) = figure.axes[0].findobj(QuadMesh)
    shares = np.asarray(mesh.get_array()).reshape(3, 3)
    assert np.trace(shares) == 0
    words = " ".join(words_of(figure).split())
    assert "On the train split, seed 0; components carry the classes." in words
    assert "Component, by its class" in words
    assert "matched" not in words


def test_axes_have_the_names_of_the_classes(put, drawn, legible):
    names = ("brickface", "a very long name of a class", "", "$x_1$", "漢字", *map(str, range(5)))
    used = DatasetUsed(name="digits", n=60, n_test=0, n_classes=10, class_names=names)
    for label in ("kmeans", "gmm"):
        put(label, K=10, C=10, dataset=used)
    put("kmeans", K=14, C=10, dataset=structs.replace(used, words={"subset": 0.5}))
    for stem, figure in drawn().items():
        if stem.startswith("confusion"):
            assert {tick.get_rotation() for tick in figure.axes[0].get_xticklabels()} == {90}
            for ticks in (figure.axes[0].get_xticklabels(), figure.axes[0].get_yticklabels()):
                shown = [tick.get_text() for tick in ticks]
                assert shown[0] == "brickface"
                assert shown[1].startswith("a very")
                assert shown[1].endswith("…")
                assert shown[-1] in ("4", "unmatched")
            legible(figure, stem)
