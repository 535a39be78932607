"""Features in the plane: which panels, in what order, with which numbers."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from deep_em_bench.metrics import score_reduction
from deep_em_bench.reports import reduction_figure as module
from deep_em_bench.reports.reduction_figure import reductions
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.style import look, mark
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed, MethodUsed, Store
from deep_em_bench.results.published import published

N, C = 60, 10
Y = np.arange(N) % C


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "mnist_reduction")


@pytest.fixture
def put(store, make_record):
    """Writes a record with features of so many dimensions, or with those given."""

    def put(label, k=2, features=None, labelled=None, params=None, arrays=None, **said):
        if features is None:
            draw = np.random.default_rng(k)
            features = draw.normal(size=(N, k)) + 5 * draw.normal(size=(C, k))[Y]
        features = features.astype(np.float16)
        words = {"subset": N} | ({"labelled": labelled} if labelled else {})
        error = "error_rate_classes" if labelled else "error_rate"
        record = make_record(
            label,
            test={error: 0.25} | score_reduction(Y, np.nan_to_num(features)),
            suite="mnist_reduction",
            dataset=DatasetUsed(name="mnist", words=words, n=N, n_test=N, n_classes=C),
            params={"n_components": k} if params is None else params,
            **said,
        )
        assert isinstance(record.method, MethodUsed)
        held = {"y_train": Y, "labels_train": Y, "y_test": Y, "labels_test": Y}
        return store.write(record, held | {"features": features} | (arrays or {}))

    return put


@pytest.fixture
def drawn(store):
    """The figures by name, laid out."""

    def drawn():
        blocks = summarise(store.load(history=False))
        labels = dict.fromkeys(row.label for block in blocks for row in block.rows)
        marks = {label: mark(i) for i, label in enumerate(labels)}
        with look():
            found = dict(reductions(blocks, Stored(store), marks))
            for figure in found.values():
                figure.draw_without_rendering()
        return found

    return drawn


def panels(figure):
    """Titles, words as they are told apart by lines or blanks."""
    return [" ".join(ax.get_title("left").split()) for ax in figure.axes if ax.get_visible()]


def words(figure):
    return " ".join(" ".join(t.get_text() for t in figure.findobj(Text)).split())


def test_panels_are_those_of_the_paper_and_baselines_follow(put, drawn, legible):
    put("gan_em[2]", 2)
    put("gan_em[100]", 100)
    put("gan_em[1000]", 1000)
    put("gan_em[supervised 100]", 100, labelled=20, params={"n_components": 100, "max_iter": 0})
    put("gan_em[semi 100]", 100, labelled=20)
    put("pca_kmeans[2]", 2)
    put("tsne_kmeans[2]", 2)
    found = drawn()
    assert list(found) == [
        "reduction mnist_reduction mnist(subset=60) 10 quick ",
        "reduction mnist_reduction mnist(subset=60) 10 quick 1",
    ]
    deep, baselines = found.values()
    names = [title.partition(" error")[0] for title in panels(deep)]
    assert names == [
        *("gan_em[semi 100]", "4a gan_em[supervised 100]", "4b gan_em[1000]"),
        *("4c gan_em[100]", "4d gan_em[2]"),
    ]
    said = words(deep)
    assert "4b–4d: as many features as in GAN-EM, Figure 4." in said
    assert "4a: its supervised reference; it does not say of how many labels." in said
    assert "Figure 4" not in words(baselines)
    assert [t.partition(" error")[0] for t in panels(baselines)] == [
        "pca_kmeans[2]",
        "tsne_kmeans[2]",
    ]
    assert "gan_em[semi 100], gan_em[supervised 100]: 20 labels known to the fit." in said
    assert "its features were fitted to these" in words(baselines)
    assert "its features were fitted to these" not in words(deep)
    for figure in found.values():
        legible(figure)


def test_a_title_holds_the_runs_numbers_and_the_papers_at_two_dimensions(put, drawn):
    record = put("gan_em[2]", 2)
    put("gan_em[100]", 100)
    (figure,) = drawn().values()
    wide, flat = panels(figure)
    near = f"{record.metrics.test['knn_accuracy']:.3f}".lstrip("0")
    assert flat == f"4d gan_em[2] error .250, k-NN {near} (paper .118, protocol differs)"
    assert "paper" not in wide
    assert "not comparable with published numbers" in words(figure)
    assert "gan_em[2]: protocol differs from the paper's in profile, metric," in words(figure)


def test_a_number_whose_protocol_agrees_stands_unmarked(put, drawn, monkeypatch):
    record = put("gan_em[2]", 2, profile="full")
    put("gan_em[100]", 100, profile="full")
    (entry,) = [e for e in published() if "mnist_reduction" in e.suites]
    agrees = replace(entry, metric="error_rate", split="test", n=N, presets=("default",))
    monkeypatch.setattr(module, "published", lambda: (agrees,))
    (figure,) = drawn().values()
    near = f"{record.metrics.test['knn_accuracy']:.3f}".lstrip("0")
    assert panels(figure)[1] == f"4d gan_em[2] error .250, k-NN {near} (paper .118)"
    assert "protocol differs" not in words(figure)


def test_two_features_are_drawn_as_they_are_and_others_are_not(put, drawn):
    features = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float16)
    put("gan_em[2]", 2, features)
    put("gan_em[3]", 3)
    (figure,) = drawn().values()
    three, two = figure.axes
    points = np.concatenate([line.get_xydata() for line in two.lines])
    assert sorted(map(tuple, points)) == sorted(map(tuple, features.astype(np.float64)))
    assert len(np.concatenate([line.get_xydata() for line in three.lines])) == N


def test_classes_differ_in_marker_colour_and_name(put, drawn):
    put("gan_em[2]", 2)
    (figure,) = drawn().values()
    (ax,) = figure.axes
    assert len({line.get_marker() for line in ax.lines}) == C
    assert len({line.get_color() for line in ax.lines}) == C
    assert sorted(text.get_text() for text in ax.texts) == sorted(map(str, range(C)))


def test_names_of_classes_at_one_place_are_moved_apart_within_the_panel(put, drawn, legible):
    features = np.zeros((N, 2))
    features[0], features[1] = (-1, -1), (1, 1)
    put("gan_em[2]", 2, features)
    (figure,) = drawn().values()
    legible(figure)
    places = module._apart(np.full((C, 2), 0.5), [str(c) for c in range(C)])
    assert (places >= 0).all()
    assert (places <= 1).all()
    assert all((a != b).any() for a, b in itertools.combinations(places, 2))


def test_figures_are_the_same_again(put, drawn):
    put("gan_em[3]", 3)
    first, again = (
        np.concatenate([line.get_xydata() for line in figure.axes[0].lines])
        for figure in (*drawn().values(), *drawn().values())
    )
    np.testing.assert_array_equal(first, again)


def test_what_cannot_be_drawn_is_warned_of_and_left_out(put, drawn, caplog):
    put("a", 2, np.ones((N, 2)))
    put("b", 2, np.full((N, 2), np.nan))
    put("c", 2, arrays={"y_test": Y[:3]})
    assert drawn() == {}
    for name, why in (("a", "all points have the same"), ("b", "do not go with"), ("c", "do not")):
        assert f"no features of {name}: " in caplog.text
        assert why in caplog.text


def test_without_reductions_there_is_no_figure(store, make_record, drawn):
    store.write(make_record("kmeans", test={"error_rate": 0.1}), {"y_train": Y})
    assert drawn() == {}
