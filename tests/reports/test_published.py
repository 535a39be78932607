import dataclasses
import math
import re

import pytest
from msgspec import structs

from deep_em_bench.reports.data.blocks import blocks_of
from deep_em_bench.reports.data.published import compare_published
from deep_em_bench.reports.render.console import console
from deep_em_bench.reports.tables.published import beside_published, comparable
from deep_em_bench.results import DatasetUsed, MethodUsed, frame_of
from deep_em_bench.results.published import find, published

MNIST = DatasetUsed(name="mnist", words={"split": "train"}, n=60_000, n_test=10_000)
SMALL = DatasetUsed(
    name="mnist", words={"split": "train", "subset": 10_000}, n=10_000, n_test=10_000
)


@pytest.fixture
def run(make_record):
    """Records of one row over seeds, one value per seed, at the paper's scale by default."""

    def make(name, preset, values, metric="error_rate", *, label=None, params=None, **words):
        method = MethodUsed(
            name=name, preset=preset, params=params or {}, n_parameters=words.pop("size", None)
        )
        options = {"suite": "mnist_raw", "profile": "full", "dataset": MNIST} | words
        return [
            structs.replace(
                make_record(label or f"{name}[{preset}]", seed, {metric: value}, **options),
                method=method,
            )
            for seed, value in enumerate(values)
        ]

    return make


def pairs(records, **chosen):
    comparisons = compare_published(
        blocks_of(records, frame_of(records)), find(published(), **chosen)
    )
    return [pair for each in comparisons for pair in each.rows]


def kinds(pair):
    return {difference.kind for difference in pair.differs}


def test_a_measured_number_stands_beside_its_published_one(run):
    (pair,) = pairs(run("kmeans", "default", [0.46, 0.47]))
    assert (pair.entry.where, pair.entry.row) == ("GAN-EM Table 1", "K-means [16]")
    assert (pair.metric, pair.split) == ("error_rate", "train")
    assert pair.measured.mean == pytest.approx(0.465)
    assert pair.difference == pytest.approx(0.465 - 0.4651)
    # t(.975, 1) = 12.706; s = .01 / sqrt(2)
    half = 12.7062 * (0.01 / math.sqrt(2)) / math.sqrt(2)
    assert pair.interval == pytest.approx((0.465 - half, 0.465 + half), abs=1e-5)
    assert pair.holds is None  # another number of points, and who knows which were scored


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        ([0.30, 0.31, 0.32], False),
        ([0.30, 0.40, 0.60], True),
        ([0.46514, 0.46514], True),  # no spread, but it prints as 46.51
        ([0.46517, 0.46517], False),
        ([0.4651], None),
    ],
)
def test_whether_the_interval_holds_the_published_number(run, values, holds):
    (pair,) = pairs(run("kmeans", "default", values))
    same = dataclasses.replace(pair, differs=())
    assert same.holds is holds
    assert (same.interval is None) == (len(values) == 1)


def test_a_protocol_that_differs_is_never_said_to_hold_a_number(run):
    (wide,) = pairs(run("kmeans", "default", [0.30, 0.40, 0.60]))
    (far,) = pairs(run("kmeans", "default", [0.30, 0.31, 0.32]))
    assert wide.differs
    assert (wide.holds, far.holds) == (None, False)


def test_a_purity_printed_as_an_error_is_compared_with_purity(run):
    matches = pairs(run("gmm", "full", [0.59, 0.60], "purity"))
    assert [(pair.entry.where, pair.entry.value) for pair in matches] == [
        *(("GAN-EM Table 1", 0.3261), ("GANMM Table 1", 0.3261)),
    ]


def test_every_way_to_differ_is_read_off_the_record(run):
    records = run("gmm", "full", [0.59, 0.60], "purity")
    (pair,) = pairs(records, metric="purity")[1:]
    assert kinds(pair) == {"split", "scale"}  # GANMM clusters 50,000 and names no split
    quick = run("gmm", "full", [0.59], "purity", profile="quick", dataset=SMALL)
    assert kinds(pairs(quick)[1]) == {"profile", "split", "scale"}
    pca = run("gmm", "pca_full", [0.59], "purity")
    assert kinds(pairs(pca)[1]) == {"preset", "split", "scale"}
    own = run("gmm", "full", [0.59], "purity", label="gmm, tied")
    assert kinds(pairs(own)[1]) == {"variant", "split", "scale"}
    # K differs where no block has the published one
    wide = run("gmm", "full", [0.59], "purity", n_clusters=20)
    assert kinds(pairs(wide)[1]) == {"clusters", "split", "scale"}
    unknown = pairs(run("gan_em", "paper", [0.1]))
    assert [(pair.metric, kinds(pair)) for pair in unknown] == [
        ("error_rate", {"metric", "split", "scale"}),
    ]


def test_features_settings_and_labels(run):
    sae = structs.replace(MNIST, words={"features": "sae10"})
    on_features = run("gmm", "full", [0.86], "purity", suite="mnist_sae", dataset=sae)
    assert kinds(pairs(on_features)[0]) == {"split", "scale"}
    raw = run("gmm", "full", [0.86], "purity", suite="mnist_sae")
    assert kinds(pairs(raw)[0]) == {"features", "split", "scale"}
    regions = DatasetUsed(name="image_segmentation", words={"reading": "ganmm"}, n=2300, n_test=0)
    options = {"suite": "uci", "n_clusters": 7}
    same = run("gmm", "full", [0.45], "purity", dataset=regions, **options)
    assert kinds(pairs(same)[0]) == set()
    standard = structs.replace(regions, words={"reading": "standard"}, n=2310)
    other = run("gmm", "full", [0.45], "purity", dataset=standard, **options)
    assert kinds(pairs(other)[0]) == {"setting", "scale"}
    few = structs.replace(MNIST, words={"labelled": 100})
    classes = "error_rate_classes"  # components carry the class ids where labels are known
    semi = run("gan_em", "paper", [0.02], classes, suite="mnist_semi", dataset=few)
    assert [("labels" in kinds(pair)) for pair in pairs(semi)] == [False, True]


def test_a_block_of_the_published_k_alone_is_compared(run):
    records = [
        record
        for K in (10, 20)
        for record in run(
            "gan_em", "paper", [0.1], "error_rate_class_mode", suite="mnist_k", n_clusters=K
        )
    ]
    matches = [
        (pair.row.records[0].n_clusters, pair.entry.printed, "clusters" in kinds(pair))
        for pair in pairs(records)
    ]
    assert matches == [
        (10, "4.20(±0.51)", False),
        (10, "3.97(±0.37)", True),
        (20, "4.04(±0.42)", False),
        (20, "3.97(±0.37)", True),
    ]


def test_a_block_of_the_published_number_of_labels_alone_is_compared(run):
    some = {
        n: run(
            *("gan_em", "paper", [0.02], "error_rate_classes"),
            suite="mnist_semi",
            dataset=structs.replace(MNIST, words={"labelled": n}),
        )
        for n in (100, 1000)
    }
    matches = pairs([*some[100], *some[1000]])
    assert [(pair.entry.printed, "labels" in kinds(pair)) for pair in matches] == [
        ("1.09(±0.18)", False),
        ("1.03(±0.15)", False),
    ]
    assert [("labels" in kinds(pair)) for pair in pairs(some[100])] == [False, True]


def test_an_attribute_is_compared_with_itself(run):
    hat = DatasetUsed(name="celeba", words={"attribute": "Wearing_Hat"}, n=9818, n_test=0)
    options = {"suite": "celeba", "n_clusters": 2, "dataset": hat}
    matches = pairs(run("gan_em", "paper", [0.4], **options))
    assert [pair.entry.printed for pair in matches] == ["0.2941"]
    assert "labels" not in kinds(matches[0])
    known = structs.replace(hat, words={**hat.words, "labelled": 100})
    options["dataset"] = known
    matches = pairs(run("gan_em", "paper", [0.2], "error_rate_classes", **options))
    assert [pair.entry.printed for pair in matches] == ["0.1598"]
    assert "labels" not in kinds(matches[0])


def test_sizes_of_models_and_variants_by_parameter(run, make_record):
    flowers = DatasetUsed(name="flowers102", words={}, n=100, n_test=0)
    options = {"suite": "generation", "dataset": flowers, "size": 8_000_000}
    shared = run("responsibility_gan", "paper", [0.5], params={"shared": True}, **options)
    (pair,) = pairs(shared)
    assert (pair.entry.row, pair.metric) == ("Proposed (encoding shared)", "n_parameters")
    assert pair.difference == 8_000_000 - 8_794_835
    assert (pair.split, pair.interval, kinds(pair)) == ("", None, set())


def test_what_has_no_counterpart_is_left_out(run):
    assert pairs(run("kmeans", "default", [0.4], suite="digits_raw")) == []
    assert pairs(run("kmeans", "default", [0.4], "nmi")) == []
    records = run("kmeans", "default", [0.4])
    (each,) = compare_published(blocks_of(records, frame_of(records)), published())
    missing = {entry.method for entry in each.unmeasured}
    assert {"ganmm", "dec", "vade"} <= missing
    assert "kmeans" not in missing


def test_the_printed_table(run, gather):
    quick = {"profile": "quick", "dataset": SMALL}
    records = run("kmeans", "default", [0.46, 0.47, 0.48], **quick)
    records += run("gmm", "full", [0.59], "purity", **quick)
    data = gather(records)
    text = console(beside_published(data))
    lines = text.splitlines()
    assert "Profile quick: not comparable with published numbers." in lines
    (kmeans,) = [line for line in lines if line.startswith("  K-means")]
    assert re.split("  +", kmeans.strip()) == [
        *("K-means", "Error", "training", ".470 ± .010", "3", ".465"),
        *("+.005", "[.445, .495]", "profile, split, scale", "46.51"),
    ]
    assert "Differs in profile: profile quick: smaller nets and budgets" in text
    assert "GAN-EM Table 1, GMM [16]: A purity printed" in text
    assert "Not measured here: DEC [27], GAN-EM Table 1:" in text
    assert "GAN-EM Table 1: The column mixes one-to-one error" in " ".join(text.split())
    assert comparable(data).startswith("no: protocols differ in profile, split, scale")


def test_spreads_of_table_6_are_written_as_their_means(flowers, gather):
    text = console(beside_published(gather([flowers("responsibility_gan", True)])))
    for number in ("206 ± 8", "3.14 ± 0.16", "8,794,835"):
        assert number in text


FLOWERS = DatasetUsed(name="flowers102", words={"split": "all"}, n=522, n_test=0)


@pytest.fixture
def flowers(make_samples):
    """One run of the responsibility GAN on the flowers, with the classifier shared or not."""

    def make(label, shared, *, preset="paper", net=None, profile="full", **params):
        record = make_samples(
            label,
            method="responsibility_gan",
            params={"shared": shared, **params},
            profile=profile,
            dataset=FLOWERS,
            net={"name": "squeezenet"} | (net or {}),
            n_parameters=8_794_835,
        )
        return structs.replace(record, method=structs.replace(record.method, preset=preset))

    return make


def test_table_6_stands_beside_ours_and_says_what_differs(flowers):
    matches = pairs([flowers("responsibility_gan[paper]", True)])
    assert {(p.metric, p.entry.value): kinds(p) for p in matches} == {
        ("n_parameters", 8_794_835.0): set(),
        ("is_squeezenet", 3.1368): {"extractor", "scale", "selection"},
        ("fid_squeezenet", 205.9776): {"extractor", "scale", "selection"},
    }
    assert matches[0].difference == 0
    few = pairs([flowers("responsibility_gan[paper]", True, net={"n_fake": 500})])
    assert kinds(few[1]) == {"extractor", "samples", "scale", "selection"}
    (said,) = [each.said for each in few[1].differs if each.kind == "samples"]
    assert said == "Responsibility GAN Table 6 scored 5,000 samples, ours are 500"
    same = pairs([flowers("responsibility_gan[paper]", True, net={"name": "inception"})])
    assert kinds(same[1]) == {"scale", "selection"}
    quick = pairs([flowers("responsibility_gan", True, preset="stable", profile="quick")])
    assert kinds(quick[0]) == {"profile", "preset"}


def test_parameters_that_the_paper_names_make_no_variant(flowers):
    shared, separate = "responsibility_gan[shared]", "responsibility_gan[separate]"
    both = pairs([flowers(shared, True), flowers(separate, False)])
    assert [(p.entry.row, p.metric, kinds(p)) for p in both if p.split == ""] == [
        ("Proposed (encoding not shared)", "n_parameters", set()),
        ("Proposed (encoding shared)", "n_parameters", set()),
    ]
    assert "variant" in kinds(pairs([flowers(shared, True)])[0])  # nothing tells what else it is
    other = pairs([flowers("responsibility_gan", True), flowers(separate, False, epochs=3)])
    assert [kinds(p) for p in other if p.split == ""] == [set(), {"variant"}]
