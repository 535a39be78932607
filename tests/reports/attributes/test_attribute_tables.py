"""Attributes as rows of one table: grouping, means by seed, published numbers, text and LaTeX."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from deep_em_bench.datasets.celeba import FACES_FILE
from deep_em_bench.reports import attribute_tables
from deep_em_bench.reports.attribute_marks import differing
from deep_em_bench.reports.attributes import attribute_of
from deep_em_bench.reports.comparison import KINDS, compare
from deep_em_bench.results import DatasetUsed
from deep_em_bench.results.published import published
from tests.reports.attributes.cases import ATTRIBUTES, sheets_of


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
    put("kmeans", "Male", 0.4, profile="full", files=["other"])
    put("kmeans", "Male", 0.4, profile="full", files=[FACES_FILE.path], labelled=100)
    whole, compact = (" ".join(sheet.reading()) for sheet in sheets_of(store)[0])
    assert "Profile full. LABELS" in whole
    assert (
        "Profile full, images out of 4,000, not out of all of CelebA: not comparable with "
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
