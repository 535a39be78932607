"""Attributes as figures and on the page: samples, points, links."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

from deep_em_bench.reports.attribute_figure import attribute_figures
from deep_em_bench.reports.page import page
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.style import look, mark
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results.published import published
from tests.reports.attributes.cases import ATTRIBUTES, BY_SEED, sheets_of
from tests.reports.html_tree import data, lines, parsed, section


def faces(level, K=2, shape=(3, 8, 8)):
    """All of component 0 dark, all of component 1 of that level."""
    levels = np.array([0, level], dtype=np.uint8)[:K].reshape(K, 1, 1, 1, 1)
    return np.broadcast_to(levels, (K, 10, *shape)).copy()


def drawn(store):
    sheets, _ = sheets_of(store)
    labels = dict.fromkeys(label for sheet in sheets for label in sheet.labels)
    marks = {label: mark(i) for i, label in enumerate(labels)}
    with look():
        found = dict(attribute_figures(sheets, Stored(store), published(), marks))
        for figure in found.values():
            figure.draw_without_rendering()
    return found


def test_samples_with_the_attribute_stand_above_those_without(store, put, legible):
    y = np.arange(40) % 2
    swapped = {"y_train": y, "labels_train": 1 - y, "samples": faces(200)}
    put("gan_em", "Bangs", 0.4, arrays=swapped)
    put("gan_em", "Male", 0.4, arrays=swapped | {"labels_train": y})
    put("gan_em", "Male", 0.2, labelled=100, arrays=swapped)
    put("kmeans", "Bangs", 0.4)
    found = drawn(store)
    assert [name.split()[0] for name in found] == ["attributes", "faces", "attributes", "faces"]
    _, without, _, told = found.values()
    for ax, bright in ((without.axes[0], False), (without.axes[1], True), (told.axes[0], True)):
        canvas = np.asarray(ax.images[0].get_array())
        assert bool(canvas[0, 0].max() == 200) == bright
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["with", "without"]
    assert without.axes[0].get_title("left") == "Bangs (error .400)"
    words = " ".join(" ".join(t.get_text() for t in told.findobj(Text)).split())
    assert "LABELS CHOSE THE IMAGES" in words
    assert "Components carry the classes." in words
    for figure in found.values():
        legible(figure)


def test_every_run_has_a_point_and_every_mean_a_mark_on_a_line_of_its_own(store, all_put, legible):
    figure, told = drawn(store).values()
    ax = figure.axes[0]
    points = [line for line in ax.lines if line.get_markersize() == 1.5]
    means = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    runs, middles = (np.concatenate([m.get_xydata() for m in drew]) for drew in (points, means))
    expected = sorted(b + 0.01 * i + s for i in range(4) for b, s in BY_SEED)
    assert sorted(runs[:, 0]) == pytest.approx(expected)
    assert len(set(middles[:, 1])) == 8
    np.testing.assert_array_equal(runs[::2, 1], middles[:, 1])
    np.testing.assert_allclose(runs.reshape(8, 2, 2).mean(axis=1), middles)
    words = " ".join(" ".join(t.get_text() for t in figure.findobj(Text)).split())
    assert "Dots: runs, seeds 0, 1; hollow: their means, in the legend's order." in words
    assert "Q profile, M metric, S split, N scale, P preset, V variant" in words
    assert "kmeans Q M S N" in words
    assert "gan_em[stable] Q M S N P V" in words
    published_bars = [c for c in ax.collections if c.get_linestyle()[0][1] is None]
    assert len(published_bars) == 4  # three published attributes, one of them twice
    chances = [c.get_segments()[0] for c in ax.collections if c not in published_bars]
    assert [round(segment[0][0], 3) for segment in chances] == [0.456] * 4
    for each in (figure, told):
        legible(each)


def test_more_attributes_than_fit_make_several_figures_of_error_rates(store, put, legible):
    for i in range(40):
        for seed in (0, 1):
            put("kmeans", f"Attribute_{i:02d}", 0.4, seed)
    found = drawn(store)
    assert [name.split()[-1] for name in found] == ["quick", "1"]
    ticks = [[t.get_text() for t in f.axes[0].get_yticklabels()] for f in found.values()]
    assert ticks == [[f"Attribute_{i:02d}" for i in part] for part in (range(20), range(20, 40))]
    for figure in found.values():
        legible(figure)


def test_damaged_samples_and_other_shapes_are_left_out(store, put, caplog):
    y = np.arange(40) % 2
    put("a", "Bangs", 0.4, arrays={"samples": faces(9)})
    put("b", "Bangs", 0.4, arrays={"y_train": y, "labels_train": y, "samples": y.astype(float)})
    damaged = put("c", "Bangs", 0.4, arrays={"y_train": y, "labels_train": y})
    store.folder.joinpath(*damaged.artifacts).write_bytes(b"")
    assert [name.split()[0] for name in drawn(store)] == ["attributes"]
    assert "no samples of a, Bangs: the record stores no 'y_train'" in caplog.text
    assert "no samples of c, Bangs: " in caplog.text


def test_many_attributes_make_several_figures(store, put, legible):
    y = np.arange(40) % 2
    for i in range(9):
        held = {"y_train": y, "labels_train": y, "samples": faces(99)}
        put("gan_em", f"Attribute_{i}", 0.4, arrays=held)
    found = drawn(store)
    assert [name.split()[0] for name in found] == ["attributes", "faces", "faces"]
    for figure in found.values():
        legible(figure)


def paged(store):
    blocks = summarise(store.load(history=False))
    root = parsed(page("celeba", blocks, Stored(store), {}))
    return section(root, "scores"), data(root)["rows"], root


def leads_to(link, rows):
    return {(rows[int(i)]["label"], rows[int(i)]["block"]) for i in link.split()}


def test_the_page_has_an_attribute_a_row_and_all_leads_to_cells(store, all_put):
    part, rows, root = paged(store)
    means, without, told = part.all("table")
    assert lines(without)[0] == [
        *("Attribute", "kmeans", "gan_em[stable]", "Chance", "Published"),
    ]
    assert [line[0] for line in lines(without)[1:]] == [*ATTRIBUTES, "Mean of 3", "Differs"]
    assert [line[0] for line in lines(told)[1:]] == [*ATTRIBUTES, "Mean of 3", "Differs"]
    assert lines(without)[-1][1:] == ["Q M S N", "Q M S N P V", "", ""]
    assert lines(without)[1] == ["Bangs", ".410± .014", ".320± .028", ".456", ".359"]
    assert lines(without)[2][-1] == ".476 or .368"
    assert lines(without)[3][-1] == "–"
    held = without.all("tr")[1]
    name, kmeans, gan = (link.attributes["data-row"] for link in held.all("a"))
    assert leads_to(name, rows) == leads_to(kmeans, rows) | leads_to(gan, rows)
    assert {label for label, _ in leads_to(kmeans, rows)} == {"kmeans"}
    assert len(leads_to(name, rows)) == 2
    assert held.all("b")[0].text == ".320"
    assert lines(means)[0] == ["Method", "no labels", "100 labels", "Differs"]
    assert "Q: profile quick: " in part.text
    found = {line[0]: line[1:] for line in lines(means)[1:]}
    assert found["kmeans"][1:] == ["–", "Q M S N"]
    (link,) = [a for a in means.all("a") if a.text == "gan_em[stable]"]
    assert len(leads_to(link.attributes["data-row"], rows)) == 8
    assert "LABELS CHOSE THE IMAGES" in part.text
    assert "clusters" not in [each.attributes["id"] for each in root.all("section")]


def test_an_attribute_without_a_result_leads_to_its_failures(store, put):
    put("kmeans", "Bangs", 0.4)
    put("kmeans", "Male", 0.4, status="failed")
    put("gan_em", "Male", 0.4)
    part, rows, _ = paged(store)
    table = part.all("table")[1]
    male = table.all("tr")[2]
    assert lines(table)[2][:3] == ["Male", "–(0/1)", ".400"]
    (failed,) = [a for a in male.all("a") if a.text == "–"]
    assert leads_to(failed.attributes["data-row"], rows) == {("kmeans", 1)}
    bangs = table.all("tr")[1]
    assert [a.text for a in bangs.all("a")] == ["Bangs", ".400"]


def test_a_lone_survivor_is_counted_on_the_page(store, failing):
    part, _, _ = paged(store)
    means, sheet = part.all("table")
    assert [line[2] for line in lines(sheet)[1:4]] == [
        ".100(1/4)",
        ".100± .000 (2/4)",
        ".100(1/4)",
    ]
    assert "Never called best" in part.text
    assert next(line for line in lines(means) if line[0] == "gan_em")[1] == ".100(1/4)"
