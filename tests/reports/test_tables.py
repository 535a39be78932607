"""Every table of a report, built once: what stands in it, whoever prints it."""

import pytest

from deep_em_bench.reports.data.differences import Procedure
from deep_em_bench.reports.tables.attributes import attribute_means, attributes, chance
from deep_em_bench.reports.tables.audit import audit, printed_numbers
from deep_em_bench.reports.tables.clusters import clusters
from deep_em_bench.reports.tables.differences import differences
from deep_em_bench.reports.tables.model import (
    ABSENT,
    Cell,
    Column,
    Format,
    Group,
    Line,
    Table,
    metric_column,
    number,
    text_column,
    transposed,
    without_empty,
    written,
)
from deep_em_bench.reports.tables.pivot import by_data
from deep_em_bench.reports.tables.scores import every_score, failure_tables, scores
from deep_em_bench.reports.tables.sources import sources, status
from deep_em_bench.results import DatasetUsed
from deep_em_bench.results.published import published, tables


def column(table, name):
    """The texts of a column, by the first of each line."""
    i = [c.name for c in table.columns].index(name)
    return {line.cells[0].value: written(line.cells[i], table.columns[i]) for line in table.lines}


def best(table, name):
    i = [c.name for c in table.columns].index(name)
    return {line.cells[0].value for line in table.lines if line.cells[i].best}


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.0463, "share", ".046"),
        (-0.5, "share", "-.500"),
        (1.0, "share", "1.000"),
        (9.96, "decimal", "10.0"),
        (231.06, "score", "231"),
        (0.0, "score", "0.00"),
        (1234567.0, "count", "1,234,567"),
        (0.034, "seconds", "0.03"),
        (1234.5, "seconds", "1,234"),
        (0.0001, "p", "< .001"),
        (1.0, "p", "1.000"),
        (2.345, "rank", "2.35"),
    ],
)
def test_numbers_are_written_by_their_kind(value, kind, text):
    assert number(value, Format(kind=kind)) in (text, text.replace("2.35", "2.34"))


def test_cells_have_spread_count_interval_and_marks():
    share = Column(name="a", title="A", format=Format(kind="share", signed=True))
    assert written(Cell(value=0.5, spread=0.012), share) == ("+.500", "± .012")
    assert written(Cell(value=0.0), share) == (".000", "")
    assert written(Cell(interval=(-0.1, 0.2)), share) == ("[-.100, +.200]", "")
    assert written(Cell(value=9, of=10), share) == ("9/10", "")
    assert written(Cell(mark="b"), share) == (ABSENT, "b")


def test_columns_without_an_entry_are_dropped_and_a_table_can_be_turned():
    columns = (text_column("t", "T"), Column(name="a", title="A"), Column(name="b", title="B"))
    lines = (Line(cells=(Cell(value="x"), Cell(), Cell(value=1.0))),)
    table = Table(name="n", title="N", columns=columns, groups=(Group(lines=lines),))
    assert [c.name for c in without_empty(table).columns] == ["t", "b"]
    turned = transposed(table, text_column("c", "C"))
    assert [c.title for c in turned.columns] == ["C", "x"]
    assert [line.cells[0].value for line in turned.lines] == ["A", "B"]
    assert turned.lines[1].cells[1].value == 1.0


def test_scores_have_titles_counts_and_the_best_in_bold(gather, suite_records):
    (table,) = scores(gather(suite_records))
    assert [c.title for c in table.columns][:3] == ["Method", "Accuracy", "Purity"]
    assert [group.title for group in table.groups] == ["training", "held-out"]
    assert column(table, "n") == {"K-means": ("3/3", ""), "GAN-EM (stable)": ("2/3", "")}
    assert column(table, "accuracy")["K-means"] == (".780", "± .010")  # held out, the last group
    assert best(table, "accuracy") == {"GAN-EM (stable)"}
    assert best(table, "active_clusters") == set()
    text = " ".join(table.caption)
    for sentence in ("seeds 0–2", "Profile quick: not comparable", "too few for a test"):
        assert sentence in text
    assert ("diverged", "GAN-EM (stable), seed 2: DivergenceError: loss is nan") in table.notes


def test_one_split_and_all_metrics(gather, suite_records):
    (table,) = scores(gather(suite_records, split="train", metrics=("purity",)))
    assert [c.name for c in table.columns] == ["title", "purity", "time_s", "n"]
    assert len(table.groups) == 1
    (every,) = every_score(gather(suite_records))
    assert "rand_index" in [c.name for c in every.columns]
    assert best(every, "rand_index") == set(), "it stands for comparison only"


def test_samples_have_a_table_of_their_own_with_real_images_below(gather, make_samples):
    labels, samples = scores(gather([make_samples("a", s, 20 + s) for s in range(3)]))
    assert "nmi" in [c.name for c in labels.columns]
    assert "fid_lenet" in [c.name for c in samples.columns]
    assert "n_parameters" in [c.name for c in samples.columns]
    assert column(samples, "fid_lenet") == {"a": ("21.0", "± 1.0"), "real images": ("0.873", "")}
    assert any("LeNet (digest abababab; accuracy .991" in text for _, text in samples.notes)


def test_a_block_without_any_result_has_its_rows(gather, make_record):
    data = gather([make_record("a", s, status="timeout") for s in range(2)])
    (table,) = scores(data)
    assert column(table, "n") == {"a": ("0/2", "")}
    assert "No run succeeded." in table.caption
    (failures,) = failure_tables(data)
    assert failures.lines[0].cells[2].value == "seeds 0, 1"


def test_differences_are_there_only_where_a_test_can_be_borne(gather, make_record):
    def records(n):
        return [
            make_record(label, seed, {"ari": value + seed / 1000 * value})
            for label, value in (("a", 0.9), ("b", 0.5))
            for seed in range(n)
        ]

    assert list(differences(gather(records(5), folder=None))) == []
    (table,) = differences(gather(records(8)))
    assert column(table, "difference")["a"] == ("reference", "")
    assert column(table, "p")["b"] == (".008", "")
    assert column(table, "rank") == {"a": ("1.00", ""), "b": ("2.00", "")}
    assert "Bold: the best mean and all that is not told apart" in " ".join(table.caption)
    (nemenyi,) = differences(gather(records(8), procedure=Procedure(test="nemenyi")))
    assert any("critical difference" in text for _, text in nemenyi.notes)


def test_methods_by_data_sets_with_ranks_in_the_last_column(gather, make_record):
    records = [
        make_record(label, seed, {"ari": value}, dataset=DatasetUsed(name=name, n=60, n_test=0))
        for name, values in {"digits": (0.5, 0.6), "iris": (0.8, 0.7), "moons": (0.2, 0.3)}.items()
        for label, value in zip(("kmeans", "b"), values, strict=True)
        for seed in range(3)
    ]
    (table,) = by_data(gather(records))
    assert [c.title for c in table.columns] == ["Method", "Digits", "Iris", "Moons", "Rank"]
    assert column(table, "rank") == {"K-means": ("1.67", ""), "b": ("1.33", "")}
    assert best(table, "iris K=10") == {"K-means"}
    assert "3 data sets: too few" in " ".join(table.caption)


def test_data_sets_that_differ_in_words_are_told_by_these(gather, make_record):
    sizes = [DatasetUsed(name="mnist", n=n, words={"subset": n}) for n in (10, 20)]
    records = [make_record("a", 0, {"ari": 0.5}, dataset=used) for used in sizes]
    records.append(make_record("b", 0, {"ari": 0.4}, dataset=sizes[0]))
    (table,) = by_data(gather(records))
    assert [c.title for c in table.columns] == ["Method", "subset=10", "subset=20", "Rank"]


@pytest.fixture
def faces(make_record):
    """Two methods on two attributes, with labels or without."""

    def make(labelled=None):
        metric = "error_rate_classes" if labelled else "error_rate"
        known = {"labelled": labelled} if labelled else {}
        return [
            make_record(
                label,
                seed,
                {metric: value + seed / 100},
                suite="celeba",
                n_clusters=2,
                dataset=DatasetUsed(
                    name="celeba", n=400, n_test=0, words=known | {"attribute": a}
                ),
            )
            for a, values in {"Bangs": (0.4, 0.3), "Male": (0.45, 0.5)}.items()
            for label, value in zip(("kmeans", "gan_em[paper]"), values, strict=True)
            for seed in range(2)
        ]

    return make


def test_attributes_are_the_same_table_turned_with_chance_and_published(gather, faces):
    data = gather(faces() + faces(100))
    assert scores(data) == []
    free, known = attributes(data)
    assert [c.title for c in free.columns] == [
        *("Attribute", "K-means", "GAN-EM (paper)", "chance", "published in GAN-EM Table 3"),
    ]
    assert [line.cells[0].value for line in free.lines] == ["Bangs", "Male", "Mean of 2"]
    assert column(free, "kmeans")["Mean of 2"] == (".430", "± .007")
    assert column(free, "published in GAN-EM Table 3")["Male"] == (".476", "or .368")
    assert column(known, "chance")["Bangs"] == (".500", "")
    assert any(about == "Differs in profile" for about, _ in free.notes)
    (means,) = attribute_means(data)
    assert [c.title for c in means.columns] == ["Method", "no labels", "100 labels"]
    names = [line.cells[0].value for line in means.lines]
    assert names[:3] == ["K-means", "GAN-EM (paper)", "chance"]
    assert any("GAN-EM Table 2, over 40 rows" in str(name) for name in names)


def test_chance_of_two_points_is_a_quarter(gather, make_record):
    used = DatasetUsed(name="celeba", n=2, n_test=0, words={"attribute": "Male"})
    data = gather([make_record("a", 0, {"error_rate": 0.5}, dataset=used, n_clusters=2)])
    assert chance(data.blocks[0], "train") == pytest.approx(0.25)  # 0, 1, 1, 0 of 2 wrong


def test_clusters_by_class_with_those_that_no_cluster_stands_for(gather, make_record, put, store):
    put("kmeans", 0, 0.0, K=2, C=3)
    put("b", 0, 0.0, K=2, C=3)
    from deep_em_bench.reports.data.gathered import gathered

    (group,) = clusters(gathered(store))
    assert [table.title for table in group.tables] == ["K-means, seed 0", "b, seed 0"]
    table = group.tables[0]
    assert [line.cells[1].value for line in table.lines] == [40, 20, 60]
    assert table.lines[-1].cells[0].value == "2 of 3"
    assert table.notes == (("K-means, seed 0".partition(",")[0], "no cluster for 2."),)


def test_arrays_that_are_missing_are_one_line(gather, suite_records):
    data = gather(suite_records)
    assert list(clusters(data)) == []
    assert list(data.stored.missing) == ["the record stores no 'y_train'"]
    assert data.stored.run(data.blocks[0].rows[0]).arrays == {}


def test_status_and_sources(gather, suite_records):
    data = gather(suite_records, rows=["kmeans"])
    facts = status(data)
    assert next(iter(facts)) == "Comparable with published numbers"
    assert facts["Runs"] == "3 ok"
    assert facts["n"] == "3 a row, seeds 0–2"
    assert "gan_em[stable]" in facts["Left out"]
    titles = [table.title for table in sources(data)]
    assert titles == ["Methods and settings", "Presets", "Data", "Code and machines", "Columns"]


def test_the_audit_says_every_fact_once():
    audited = audit(tables())
    assert len({table.name for table in audited}) == len(audited)
    (first,) = [t for t in audited if t.title.startswith("GANMM Table 1")]
    texts = [text for _, text in first.notes]
    assert len(texts) == len(set(texts))
    assert any(cell.best for line in first.lines for cell in line.cells)
    assert len(printed_numbers(published()).lines) == len(published())


def test_the_columns_of_metrics_are_as_they_are_registered():
    assert metric_column("accuracy").head == "Accuracy ↑"
    assert metric_column("fid_lenet").head == "FID (LeNet) ↓"
    assert metric_column("gone").head == "gone"
