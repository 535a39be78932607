"""Figures for a paper: no prose inside, nothing small, one mark per method, captions in files."""

import numpy as np
import pytest
from matplotlib.text import Text
from msgspec import structs

from deep_em_bench.reports.data.blocks import Row
from deep_em_bench.reports.data.gathered import Choice, gathered
from deep_em_bench.reports.figures.style import MARKERS, fit, look, marks_of
from deep_em_bench.reports.figures.suite import KINDS, draw, files_of
from deep_em_bench.results import DatasetUsed, Resources, Scores
from tests.reports.drawing import HOSTILE, images, rows, words_of

PLANE = np.random.default_rng(0).normal(size=(60, 2))


def history(n):
    return [row | {"fid_lenet": 100.0 / row["iteration"]} for row in rows(n)]


@pytest.fixture
def suite(put):
    """Records that fill every kind of figure."""
    words = DatasetUsed(name="digits", n=60, n_test=0, n_classes=3)
    for seed in range(7):
        for i, label in enumerate(
            ("kmeans", "ganmm[stable]", "ganmm_em[paper]", "gan_em[stable]")
        ):
            arrays = {
                "samples": images(3),
                "interpolation": np.random.default_rng(i).integers(
                    0, 255, (2, 5, 1, 8, 8), np.uint8
                ),
                "triangle": np.random.default_rng(i).integers(0, 255, (5, 5, 1, 8, 8), np.uint8),
                "features": PLANE,
            }
            method = label.partition("[")[0]
            for size in (30, 60):
                put(
                    label,
                    seed,
                    0.1 + 0.1 * i + seed / 100,
                    history=history(3 + seed % 2),
                    arrays=arrays,
                    method=method,
                    dataset=structs.replace(words, n=size, words={"subset": size}),
                    train={
                        "error_rate": 0.1 * (i + 1) + seed / 100,
                        "ari": 0.5,
                        "knn_accuracy": 0.9,
                    },
                )


@pytest.mark.usefixtures("suite")
def test_every_kind_is_drawn_legible_in_type_of_seven_points_and_without_prose(drawn, legible):
    drawings = drawn()
    assert set(drawings) == set(KINDS) - {"attributes", "faces"}
    for kind, each in drawings.items():
        for drawing in each:
            texts = [t for t in drawing.figure.findobj(Text) if t.get_visible() and t.get_text()]
            assert all(text.get_fontsize() >= 7 for text in texts), kind
            assert "Profile" not in words_of(drawing.figure)
            assert drawing.figure.get_size_inches()[0] == pytest.approx(3.35)
            assert len(" ".join(drawing.caption)) > 40
            legible(drawing.figure, f"{kind} {drawing.name}")


def test_attributes_and_faces(put, drawn, legible):
    for label in ("kmeans", "gan_em[stable]"):
        for attribute in ("Bangs", "Male"):
            used = DatasetUsed(
                name="celeba", n=60, n_test=0, n_classes=2, words={"attribute": attribute}
            )
            for seed in range(2):
                put(label, seed, K=2, C=2, dataset=used, arrays={"samples": images(2, (3, 8, 8))})
    drawings = drawn()
    assert {kind: len(each) for kind, each in drawings.items()} == {"attributes": 1, "faces": 2}
    for each in drawings.values():
        for drawing in each:
            legible(drawing.figure)
    assert "with" in words_of(drawings["faces"][0].figure)


def test_any_names_are_legible(put, drawn, legible):
    for i, label in enumerate(HOSTILE):
        for seed in range(2):
            put(label, seed, i / 10, history=history(3))
    for each in drawn().values():
        for drawing in each:
            legible(drawing.figure, drawing.name)


def test_what_cannot_be_drawn_is_left_out_and_told_once(put, store, drawn):
    put("a", 0, arrays={"samples": images(5)})  # of three components
    put("b", 0, arrays={"samples": np.zeros((3, 10, 7))})
    for name in put("c", 0).artifacts:
        (store.folder / name).unlink()
    assert "samples" not in drawn()
    data = gathered(store)
    draw(data)
    assert set(data.stored.missing) == {
        "samples of 5 components, not 3",
        "the arrays of the runs are not stored here",
    }


def test_seconds_have_a_panel_a_device(put, drawn):
    for label, device in (("a", "cpu"), ("b", "cuda"), ("c", "cpu")):
        for seed in range(2):
            put(label, seed, resources=Resources(device=device))
    (drawing,) = drawn()["time"]
    assert [ax.get_title() for ax in drawing.figure.axes] == ["cpu", "cuda"]


def test_samples_have_figures_of_their_own(store, make_samples, drawn):
    for seed in range(2):
        store.write(make_samples("a", seed, suite="digits_raw"))
    drawings = drawn()["points"]
    assert len(drawings) == 2
    assert "Dotted: real images" in " ".join(drawings[1].caption)


def test_a_method_has_one_mark_in_all_suites(put):
    def row(label):
        record, (method, _, preset) = put("x", 0), label.removesuffix("]").partition("[")
        used = structs.replace(record.method, name=method, preset=preset)
        record = structs.replace(record, label=label, method=used)
        return Row(label=label, title=label, records=(record,), places=(0,))

    labels = ("gan_em[paper]", "gan_em[stable]", "gan_em[mine]", "kmeans[default]", "dec[stable]")
    every = marks_of(list(map(row, labels)))
    for label in labels:
        assert marks_of([row(label)])[label] == every[label]
    assert len({every[label].color for label in labels[:3]}) == 1
    assert len({(m.color, m.marker) for m in every.values()}) == len(every)
    crowd = marks_of([row(f"kmeans[{i}]") for i in range(11)])
    assert len({mark.marker for mark in crowd.values()}) == len(MARKERS)


def test_files_are_pdf_png_and_caption_of_one_name(put, store):
    put("a" * 200, 0)
    put("b", 0)
    figures, complete = draw(gathered(store, Choice()), most=1)
    assert not complete
    names = list(files_of(figures))
    assert [name.rpartition(".")[2] for name in names] == ["pdf", "png", "txt"]
    assert figures[0].pdf.startswith(b"%PDF")
    assert figures[0].size[0] == pytest.approx(3.35 * 300, abs=1)
    assert b"CreationDate" not in figures[0].pdf


def test_the_users_settings_are_left_alone():
    import matplotlib as mpl

    mpl.rcParams["font.size"] = 33
    with look():
        assert mpl.rcParams["font.size"] < 10
    assert mpl.rcParams["font.size"] == 33
    mpl.rcdefaults()


def test_text_is_broken_to_fit():
    assert fit("K-means", 1, 2) == ["K-means"]
    assert len(fit("word " * 30, 1, 3)) == 3
    assert fit("x" * 200, 1, 1)[0].endswith("…")
    assert fit("漢", 1, 1) == ["[U+6F22]"]


def test_scores_without_any_number_draw_nothing(store, make_record, drawn):
    for seed in range(2):
        store.write(structs.replace(make_record("a", seed), metrics=Scores()))
    assert drawn() == {}
