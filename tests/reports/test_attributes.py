"""Attributes as rows of one table: grouping, means by seed, published numbers, text and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from datasets.celeba import FACES_FILE
from reports import attribute_tables
from reports.attribute_figure import attribute_figures
from reports.attribute_marks import differing
from reports.attributes import attribute_of, by_attribute
from reports.comparison import KINDS, compare
from reports.page import page
from reports.stored import Stored
from reports.style import look, mark
from reports.summary import summarise
from results import DatasetUsed, Store
from results.published import published
from tests.reports.html_tree import data, lines, parsed, section

ATTRIBUTES = ("Bangs", "Male", "Smiling", "Wearing_Hat")
BY_SEED = ((0.4, 0.0), (0.4, 0.02), (0.3, 0.0), (0.3, 0.04))
"""Errors of the first attribute, and what a seed adds."""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "celeba")


@pytest.fixture
def put(store, make_record):
    def put(label, attribute, error, seed=0, labelled=None, arrays=None, files=(), **words):
        said = {"attribute": attribute} | ({"labelled": labelled} if labelled else {})
        metric = "error_rate_classes" if labelled else "error_rate"
        n = 300 + 10 * len(attribute)
        used = DatasetUsed(name="celeba", words=said, n=n, n_test=80, n_classes=2)
        used = replace(used, sha256=dict.fromkeys(files, "0" * 64))
        words = {"suite": "celeba", "n_clusters": 2, "dataset": used} | words
        record = make_record(label, seed, test={metric: error}, **words)
        return store.write(record, arrays if record.status == "ok" else None)

    return put


@pytest.fixture
def all_put(put):
    """Two methods on four attributes, two seeds, without labels and with 100."""
    for i, attribute in enumerate(ATTRIBUTES):
        for seed in (0, 1):
            put("kmeans", attribute, 0.4 + 0.01 * i + 0.02 * seed, seed)
            put("gan_em[stable]", attribute, 0.3 + 0.01 * i + 0.04 * seed, seed)
            put("gan_em[stable]", attribute, 0.2, seed, labelled=100)


def sheets_of(store):
    return by_attribute(summarise(store.load(history=False)))


def test_blocks_are_grouped_by_labels_and_others_left(store, all_put, make_record):
    store.write(make_record("kmeans", test={"error_rate": 0.1}))
    (without, told), rest = sheets_of(store)
    assert (without.title, told.title) == ("celeba", "celeba(labelled=100)")
    assert (without.labelled, told.labelled) == (0, 100)
    assert (without.metric, told.metric) == ("error_rate", "error_rate_classes")
    assert tuple(map(attribute_of, told.blocks)) == ATTRIBUTES
    assert [block.dataset for block in rest] == ["digits"]


def test_the_mean_is_over_attributes_and_its_spread_over_seeds(store, all_put):
    (without, told), _ = sheets_of(store)
    mean = without.mean("kmeans", without.blocks)
    assert mean is not None
    assert mean.mean == pytest.approx(0.425)  # of .415 and .435
    assert mean.std == pytest.approx(np.std([0.415, 0.435], ddof=1))
    assert mean.n == 2
    assert told.mean("kmeans", told.blocks) is None


def test_a_seed_that_lacks_an_attribute_has_no_mean(store, put):
    put("kmeans", "Bangs", 0.1, 0)
    put("kmeans", "Bangs", 0.3, 1)
    put("kmeans", "Male", 0.2, 0)
    put("kmeans", "Male", 0.4, 1, status="failed")
    (sheet,), _ = sheets_of(store)
    mean = sheet.mean("kmeans", sheet.blocks)
    assert mean is not None
    assert (mean.n, mean.mean, mean.std) == (1, pytest.approx(0.15), None)


def test_captions_say_how_images_were_chosen_and_what_the_fit_knew(store, all_put):
    (without, told), _ = sheets_of(store)
    for sheet in (without, told):
        said = " ".join(sheet.reading())
        assert "LABELS CHOSE THE IMAGES" in said
        assert "appendix B.3" in said
        assert "each with 340 to 410 training points and 80 held out" in said
        assert "Chance: the mean error of coin flips" in said
        assert "not comparable with published numbers" in said
    assert "100 labels, as many of each class, are known" in " ".join(told.reading())
    assert "known to the fit" not in " ".join(without.reading())
    assert "the better of the two maps" in " ".join(without.reading())
    assert "the better of the two maps" not in " ".join(told.reading())
    for text in (
        attribute_tables.console([without, told], published()),
        attribute_tables.latex([without, told], published()),
    ):
        assert text.count("LABELS CHOSE") == 3


def test_no_profile_makes_images_out_of_the_compact_file_comparable(store, put):
    put("kmeans", "Male", 0.4, profile="paper", files=["other"])
    put("kmeans", "Male", 0.4, profile="paper", files=[FACES_FILE.path], labelled=100)
    whole, compact = (" ".join(sheet.reading()) for sheet in sheets_of(store)[0])
    assert "Profile paper. LABELS" in whole
    assert (
        "Profile paper, images out of 4,000, not out of all of CelebA: not comparable with "
        "published numbers. LABELS"
    ) in compact


def test_published_numbers_stand_beside_their_attribute_and_means_are_of_the_same(store, all_put):
    (without, _), _ = sheets_of(store)
    lines = attribute_tables.console([without], published()).splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert rows["Bangs"][-1] == ".359"
    assert rows["Male"][-3:] == [".476", "or", ".368"]  # printed twice, once as "gender"
    assert rows["Smiling"][-1] == "–"
    assert rows["Wearing_Hat"][-1] == ".294"
    mean = next(line.split() for line in lines if line.startswith("Mean of 3"))
    assert mean[-1] == ".377"  # of .3592, .4763 and .2941
    assert mean[3::3][:2] == [".423", ".333"]  # of .41, .42 and .44; of .32, .33 and .35
    assert any(line.startswith("Not published, and in no mean: Smiling.") for line in lines)
    assert rows["kmeans"][1] == ".423"
    same, _, printed = (line.split() for line in lines if line.startswith(("GAN-EM,", "GANMM,")))
    assert (" ".join(same[-3:]), printed[-1]) == ("the same .377", ".421")
    assert rows["Bangs"][4].startswith(".320")
    assert rows["Bangs"][6].endswith("*")


def test_letters_are_those_of_the_comparison(store, all_put):
    (without, told), _ = sheets_of(store)
    compared = compare(without.blocks, published())
    (stable,) = {tuple(d.kind for d in pair.differs) for each in compared for pair in each.rows}
    kinds = differing([without], published())
    assert sorted(kinds["gan_em[stable]"]) == sorted(stable)
    assert {"preset", "variant"} <= set(stable)
    assert set(kinds["kmeans"]) == set(stable) - {"preset", "variant"}
    marks = [" ".join(KINDS[kind] for kind in found) for found in kinds.values()]
    for sheets in ([without], [without, told]):
        text = attribute_tables.console(sheets, published())
        (letters, *_) = (line for line in text.splitlines() if line.startswith("differs "))
        assert " ".join(letters.split()) == f"differs {' '.join(marks)}"
        for said in ("Q: profile quick", "P: preset default of gan_em is not the paper's method."):
            assert said in " ".join(text.split())
    means = next(line for line in text.splitlines()[::-1] if line.startswith("kmeans"))
    assert means.endswith(f"  {marks[0]}")


def test_what_was_not_published_has_no_letters(store, put):
    put("kmeans", "Smiling", 0.4)
    put("kmeans", "Laughing", 0.3)
    sheets, _ = sheets_of(store)
    text = attribute_tables.console(sheets, published())
    assert "differs " not in text
    assert "A letter marks" not in text
    assert next(line for line in text.splitlines() if line.startswith("Mean of 2")).endswith("–")


def test_numbers_by_attribute_leave_open_which_points_were_scored():
    """The sheets choose the split by our records: a known one would have to be asked for."""
    assert {entry.split for entry in published() if "attribute" in entry.words} == {None}


def test_the_best_of_an_attribute_is_bold_in_latex(store, all_put):
    (without, told), _ = sheets_of(store)
    text = attribute_tables.latex([without, told], published())
    assert text.count(r"\begin{table") == 3
    assert r"Wearing\_Hat & .440" in text
    assert r"\textbf{.350}" in text
    assert text.count(r"\label{") == len(set(text.split(r"\label{")[1:]))


def test_every_number_is_in_the_csv(store, all_put):
    sheets, _ = sheets_of(store)
    rows = list(csv.DictReader(io.StringIO(attribute_tables.to_csv(sheets, published()))))
    assert len(rows) == (4 + 1) * 2 + (4 + 1)
    (row,) = [
        r
        for r in rows
        if (r["attribute"], r["label"], r["labelled"]) == ("Bangs", "gan_em[stable]", "0")
    ]
    assert (float(row["mean"]), row["published"]) == (pytest.approx(0.32), "0.3592")
    assert {r["published"] for r in rows if r["label"] == "kmeans"} == {""}
    assert row["differs"] == "profile metric split scale preset variant"
    over = [r for r in rows if not r["attribute"] and r["label"] == "gan_em[stable]"]
    theirs = [float(r["published"]) for r in over]
    assert theirs == pytest.approx(
        [(0.3592 + 0.4763 + 0.2941) / 3, (0.1506 + 0.2746 + 0.1598) / 3]
    )
    assert [float(r["mean"]) for r in over] == pytest.approx([1 / 3, 0.2])
    assert {(r["attributes"], r["printed"]) for r in over} == {("3", "")}


def test_forty_attributes_fit_in_tables_of_a_page(store, put):
    for i in range(90):
        put("kmeans", f"A{i:02d}", 0.4)
    sheets, _ = sheets_of(store)
    text = attribute_tables.latex(sheets, published())
    assert text.count(r"\begin{table") == 3  # two parts, and the means
    assert text.count("Continued.") == 1


@pytest.mark.parametrize("n", [1, 2, 7, 80])
def test_chance_is_the_error_of_coin_flips_under_the_better_map(store, put, n):
    used = DatasetUsed(name="celeba", words={"attribute": "Male"}, n=500, n_test=n)
    put("kmeans", "Male", 0.4, dataset=used)
    put("kmeans", "Bangs", 0.4)
    (sheet,), _ = sheets_of(store)
    by_hand = sum(math.comb(n, k) * min(k, n - k) for k in range(n + 1)) / n / 2**n
    bangs, male = sheet.blocks
    assert sheet.chance([male]) == pytest.approx(by_hand)
    both = sheet.chance([male, bangs])
    assert both == pytest.approx((by_hand + sheet.chance([bangs])) / 2)
    assert both < 0.5


def test_of_named_classes_chance_is_a_half_and_of_unknown_size_not_told(store, all_put, put):
    without, told = sheets_of(store)[0]
    assert told.chance(told.blocks) == 0.5
    unknown = DatasetUsed(name="celeba", words={"attribute": "Young"})
    put("kmeans", "Young", 0.4, dataset=unknown)
    (without, _), _ = sheets_of(store)
    assert without.chance(without.blocks) is None
    text = attribute_tables.console([without], published())
    young = next(line.split() for line in text.splitlines() if line.startswith("Young"))
    assert young[-2:] == ["–", ".456"]


def test_every_table_has_chance_beside_the_errors(store, all_put):
    sheets, _ = sheets_of(store)
    text = attribute_tables.console(sheets, published())
    rows = [line.split() for line in text.splitlines() if line.strip()]
    chances = [row[-2] for row in rows if row[0] == "Bangs"]
    assert chances == [".456", ".500"]  # of 80 points; of named classes
    assert [row for row in rows if row[0] == "chance"] == [["chance", ".456", ".500"]]
    assert r"Chance & Published" in attribute_tables.latex(sheets, published())
    held = csv.DictReader(io.StringIO(attribute_tables.to_csv(sheets, published())))
    assert {round(float(row["chance"]), 3) for row in held} == {0.456, 0.5}


@pytest.fixture
def failing(put):
    """Four seeds; GAN-EM ends well on one of each attribute, never on two of the same."""
    for seed in range(4):
        for attribute in ("Bangs", "Male"):
            put("kmeans", attribute, 0.4, seed)
            ok = seed == 0 or (attribute, seed) == ("Male", 1)
            put("gan_em", attribute, 0.1, seed, **({} if ok else {"status": "diverged"}))


def test_a_lone_survivor_is_counted_told_and_never_best(store, failing):
    (sheet,), _ = sheets_of(store)
    text = attribute_tables.console([sheet], published())
    table = text.split("Mean error over")[0]
    bangs, male, mean = (
        next(line for line in table.splitlines() if line.startswith(name))
        for name in ("Bangs", "Male", "Mean of 2")
    )
    assert ".100 (1/4) " in bangs
    assert ".100 ± .000 (2/4)*" in male
    assert ".100 (1/4) " in mean
    assert ".400 ± .000*" in bangs
    assert ".400 ± .000*" in mean
    said = " ".join(table.split())
    assert "In brackets: seeds with a result, of all, where some have none." in said
    few = "Never called best, with results for fewer than half of the seeds: gan_em (Bangs, mean)."
    assert few in said
    assert "diverged: gan_em, Bangs seeds 1–3; Male seeds 2, 3: E: why" in said
    latex = attribute_tables.latex([sheet], published())
    assert r".100$\scriptstyle\,(1/4)$" in latex
    assert r"\textbf{.400}" in latex
    for name in (few, "Male seeds 2, 3: E: why"):
        assert name in latex.replace(r"\allowbreak{}", "").replace(r"\_", "_")


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
    (store.folder / f"{damaged.key}.npz").write_bytes(b"")
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
