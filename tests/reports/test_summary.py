import numpy as np
import pytest
from msgspec import structs

from deep_em_bench.core import UserError
from deep_em_bench.reports.page_sources import sources
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed


def rows_of(records, **words):
    (block,) = summarise(records, **words)
    return {row.label: row for row in block.rows}


def test_mean_spread_and_median_by_hand(make_record):
    values = (0.1, 0.2, 0.6)
    records = [make_record("kmeans", s, {"error_rate": v}) for s, v in enumerate(values)]
    found = rows_of(records)["kmeans"].statistic("train", "error_rate")
    assert found is not None
    assert (found.n, found.median) == (3, 0.2)
    assert found.mean == pytest.approx(0.3)
    assert found.std == pytest.approx(np.sqrt((0.04 + 0.01 + 0.09) / 2))


def test_one_run_has_no_spread(make_record):
    found = rows_of([make_record("kmeans", 0, {"ari": 0.5})])["kmeans"].statistic("train", "ari")
    assert found is not None
    assert (found.mean, found.std, found.n) == (0.5, None, 1)


def test_failures_count_and_are_never_averaged(suite_records):
    row = rows_of(suite_records)["gan_em[stable]"]
    found = row.statistic("train", "error_rate")
    assert row.n == "2/3"
    assert found is not None
    assert found.mean == pytest.approx(0.12)
    assert row.fit_s is not None
    assert row.fit_s.n == 2


def test_a_row_of_failures_alone_stays(make_record):
    records = [make_record("kmeans", 0, {"ari": 0.5}), make_record("x", 0, status="timeout")]
    row = rows_of(records)["x"]
    assert row.n == "0/1"
    assert row.statistic("train", "ari") is None
    assert row.fit_s is None


@pytest.mark.parametrize("second", [{}, {"fid": None}], ids=["absent", "not finite"])
def test_no_mean_over_the_runs_that_happen_to_have_a_value(make_record, second):
    records = [make_record("a", 0, {"fid": 3.0}), make_record("a", 1, second)]
    assert rows_of(records)["a"].statistic("train", "fid") is None


def test_failures_are_grouped_with_their_first_line(make_record):
    records = [
        *[make_record("a", s, status="failed", error="ValueError: bad K\ntrace") for s in (0, 2)],
        make_record("a", 1, status="timeout", error="TimeoutError: "),
        make_record("b", 1, status="failed", error="E: " + "x" * 500),
    ]
    (block,) = summarise(records)
    found = [(f.label, f.status, f.seeds, f.message) for f in block.failures]
    assert found[:2] == [
        ("a", "failed", (0, 2), "ValueError: bad K"),
        ("a", "timeout", (1,), "TimeoutError"),
    ]
    assert len(found[2][3]) == 160


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("error_rate", {"a": 0.2, "b": 0.1, "c": 0.3}, {"b"}),
        ("purity", {"a": 0.2, "b": 0.1, "c": 0.3}, {"c"}),
        ("error_rate", {"a": 0.1004, "b": 0.0996, "c": 0.101}, {"a", "b"}),
        ("active_clusters", {"a": 10.0, "b": 9.0}, set()),
        ("error_rate", {"a": 0.2}, set()),
        ("error_rate", {"a": 0.2, "b": None}, set()),
        ("registered_no_more", {"a": 0.2, "b": 0.3}, set()),
    ],
    ids=["lower", "higher", "tie as printed", "no direction", "alone", "alone left", "unknown"],
)
def test_best(make_record, metric, values, best):
    (block,) = summarise([make_record(label, 0, {metric: v}) for label, v in values.items()])
    assert block.best("train", metric) == best


def test_a_row_that_seldom_ended_well_is_never_best(make_record):
    def runs(label, values):
        return [
            make_record(label, seed, {"error_rate": value})
            if value is not None
            else make_record(label, seed, status="diverged")
            for seed, value in enumerate(values)
        ]

    lucky = runs("lucky", [0.01, None, None, None])
    (block,) = summarise([*lucky, *runs("a", [0.2] * 4), *runs("half", [0.1, 0.1, None, None])])
    assert block.best("train", "error_rate") == {"half"}
    assert [row.label for row in block.rated] == ["a", "half"]
    (block,) = summarise([*lucky, *runs("a", [0.2] * 4)])
    assert block.best("train", "error_rate") == {"a"}
    (block,) = summarise([*lucky, *runs("b", [None, None, None, 0.2])])
    assert block.best("train", "error_rate") == set()


def test_rows_have_baselines_first(make_record):
    labels = ["vade", "gmm[pca_full]", "Alpha", "gan_em[stable]", "gmm[full]", "kmeans"]
    assert list(rows_of([make_record(label) for label in labels])) == [
        *("kmeans", "gmm[full]", "gmm[pca_full]", "Alpha", "gan_em[stable]", "vade")
    ]


def test_a_table_for_each_profile_data_set_and_number_of_clusters(make_record):
    half = DatasetUsed(name="digits", words={"subset": 0.5}, n=898)
    records = [
        make_record("kmeans"),
        make_record("kmeans", n_clusters=20),
        make_record("kmeans", profile="full"),
        make_record("kmeans", dataset=half),
    ]
    found = [(b.profile, b.dataset, b.n_clusters) for b in summarise(records)]
    assert found == [
        ("full", "digits", 10),
        ("quick", "digits", 10),
        ("quick", "digits", 20),
        ("quick", "digits(subset=0.5)", 10),
    ]
    assert [b.profile for b in summarise(records, profile="full")] == ["full"]


def test_a_profile_without_records_is_named_with_those_there_are(make_record):
    with pytest.raises(UserError, match=r"no records with profile 'full'; there are .*: quick"):
        summarise([make_record("kmeans")], profile="full")


def test_runs_with_other_parameters_have_a_row_of_their_own(make_record):
    records = [
        make_record("gan_em", seed, {"ari": ari}, params={"max_iter": max_iter, "lr": 0.1})
        for seed in range(2)
        for max_iter, ari in ((5, 0.1), (30, 0.9))
    ]
    rows = rows_of(records)
    assert list(rows) == ["gan_em (max_iter=30)", "gan_em (max_iter=5)"]
    found = rows["gan_em (max_iter=5)"].statistic("train", "ari")
    assert found is not None
    assert found.mean == pytest.approx(0.1)


def test_a_parameter_that_only_newer_runs_have_tells_rows_apart(make_record):
    records = [make_record("a", 0, params={}), make_record("a", 0, params={"clip": None})]
    assert list(rows_of(records)) == ["a (clip=None)", "a (clip=unset)"]


CONFLICTS = {
    "code": (
        [{"version": 1}, {"version": 1}, {"version": 2}],
        r"kmeans mixes code versions: v1 \(seeds 0, 1\); v2 \(seed 2\); run .* --force",
    ),
    "metrics": (
        [{}, {"metrics_version": "2"}, {"metrics_version": "2"}],
        r"the table mixes metrics versions: 1 \(seed 0\); 2 \(seeds 1, 2\); .*benchmarks\.rescore",
    ),
}


@pytest.mark.parametrize("kind", CONFLICTS)
def test_mixed_versions_are_refused_unless_allowed(make_record, kind):
    changes, says = CONFLICTS[kind]
    records = [make_record("kmeans", s, {"ari": 0.5}, **c) for s, c in enumerate(changes)]
    with pytest.raises(UserError, match=f"digits, K = 10, profile quick: {says}.*--mixed"):
        summarise(records)
    (block,) = summarise(records, mixed=True)
    assert len(block.mixed) == 1


def test_methods_differ_in_code_and_may(make_record):
    records = [make_record("a", version=1), make_record("b", version=2)]
    assert summarise(records)[0].mixed == ()


def test_a_failed_run_has_no_metrics_version_to_mix(make_record):
    records = [
        make_record("a", 0, {"ari": 0.5}),
        make_record("a", 1, status="failed", metrics_version="2"),
    ]
    assert summarise(records)[0].mixed == ()


def test_data_may_differ_between_seeds_and_not_within_one(make_record):
    def drawn(digest):
        return DatasetUsed(name="moons", n=1000, n_test=1000, sha256={"X": digest})

    paired = [
        make_record(label, seed, dataset=drawn(f"{seed}" * 64))
        for label in ("a", "b")
        for seed in range(2)
    ]
    assert summarise(paired)[0].mixed == ()
    other = structs.replace(paired[0], dataset=drawn("f" * 64))
    with pytest.raises(UserError, match="seed 0 was run on 2 versions of the data"):
        summarise([*paired[1:], other])


def test_the_same_bytes_under_another_name_are_the_same_data(make_record):
    """The file of learnt features is named after the code that made it."""
    old, new = (
        make_record(label, dataset=DatasetUsed(name="mnist", sha256={"idx": "0" * 64, file: "1"}))
        for label, file in (("a", "features/sae10-aa.npz"), ("b", "features/sae10-bb.npz"))
    )
    (block,) = summarise([old, new])
    assert block.mixed == ()
    (data,) = (part for part in sources([block], []) if part.title == "Data")
    assert "draws" not in data.tables[0].groups[0].lines[0][-1].text
