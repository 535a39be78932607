"""Scores of samples in the tables: their columns, the real images' row, the nets behind them."""

import csv
import io
import json

import pytest
from msgspec import structs

from deep_em_bench.core import UserError
from deep_em_bench.reports.caption import caption
from deep_em_bench.reports.latex import comparison
from deep_em_bench.reports.summary import summarise
from deep_em_bench.reports.tables import console, parts, shown_metrics, to_csv, to_json
from deep_em_bench.results import DatasetUsed


@pytest.fixture
def blocks(make_record, make_samples):
    """K-means, which draws nothing, and two methods over two seeds."""
    said = {"suite": "generation"}
    return summarise(
        [
            *(make_record("kmeans", s, {"nmi": 0.4}, **said) for s in range(2)),
            *(make_samples("gm_gan[static]", s, 21.0 + 2 * s) for s in range(2)),
            *(make_samples("responsibility_gan", s, 7.0 + s) for s in range(2)),
        ]
    )


def test_columns_are_those_of_the_nets_there(blocks, make_samples):
    assert shown_metrics(blocks) == ["nmi", "is_lenet", "fid_lenet", "kid_lenet"]
    both = [make_samples("a", net={"name": name}) for name in ("squeezenet", "inception")]
    assert shown_metrics(summarise(both)) == [
        *("nmi", "is_squeezenet", "fid_squeezenet", "kid_squeezenet"),
        *("is_inception", "fid_inception", "kid_inception"),
    ]


def test_samples_have_a_table_of_their_own_and_real_images_stand_apart(blocks):
    text = console(blocks, shown_metrics(blocks)).splitlines()
    assert [" ".join(line.split()) for line in text[text.index("") + 1 :]] == [
        "nmi ↑ fit s n",
        "train",
        "kmeans .400 ± .000 2.00 2/2",
        "gm_gan[static] .500 ± .000* 2.00 2/2",
        "responsibility_gan .500 ± .000* 2.00 2/2",
        "",
        "is_lenet ↑ fid_lenet ↓ kid_lenet ↓ parameters fit s n",
        "samples",
        "gm_gan[static] 9.28 ± 0.01 22.0 ± 1.4 0.0220 ± 0.0014 1,000 2.00 2/2",
        "responsibility_gan 9.43 ± 0.01* 7.50 ± 0.71* 0.00750 ± 0.00071* 1,000 2.00 2/2",
        "",
        "real images 9.93 0.873 -0.000012",
    ]
    assert text[-1].index("9.93") == text[-3].index("9.43") + len(" ± 0.01")


def test_each_data_set_has_the_columns_of_its_own_net(make_samples):
    flowers = DatasetUsed(name="flowers102", n=100, n_test=0)
    blocks = summarise(
        [make_samples("a"), make_samples("a", net={"name": "squeezenet"}, dataset=flowers)]
    )
    shown = shown_metrics(blocks)
    assert [parts(block, shown)[1].columns for block in blocks] == [
        ("is_lenet", "fid_lenet", "kid_lenet"),
        ("is_squeezenet", "fid_squeezenet", "kid_squeezenet"),
    ]


def test_a_row_that_gave_nothing_at_all_stays(make_samples):
    records = [make_samples("a"), make_samples("b", status="failed")]
    (block,) = summarise(records)
    assert [row.label for row in parts(block, ["fid_lenet"])[0].rows] == ["a", "b"]
    assert "1,000   2.00  1/1" in console([block], ["fid_lenet"])


def test_the_best_mark_is_never_the_real_images(blocks):
    (block,) = blocks
    assert block.best("generation", "fid_lenet") == {"responsibility_gan"}
    latex = comparison(blocks, shown_metrics(blocks))
    assert r"& \textbf{9.43}$\scriptstyle\,\pm\,0.01$" in latex
    assert "\\midrule\n\\emph{real images} & 9.93 & 0.873 & $-$0.000012 &  &  &  \\\\" in latex
    assert latex.count(r"\begin{table") == 2
    assert r"\label{tab:generation-digits-10-quick-samples}" in latex
    assert r"IS (LeNet)\,$\uparrow$ & FID (LeNet)\,$\downarrow$" in latex


def test_csv_and_json_hold_the_real_images_and_the_nets(blocks):
    lines = list(csv.DictReader(io.StringIO(to_csv(blocks))))
    real = {line["metric"]: line for line in lines if line["label"] == "real images"}
    assert set(real) == {"is_lenet", "fid_lenet", "kid_lenet"}
    line = real["kid_lenet"]
    assert (float(line["mean"]), line["std"], line["method"], line["best"]) == (
        *(-0.0000123, "", "", "0"),
    )
    (block,) = json.loads(to_json(blocks))
    assert [each["metric"] for each in block["real_images"]] == sorted(real)
    assert block["extractors"][0]["sha256"] == "ab" * 32
    assert block["rows"][1]["n_parameters"] == 1000
    assert block["rows"][0]["n_parameters"] is None


def test_the_caption_tells_the_net_its_digest_and_the_counts(make_samples):
    used = DatasetUsed(name="mnist", n=60_000, n_test=10_000)
    (block,) = summarise([make_samples("a", dataset=used)])
    text = " ".join(caption(block, mark="in bold"))
    assert (
        "LeNet (digest abababab; accuracy .991 on held-out images): 5,000 samples a run against "
        "10,000 real images, held out. Real images: 5,000 against as many others" in text
    )
    assert "biased" not in text
    assert "LeNet" not in " ".join(caption(block, mark="in bold", columns=["nmi"]))
    net = {"name": "inception", "accuracy": None, "n_floor": 261, "n_fake": 500, "n_real": None}
    (block,) = summarise([make_samples("a", net=net)])
    text = " ".join(caption(block, mark="in bold"))
    assert "Inception (digest abababab; not trained on these data): 500 samples" in text
    assert "against an unknown number of real images, those of the fit." in text
    assert "They are fewer than the samples, so their FID is biased upwards." in text


def test_real_images_have_a_spread_only_where_seeds_draw_other_data(make_samples):
    (block,) = summarise([make_samples("a", s, real={"fid_lenet": 1.0}) for s in range(3)])
    real = block.real("fid_lenet")
    assert (real.mean, real.std, real.n) == (1.0, None, 1)
    assert block.real("fid_of_no_net") is None
    drawn = [make_samples("a", s, real={"fid_lenet": 1.0 + s}) for s in range(3)]
    (block,) = summarise([*drawn, make_samples("b", 0, real={"fid_lenet": 1.0001})])
    assert block.real("fid_lenet").std == pytest.approx(1.0, abs=1e-3)
    assert block.mixed == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"net": {"sha256": "cd" * 32}}, "the table mixes nets or counts behind lenet"),
        ({"net": {"n_fake": 1000}}, "n_fake = 1000"),
        ({"net": {"n_real": 1000}}, "n_real = 1000"),
        (
            {"real": {"fid_lenet": 0.9}},
            "seed 0 has several scores of the real images: fid_lenet",
        ),
    ],
)
def test_scores_of_other_nets_or_counts_are_refused_or_said(make_samples, changed, said):
    records = [make_samples("a"), make_samples("b", **changed)]
    with pytest.raises(UserError, match="run these cells again with --force, or show all"):
        summarise(records)
    (block,) = summarise(records, mixed=True)
    assert said in " ".join(block.mixed)
    assert "MIXED: " in console([block], ["fid_lenet"])


def test_two_data_sets_may_have_two_nets_of_one_name(make_samples):
    fashion = DatasetUsed(name="fashion_mnist", n=100, n_test=0)
    records = [make_samples("a"), make_samples("a", net={"sha256": "cd" * 32}, dataset=fashion)]
    assert [block.mixed for block in summarise(records)] == [(), ()]


@pytest.fixture
def by_component(make_samples):
    """Two methods, one of which has components that were scored one by one."""
    record = make_samples("gm_gan[static]")
    apart = {"is_between_lenet": 3.4, "is_within_lenet": 1.4, "fid_within_lenet": 16.5}
    scores = structs.replace(record.metrics, generation={**record.metrics.generation, **apart})
    return summarise([make_samples("vanilla_gan"), structs.replace(record, metrics=scores)])


def test_components_have_a_table_of_their_own_with_the_rows_that_have_some(by_component):
    shown = shown_metrics(by_component)
    samples, components = parts(by_component[0], shown)[1:]
    assert samples.columns == ("is_lenet", "fid_lenet", "kid_lenet")
    assert len(samples.rows) == 2
    assert components.columns == ("is_between_lenet", "is_within_lenet", "fid_within_lenet")
    text = console(by_component, shown).splitlines()
    assert [" ".join(line.split()) for line in text[-3:]] == [
        "is_between_lenet ↑ is_within_lenet ↓ fid_within_lenet ↓ fit s n",
        "samples by component",
        "gm_gan[static] 3.40 1.40 16.5 2.00 1/1",
    ]
    assert any(line.startswith("By component (Benny et al., 2021): IS between") for line in text)
    *_, of_samples, of_components = comparison(by_component, shown).split(r"\begin{table*}")
    assert "By component" not in of_samples
    assert "By component" in of_components
    assert r"gm\_gan[static] & 3.40 & 1.40 & 16.5 & 2.00 & 1/1" in of_components
    assert "real images}" not in of_components
    assert len(parts(by_component[0], ["nmi"])) == 1
