import numpy as np
import pytest
from msgspec import structs

from deep_em_bench import methods
from deep_em_bench.reports import page_cells, page_pictures
from deep_em_bench.reports.comparison import compare
from deep_em_bench.reports.page import Suite, index, page
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed, MethodUsed, Store
from tests.reports.html_tree import PNG, data, lines, one, parsed, section


@pytest.fixture
def paged(store):
    """The page of some records, parsed."""

    def make(records, *, figures=None, mixed=False, arrays=None, **words):
        kept = [store.write(r, arrays if r.status == "ok" else None) for r in records]
        blocks = summarise(kept, mixed=mixed)
        return parsed(page("digits_raw", blocks, Stored(store), figures or {}, **words))

    return make


def test_scores_stand_first_with_spread_arrow_count_and_best(paged, suite_records):
    root = paged(suite_records)
    assert root.all("section")[0].attributes["id"] == "scores"
    table = section(root, "scores").all("table")[0]
    assert lines(table) == [
        ["Method", "Error ↓", "Purity ↑", "Clusters", "Fit (s)", "n"],
        ["train"],
        ["kmeans", ".210± .010", ".790± .010", "10.0± 0.0", "2.00", "3/3"],
        ["gan_em[stable]", ".120± .028", ".880± .028", "10.0± 0.0", "2.00", "2/3"],
        ["held-out"],
        ["kmeans", ".220± .010", "–", "–", "2.00", "3/3"],
        ["gan_em[stable]", ".130± .028", "–", "–", "2.00", "2/3"],
    ]
    assert [b.text for b in table.all("b")] == [".120", ".880", ".130"]
    said = section(root, "scores").all("p")[0].text
    assert "1,797 training points" in said
    assert "Profile quick: not comparable with published numbers." in said
    assert "seeds 0–2" in said


def test_numbers_sort_by_what_they_are(paged, suite_records):
    table = section(paged(suite_records), "scores").all("table")[0]
    row = table.all("tr")[2].all("td")
    assert float(row[0].attributes["data-v"]) == pytest.approx(0.21)
    held_out = table.all("tr")[5].all("td")
    assert "data-none" in held_out[1].attributes
    heads = table.all("th")[:6]
    assert [h.attributes.get("data-kind") for h in heads] == [None, *["number"] * 5]


def test_all_metrics_stand_below_folded(paged, suite_records):
    folded = section(paged(suite_records), "scores").all("details")
    assert [each.attributes["class"] for each in folded] == ["fold"]
    assert "Rand ↑" in lines(folded[0].all("table")[0])[0]


def test_failures_are_told_with_reason_and_traceback(paged, make_record):
    records = [make_record("a", s, status="diverged", error="E: loss is nan") for s in (0, 2)]
    failed = structs.replace(records[0].error, traceback="Traceback:\n  a line")
    records[0] = structs.replace(records[0], error=failed)
    part = section(paged([*records, make_record("b", 0, {"ari": 0.1})]), "failures")
    assert lines(part.all("table")[0])[1][:3] == ["a", "diverged", "seeds 0, 2"]
    assert "E: loss is nan" in part.text
    assert part.all("pre")[0].text == "Traceback:\n  a line"


def test_every_number_leads_to_its_cells(paged, suite_records):
    root = paged(suite_records)
    links = [a for a in section(root, "scores").all("a") if "data-row" in a.attributes]
    held = data(root)
    assert {int(a.attributes["data-row"]) for a in links} == {0, 1}
    assert [row["label"] for row in held["rows"]] == ["kmeans", "gan_em[stable]"]
    cells = [cell for cell in held["cells"] if cell[0] == 1]
    assert [cell[3] for cell in cells] == [r.key for r in suite_records if "gan" in r.label]


def test_a_cell_holds_all_that_its_record_does(make_record):
    record = make_record("a[b]", 3, {"ari": 0.123456789, "nmi": None}, {"ari": 1.0})
    key = record.key
    record = structs.replace(record, artifacts={f"{key}.npz": "f" * 64})
    failed = make_record("c", 1, status="timeout", error="TimeoutError: late")
    held = page_cells.cell_data(summarise([record, failed]), ["ari"])
    assert [(m["split"], m["name"]) for m in held["metrics"]] == [
        ("train", "ari"),
        ("train", "nmi"),
        ("held-out", "ari"),
    ]
    assert held["columns"] == [0, 2]
    first, second = held["cells"]
    shared = held["shared"]
    assert first[:4] == [0, 3, 0, key]
    assert first[5] == [0.1234568, None, 1.0]
    assert first[6] == [2.0] + [None] * 6
    assert shared[first[8]].items() >= {"threads": None, "jobs": 1, "device": "cpu"}.items()
    assert shared[first[9]]["n"] == 1797
    assert shared[first[10]]["method_version"] == 1
    assert first[12] == [["*.npz", "f" * 64]]
    assert first[13] is None
    assert held["status"][second[2]] == "timeout"
    assert shared[second[13]] == {"type": "TimeoutError", "message": "late", "traceback": ""}
    assert second[9] == first[9], "what cells share is held once"


def test_tracebacks_have_a_budget(make_record, monkeypatch):
    monkeypatch.setattr(page_cells, "TRACEBACKS", 5000)
    records = []
    for seed in range(3):
        record = make_record("a", seed, status="failed", error=f"E: {seed}")
        error = structs.replace(record.error, traceback=f"{seed}" * 9000)
        records.append(structs.replace(record, error=error))
    held = page_cells.cell_data(summarise(records), [])
    told = [held["shared"][cell[13]]["traceback"] for cell in held["cells"]]
    assert [len(text) < 4100 for text in told] == [True] * 3
    assert "5,000 characters left out" in told[0]
    assert "the cell's own file" in told[2]


def test_clusters_are_those_of_the_first_good_run(paged, make_record):
    arrays = {"y_train": np.array([0, 0, 1, 1]), "labels_train": np.array([1, 1, 1, 0])}
    used = DatasetUsed(name="toy", n=4, n_test=0, n_classes=2, class_names=("cat", "dog"))
    words = {"dataset": used, "n_clusters": 3}
    records = [
        make_record("a", 0, status="failed", **words),
        make_record("a", 1, {"ari": 0.0}, **words),
    ]
    table = section(paged(records, arrays=arrays), "clusters").all("table")[0]
    assert table.all("caption")[0].text == "a, seed 1"
    assert lines(table)[1:] == [
        ["cat", "3", ".667", "1"],
        ["dog", "1", "1.000", "0"],
        ["–", "0", "–", "2"],
    ]


def test_clusters_leave_out_what_the_fit_was_told_and_say_so(paged, make_record):
    arrays = {"y_train": np.array([0, 0, 1, 1]), "labels_train": np.array([0, 0, 1, 0])}
    told = {"labelled_rows": np.array([0, 3])}
    used = DatasetUsed(name="toy", words={"labelled": 2}, n=4, n_test=0)
    record = make_record("a", 0, {"ari": 0.0}, dataset=used, n_clusters=2)
    part = section(paged([record], arrays=arrays | told), "clusters")
    assert lines(part.all("table")[0])[1:] == [["0", "1", "1.000", "0"], ["1", "1", "1.000", "1"]]
    assert "Rows whose class the fit knew are left out." in part.text


def test_clusters_that_cannot_be_read_are_named(paged, make_record):
    record = make_record("a", 0, {"ari": 0.0})
    assert "The record stores no 'y_train': a." in section(paged([record]), "clusters").text
    record = structs.replace(record, artifacts={f"{record.key}.npz": "f" * 64})
    blocks = summarise([record])
    text = page("digits_raw", blocks, Stored(Store("nowhere")), {})
    assert "cannot be read here: a." in text


def test_figures_have_words(paged, suite_records):
    stem = "digits-raw-digits-10-quick"
    files = {
        f"points-{stem}.pdf": b"%PDF",
        f"points-{stem}.png": PNG,
        f"samples-{stem}-gan-em-stable.png": PNG,
        "ranks-digits-raw-data-sets-quick.png": PNG,
        "unheard-of.png": PNG,
    }
    part = section(paged(suite_records, figures=files), "figures")
    captions = [each.all("strong")[0].text for each in part.all("figcaption")]
    assert captions == [
        "Scores by method and seed",
        "Samples by component: gan_em[stable]",
        "Average ranks",
        "Unheard",
    ]
    pictures = part.all("img")
    assert all(each.attributes["alt"] for each in pictures)
    assert "digits, K = 10, quick" in pictures[0].attributes["alt"]
    assert pictures[0].attributes["src"].startswith("data:image/png;base64,")
    assert (pictures[0].attributes["width"], pictures[0].attributes["height"]) == ("1", "1")


def test_figures_beyond_the_budget_lie_beside_the_page(paged, suite_records, monkeypatch):
    monkeypatch.setattr(page_pictures, "EMBEDDED", len(PNG))
    part = section(paged(suite_records, figures={"em-a.png": PNG, "em-b.png": PNG}), "figures")
    assert len(part.all("img")) == 1
    assert [a.attributes["href"] for a in part.all("a")] == ["em-b.png"]


def test_sources_name_settings_data_code_machine_and_metrics(paged, suite_records):
    text = section(paged(suite_records), "sources").text
    for expected in ("v1", "000000000000", "1,797", "lower is better", "DEC), Eq. 10"):
        assert expected in text


def test_data_name_whence_they_came(paged, make_record):
    used = DatasetUsed(name="digits", n=10, where="https://example.org/digits", licence="MIT")
    table = section(paged([make_record("kmeans", dataset=used)]), "sources").all("table")[2]
    head, row = lines(table)
    assert row[head.index("From")] == "https://example.org/digits"


def test_presets_name_their_source_and_list_their_deviations(paged, make_record):
    made = [
        structs.replace(make_record("gan_em"), method=MethodUsed(name="gan_em", preset="paper")),
        structs.replace(make_record("kmeans"), method=MethodUsed(name="kmeans", preset="default")),
        structs.replace(make_record("theirs"), method=MethodUsed(name="theirs", preset="own")),
    ]
    part = section(paged(made), "sources")
    (table,) = (each for each in part.all("table") if lines(each)[0][1] == "Preset")
    paper, default, theirs = lines(table)[1:]
    assert paper[2].startswith("Zhao et al., GAN-EM")
    gan_em = methods.registry.get("gan_em").attributes["presets"]["paper"]
    assert tuple(item.text for item in table.all("li")) == gan_em.deviations
    assert default[2:] == ["scikit-learn's Lloyd iterations, k-means++ starts, best of 10", "–"]
    assert theirs[2:] == ["– not known here", "–"]


def test_published_numbers_stand_beside_ours(paged, make_record, store):
    from deep_em_bench.results.published import published

    used = DatasetUsed(name="mnist", n=60000, n_test=10000, words={"split": "train"})
    records = [
        make_record("kmeans[default]", s, {"error_rate": 0.46}, dataset=used, suite="mnist_raw")
        for s in range(2)
    ]
    blocks = summarise(records)
    text = page("mnist_raw", blocks, Stored(store), {}, compared=compare(blocks, published()))
    part = section(parsed(text), "published")
    row = lines(part.all("table")[0])[1]
    assert row[:2] == ["kmeans[default]", "Error"]
    assert "profile" in row[-2]
    assert "GAN-EM Table 1: 46.51" in row
    assert "Differs in profile: profile quick" in part.text


def test_differences_to_the_best(paged, suite_records):
    part = section(paged(suite_records), "differences")
    found = lines(part.all("table")[0])
    assert found[1] == ["Error ↓, train"]
    assert found[2][:2] == ["kmeans", "+.090"]
    assert found[2][3:5] == ["underpowered (n=2)", "2/3"]
    assert found[3][:2] == ["gan_em[stable]", "best"]
    assert "covers less: at most 50 % with 2." in part.text
    assert "underpowered (n=2)" in part.all("p")[-1].text


def test_one_seed_has_no_spread(paged, make_record):
    root = paged([make_record(label, 0, {"ari": v}) for label, v in (("a", 0.1), ("b", 0.2))])
    part = section(root, "scores")
    assert lines(part.all("table")[0])[1] == ["a", ".100", "2.00", "1/1"]
    assert "One run each, seed 0" in part.text


def test_a_suite_of_failures_has_rows_reasons_and_cells(paged, make_record):
    root = paged([make_record("a", s, status="diverged") for s in range(2)])
    assert lines(section(root, "scores").all("table")[0])[1] == ["a", "–", "0/2 all failed"]
    assert [s.attributes["id"] for s in root.all("section")] == [
        *("scores", "failures", "sources", "cells")
    ]
    assert len(data(root)["cells"]) == 2


def test_a_half_finished_suite_says_which_runs_it_lacks(paged, make_record):
    records = [make_record("a", s, {"ari": 0.1}) for s in range(4)]
    root = paged([*records, make_record("b", 0, {"ari": 0.2})])
    assert "No run with seeds 1–3, which other rows have: b." in section(root, "scores").text


def test_mixed_versions_are_marked(paged, make_record):
    records = [make_record("a", s, {"ari": 0.1}, version=s) for s in (0, 1)]
    root = paged([*records, make_record("b", 0, {"ari": 0.3})], mixed=True)
    part = section(root, "scores")
    assert lines(part.all("table")[0])[1][0] == "a mixed code"
    assert lines(part.all("table")[0])[2][0] == "b"
    mixed = [s.text for s in part.all("span") if s.attributes.get("class") == "mixed"]
    assert mixed == ["MIXED: a mixes code versions: v0 (seed 0); v1 (seed 1)."]
    assert "MIXED" in root.all("header")[0].text


def test_a_suite_without_records_says_what_makes_them(store):
    text = page("digits_raw", [], Stored(store), {})
    assert "python -m benchmarks.run --suite digits_raw" in text
    assert len(parsed(text).all("h1")) == 1


def test_the_index_lists_every_suite_with_its_state(suite_records):
    suites = [
        Suite(name="digits_raw", records=suite_records),
        Suite(name="mixed one", records=suite_records, problem="mixes versions; --mixed"),
        Suite(name="empty", problem="no readable records"),
    ]
    root = parsed(index(suites))
    found = lines(one(root, "table"))
    assert found[1][0] == "digits_raw"
    assert found[1][3:5] == ["2", "5/6"]
    assert found[1][-1] == "5 ok, 1 diverged"
    assert found[2][-1] == "mixes versions; --mixed"
    assert found[2][3:5] == ["2", "5/6"]
    assert found[3][:5] == ["empty", "–", "–", "–", "–"]
    links = [a.attributes["href"] for a in one(root, "table").all("a")]
    assert links == ["digits_raw/index.html"]
    assert "benchmarks.run" in index([])


def test_a_page_links_to_the_index_only_where_there_is_one(paged, suite_records):
    for indexed in (True, False):
        links = [a.attributes["href"] for a in paged(suite_records, indexed=indexed).all("a")]
        assert ("../index.html" in links) is indexed


def test_thousands_of_cells_stay_small(make_record):
    blocks = summarise(
        [make_record(f"m{i}", s, {"ari": 0.1 + s}) for i in range(4) for s in range(500)]
    )
    text = page("digits_raw", blocks, Stored(Store("nowhere")), {}, ["ari"])
    assert len(text) < 600 * 2000
    assert len(data(parsed(text))["cells"]) == 2000


def test_samples_have_a_table_with_real_images_below(paged, make_samples):
    root = paged([make_samples("a", 0, 20.0), make_samples("b", 0, 231.04, n_parameters=2500)])
    labels, samples = section(root, "scores").all("table")
    assert "FID" not in labels.text
    found = lines(samples)
    assert [line[0] for line in found[1:]] == ["a", "b", "real images"]
    assert found[2][-3:] == ["2,500", "2.00", "1/1"]
    assert "231" in found[2]
    assert found[3][-3:] == ["–"] * 3
    assert "LeNet (digest abababab; accuracy .991 on held-out" in section(root, "scores").text
    told = data(root)
    (place,) = {cell[-1] for cell in told["cells"]}
    assert told["shared"][place]["lenet"]["n_fake"] == 5000
    assert told["shared"][place]["real images"]["fid_lenet"] == 0.873


def test_components_have_a_table_of_their_own(paged, make_samples):
    record = make_samples("a")
    apart = {"is_between_lenet": 3.4, "is_std_lenet": 0.1}
    scores = structs.replace(record.metrics, generation={**record.metrics.generation, **apart})
    root = paged([structs.replace(record, metrics=scores), make_samples("b")])
    _, samples, components, *folded = section(root, "scores").all("table")
    assert "IS between" not in samples.text
    assert lines(components)[1:] == [["a", "3.40", "2.00", "1/1"]]
    assert "By component (Benny et al., 2021)" in section(root, "scores").text
    assert ["IS between" in table.text for table in folded] == [False]  # it has no more columns


def test_every_row_leads_to_its_cells(paged, suite_records):
    root = paged(suite_records)
    rows = data(root)["rows"]
    for name in ("scores", "differences"):
        found = [link for link in section(root, name).all("a") if "class" in link.attributes]
        assert {link.text for link in found} == {row["label"] for row in rows}
        for link in found:
            assert rows[int(link.attributes["data-row"])]["label"] == link.text


def test_clusters_lead_to_the_run_that_they_are_of(paged, make_record):
    arrays = {"y_train": np.arange(20) % 2, "labels_train": np.arange(20) % 2}
    record = make_record("a", 0, {"ari": 0.1})
    (caption,) = section(paged([record], arrays=arrays), "clusters").all("caption")
    assert caption.all("a")[0].attributes["href"] == f"#{record.key}"
