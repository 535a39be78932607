import csv
import io
import json

import pytest

from deep_em_bench import metrics
from deep_em_bench.benchmarks.execute import FEATURES
from deep_em_bench.reports import latex
from deep_em_bench.reports.caption import caption
from deep_em_bench.reports.summary import summarise
from deep_em_bench.reports.tables import console, measured, shown_metrics, to_csv, to_json
from deep_em_bench.results import DatasetUsed, Resources


def test_console_table(suite_records):
    blocks = summarise(suite_records)
    lines = console(blocks, ["error_rate", "purity", "active_clusters"]).splitlines()
    start = lines.index("") + 1
    assert lines[start:] == [
        "                  error_rate ↓      purity ↑  active_clusters  fit s    n",
        "train",
        "  kmeans          .210 ± .010   .790 ± .010       10.0 ± 0.0    2.00  3/3",
        "  gan_em[stable]  .120 ± .028*  .880 ± .028*      10.0 ± 0.0    2.00  2/3",
        "held-out",
        "  kmeans          .220 ± .010             –                –    2.00  3/3",
        "  gan_em[stable]  .130 ± .028*            –                –    2.00  2/3",
        "",
        "diverged: gan_em[stable], seed 2: DivergenceError: loss is nan",
    ]


def test_console_columns_align_whatever_the_labels(make_record):
    labels = ["kmeans", "日本語", "e\u0301t\u0301e", "x" * 60]
    (block,) = summarise([make_record(label, 0, {"ari": 0.5}) for label in labels])
    table = console([block], ["ari"]).splitlines()[-4:]
    assert {
        line.replace("日本語", "xxxxxx").replace("\u0301", "").index(".500") for line in table
    } == {64}


def test_nothing_in_a_record_steers_the_terminal(make_record):
    records = [
        make_record("\x1b[31mred\x07", 0, {"ari": 0.5}),
        make_record("x\ny", 0, status="failed", error="E\x1b: \x1b]0;title\x07"),
    ]
    text = console(summarise(records), ["ari"])
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "x?y" in text


def test_a_table_of_failures_has_its_rows(make_record):
    text = console(summarise([make_record("a", s, status="timeout") for s in range(2)]), [])
    assert "0/2" in text
    assert "timeout: a, seeds 0, 1: E: why" in text
    assert "No run ended well." in text


def test_csv_holds_every_number(suite_records):
    lines = list(csv.DictReader(io.StringIO(to_csv(summarise(suite_records)))))
    found = {(line["label"], line["split"], line["metric"]): line for line in lines}
    assert len(found) == len(lines) == 2 * (3 + 2 + 1)
    line = found["gan_em[stable]", "train", "error_rate"]
    assert float(line["mean"]) == pytest.approx(0.12)
    assert float(line["median"]) == pytest.approx(0.12)
    assert (line["n"], line["n_ok"], line["n_runs"], line["best"]) == ("2", "2", "3", "1")
    assert (line["direction"], line["method"], line["profile"]) == ("lower", "gan_em", "quick")
    assert found["kmeans", "test", "rand_index"]["mean"] == "0.9"
    assert found["kmeans", "", "fit_s"]["mean"] == "2.0"


def test_csv_keeps_a_row_without_result_and_any_label(make_record):
    label = 'a,"b"\nc'
    records = [make_record("kmeans", 0, {"ari": 0.5}), make_record(label, 0, status="failed")]
    lines = list(csv.DictReader(io.StringIO(to_csv(summarise(records)))))
    (line,) = [line for line in lines if line["label"] == label and line["metric"] == "ari"]
    assert (line["mean"], line["n_ok"], line["n_runs"]) == ("", "0", "1")


def test_json_holds_rows_failures_and_caption(suite_records):
    (block,) = json.loads(to_json(summarise(suite_records)))
    assert [row["label"] for row in block["rows"]] == ["kmeans", "gan_em[stable]"]
    row = block["rows"][1]
    assert (row["n_ok"], row["n_runs"], row["seeds"]) == (2, 3, [0, 1, 2])
    (number,) = [n for n in row["numbers"] if (n["split"], n["metric"]) == ("train", "purity")]
    assert number["mean"] == pytest.approx(0.88)
    assert number["best"] is True
    assert block["failures"] == [
        {
            "label": "gan_em[stable]",
            "status": "diverged",
            "seeds": [2],
            "message": "DivergenceError: loss is nan",
        }
    ]
    assert "not comparable with published numbers" in block["caption"]


def test_columns_without_being_asked_for(make_record, suite_records):
    assert shown_metrics(summarise(suite_records)) == ["error_rate", "purity", "active_clusters"]
    assert measured(summarise(suite_records)) == [
        *("active_clusters", "error_rate", "purity", "rand_index")
    ]
    other = summarise([make_record("a", 0, {"fid_lenet": 3.0})])
    assert shown_metrics(other) == ["fid_lenet"]


def test_caption_names_profile_data_seeds_and_machine(make_record):
    used = DatasetUsed(name="mnist", words={"subset": 10000}, n=10000, n_test=10000)
    on_gpu = Resources(device="cuda", precision="bf16", jobs=4, compile=True)
    records = [
        *[make_record("kmeans", s, {"ari": 0.1}, dataset=used) for s in range(3)],
        *[make_record("x", s, {"ari": 0.1}, dataset=used, resources=on_gpu) for s in range(2)],
    ]
    text = " ".join(caption(summarise(records)[0], mark="in bold"))
    assert text == (
        "digits_raw: mnist(subset=10000), 10,000 training points, 10,000 held out, K = 10. "
        "Profile quick: not comparable with published numbers. "
        "Mean ± standard deviation of the last iterate over seeds 0–2; best mean in bold; "
        "n: runs that ended well, of all. Not every row has every seed. "
        "Fit: mean seconds on the device of each row's letter (a cpu, b cuda), nets in bf16, "
        "some of them compiled, up to 4 cells at a time. Seconds on different devices do not "
        "compare."
    )


def test_seconds_bear_the_letter_of_their_device_where_there_are_several(make_record):
    on_gpu = Resources(device="cuda")
    records = [
        make_record("kmeans", 0, {"ari": 0.1}),
        make_record("x", 0, {"ari": 0.1}, resources=on_gpu),
        make_record("y", 0, {"ari": 0.1}),
        make_record("y", 1, {"ari": 0.1}, resources=on_gpu),
        make_record("z", 0, status="failed", resources=Resources(device="mps")),
    ]
    blocks = summarise(records)
    lines = console(blocks, ["ari"]).splitlines()
    seconds = {line.split()[0]: line.split("  ")[-2].strip() for line in lines if "/" in line}
    assert (seconds["kmeans"], seconds["x"], seconds["y"]) == ("2.00 a", "2.00 b", "2.00 a, b")
    assert r"kmeans & \textbf{.100} & 2.00 a & 1/1" in latex.comparison(blocks, ["ari"])
    assert [row["devices"] for row in json.loads(to_json(blocks))[0]["rows"]] == [
        *(["cpu"], ["cuda"], ["cpu", "cuda"], []),
    ]
    (alone,) = summarise(records[:1])
    assert alone.ran_on(alone.rows[0]) == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "all 60,000 training points"),
        ({"subset": 10_000, "split": "train"}, "all 60,000 training points"),
        ({"subset": 10_000, "split": "all"}, "all training points, not these alone"),
    ],
)
def test_what_features_were_learnt_from_is_said(make_record, words, said):
    n = words.get("subset", 60_000)
    used = DatasetUsed(name="mnist", words={"features": "sae10", **words}, n=n, n_test=0)
    (block,) = summarise([make_record("a", dataset=used)])
    assert f"Features sae10: learnt without labels from {said}." in caption(block, mark="*")


def test_the_full_profile_is_comparable_and_a_mixture_is_said(make_record):
    records = [make_record("a", s, {"ari": 0.1}, profile="full", version=s) for s in (0, 1)]
    text = " ".join(caption(summarise(records, mixed=True)[0], mark="marked"))
    assert "Profile full. " in text
    assert "MIXED: a mixes code versions" in text


def test_a_single_seed_claims_no_spread(make_record):
    (block,) = summarise([make_record("a", 4, {"ari": 0.1}), make_record("b", 4, {"ari": 0.2})])
    assert "One run each, seed 4; best value marked *." in caption(block, mark="marked *")
    assert "±" not in console([block], ["ari"])


@pytest.mark.parametrize("seeds", [1, 3])
def test_where_no_run_ended_well_no_mean_is_promised(make_record, seeds):
    failed = [make_record("a", s, status="failed") for s in range(seeds)]
    (block,) = summarise(failed)
    assert caption(block, mark="in bold") == [
        "digits_raw: digits, 1,797 training points, none held out, K = 10.",
        "Profile quick: not comparable with published numbers.",
        "No run ended well.",
    ]
    (block,) = summarise([*failed, make_record("b", 0, {"ari": 0.1})])
    text = " ".join(caption(block, mark="in bold"))
    assert "No run ended well." not in text
    assert "in bold" in text


def test_the_caption_names_who_is_too_seldom_there_to_be_best(make_record):
    lucky = [make_record("lucky", s, status="failed") for s in range(1, 3)]
    records = [
        *lucky,
        make_record("lucky", 0, {"ari": 0.99}),
        make_record("none", status="failed"),
    ]
    (block,) = summarise([*records, *(make_record("a", s, {"ari": 0.1}) for s in range(3))])
    text = " ".join(caption(block, mark="in bold"))
    assert "Never called best, with results for fewer than half of the seeds: lucky. " in text
    (row,) = [line for line in console([block], ["ari"]).splitlines() if "lucky" in line[:8]]
    assert ".990 " in row


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("artificial_characters", "A point is a line segment with its character's letter"),
        ("celeba", "Labels chose the images (GAN-EM, appendix B.3)."),
    ],
)
def test_the_caption_says_what_the_data_are(make_record, name, said):
    (block,) = summarise([make_record("a", dataset=DatasetUsed(name=name, n=10, n_test=0))])
    assert said in " ".join(caption(block, mark="in bold"))
    (block,) = summarise([make_record("a")])
    assert said not in " ".join(caption(block, mark="in bold"))


def test_the_caption_says_of_which_points_and_map_the_nearest_neighbours_are(make_record):
    large = DatasetUsed(name="mnist", n=60_000, n_test=10_000)
    scores = {"error_rate": 0.1, "knn_accuracy": 0.9}
    records = [
        make_record(label, 0, {"error_rate": 0.1}, scores, dataset=large)
        for label in ("pca_kmeans[2]", "tsne_kmeans[2]")
    ]
    (block,) = summarise(records)
    text = " ".join(caption(block, mark="in bold"))
    assert f"k-NN accuracy: of the first {FEATURES:,} points of the split. " in text
    assert "The k-NN accuracy of tsne_kmeans[2] is transductive: of a map that was fitted" in text
    assert f"{FEATURES:,} points" in metrics.info("knn_accuracy").source
    assert "k-NN" not in " ".join(caption(block, mark="in bold", columns=["error_rate"]))
    (block,) = summarise([make_record("pca_kmeans[2]", 0, scores)])
    assert "k-NN" not in " ".join(caption(block, mark="in bold"))  # of all points, and by a map
