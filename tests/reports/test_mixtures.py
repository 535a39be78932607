import logging

import numpy as np
import pytest
from msgspec import structs

from deep_em_bench.reports.cluster_figures import first_runs
from deep_em_bench.reports.mixture_figures import mixture_samples
from deep_em_bench.reports.mixtures import mixture_table
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.style import look, mark
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed

Y = np.array([0, 0, 1, 1, 1, 2])
THREE = DatasetUsed(name="three", n=6, n_test=0, n_classes=3)


@pytest.fixture
def put(store, make_record):
    """Writes a run with its labels and, where asked, images: component k as bright as 20 k."""

    def put(label, labels=(0, 0, 1, 1, 2, 2), *, seed=0, images=None, preset="stable", **words):
        record = make_record(label, seed, **({"n_clusters": 3, "dataset": THREE} | words))
        used = structs.replace(record.method, preset=preset)
        arrays = {} if labels is None else {"y_train": Y, "labels_train": np.array(labels)}
        if images is not None:
            levels = 20 * np.arange(images, dtype=np.uint8)
            levels = levels.reshape(-1, 1, 1, 1, 1)
            arrays["samples"] = np.broadcast_to(levels, (images, 8, 1, 4, 4)).copy()
        return store.write(structs.replace(record, method=used), arrays)

    return put


def table(store):
    (block,) = summarise(store.load(history=False))
    return mixture_table(block, Stored(store))


def drawn(store):
    (block,) = summarise(store.load(history=False))
    runs = first_runs(block, Stored(store))
    with look():
        found = list(mixture_samples(block, runs, {r.label: mark(0) for r in block.rows}))
        for figure in found:
            figure.draw_without_rendering()
    return found


def test_methods_stand_in_the_papers_order_with_sums_and_what_is_lost(store, put):
    for label in ("dec[raw]", "kmeans", "imsat[stable]", "ganmm_em[paper]"):
        put(label, preset=label.partition("[")[2].rstrip("]"))
    put("ganmm[stable]", [2, 2, 2, 2, 2, 2])
    text = table(store)
    places = [
        text.index(f"{{c}}{{{name}}}")
        for name in (
            "ganmm[stable]",
            r"ganmm\_em[paper]",
            "kmeans",
            "dec[raw]",
        )
    ]
    assert places == sorted(places)
    assert "imsat" not in text
    body = text.split("\\midrule\n")[1].splitlines()
    assert body[0].startswith("1 & 1 & 6 & .500 & 0 & 2 & 1.000 & ")
    assert body[1].startswith(r"2 & -- & 0 & -- & 1 & 2 & 1.000 & ")
    # Of the six 3, by cluster 2 + 2 + 1, are of their cluster's class.
    assert text.split("\\midrule\n")[2].startswith("all & 1 & 6 & .500 & 2 & 6 & .833 & ")
    assert "no cluster for 0, 2" in text


def test_classes_that_are_lost_have_their_names(store, put):
    named = structs.replace(THREE, class_names=("sky", "grass", "path"))
    put("ganmm[stable]", [2, 2, 2, 2, 2, 2], dataset=named)
    text = table(store)
    assert "no cluster for sky, path" in text
    assert "1 & grass & 6 & .500" in text


def test_of_several_rows_of_a_method_the_presets_own_is_shown(store, put):
    put("ganmm[no GAN]", [0, 0, 0, 0, 0, 0], params={"classifier_data": "clusters"})
    put("ganmm[stable]")
    assert "ganmm[stable]" in table(store)
    assert "no GAN" not in table(store)


def test_different_seeds_are_said(store, put):
    put("ganmm[stable]", seed=1)
    put("kmeans", seed=0)
    text = table(store)
    assert "ganmm[stable], seed 1" in text.replace(r"\allowbreak{}", "")
    assert "kmeans, seed 0" in text


def test_there_is_none_without_a_ganmm(store, put, caplog):
    put("kmeans")
    assert table(store) == ""
    put("ganmm[stable]", None)
    with caplog.at_level(logging.WARNING):
        assert table(store) == ""
    assert "ganmm[stable] is not set beside others: the record stores no 'y_train'" in caplog.text


def test_generators_stand_by_class_in_both_pictures(store, put):
    put("ganmm[stable]", [2, 2, 0, 0, 0, 1], images=3)
    put("ganmm_em[paper]", [1, 1, 1, 0, 0, 0], images=3, preset="paper")
    (figure,) = drawn(store)
    left, right = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["ganmm[stable]", "ganmm_em[paper]"]
    for ax, levels, names in (
        (left, [40, 0, 20], ["0", "1", "2"]),
        (right, [20, 0, 40], ["0", "1", "–"]),
    ):
        shown = np.asarray(ax.images[0].get_array())
        middles = ax.get_yticks().astype(int)
        assert shown[middles, 5].tolist() == levels
        assert [text.get_text() for text in ax.get_yticklabels()] == names


@pytest.mark.parametrize(("images", "label"), [(None, "ganmm_em"), (2, "ganmm_em"), (3, "kmeans")])
def test_one_alone_is_no_comparison(store, put, images, label):
    put("ganmm[stable]", images=3)
    put(label, images=images)
    assert drawn(store) == []
