import contextlib
import doctest
import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench import metrics, results
from deep_em_bench.core import DataError
from deep_em_bench.results.published import find, published, read_published, tables

GENERATION = {"is_inception", "is_squeezenet", "fid_inception", "fid_squeezenet"}
"""Metrics of samples, named as the protocol names them."""
OF_CLUSTERS = {"cluster_class", "cluster_size", "cluster_purity"}
"""What GANMM's Table 2 says of single clusters."""

ROW_A = '{ name = "A", cells = ["0.50±0.01", "-"] },'

SMALL = """
[papers.p]
name = "P"
title = "A paper"
cite = "Somebody, 2020"

[[tables]]
paper = "p"
table = "Table 1"
title = "Scores"
dataset = "mnist"
features = "raw"
n_clusters = 10
metric = "purity"
unit = "share"
source = "own"
method = "kmeans"
columns = [{ name = "Purity" }, { name = "NMI", metric = "nmi", runs = 3 }]
rows = [
  { name = "A", cells = ["0.50±0.01", "-"] },
  { name = "B", cells = ["*0.60", "0.70(±0.02) (K = 20)"], runs = 5 },
]
[tables.remarks]
"A" = "wrong"
"B | NMI" = "odd"
"""


@pytest.fixture
def read(tmp_path):
    """Reads a file of that text."""

    def run(text):
        path = tmp_path / "numbers.toml"
        path.write_text(text, encoding="utf-8")
        return read_published(path)

    return run


def cell(where, row, column, n_clusters=None):
    (found,) = [
        entry
        for entry in published()
        if (entry.where, entry.row, entry.column) == (where, row, column)
        and n_clusters in (None, entry.n_clusters)
    ]
    return found


@pytest.mark.parametrize(
    ("where", "row", "column", "printed", "value", "std", "bold"),
    [
        # GAN-EM, Table 1
        ("GAN-EM Table 1", "K-means [16]", "MNIST (Unsupervised)", "46.51", 0.4651, None, False),
        (
            *("GAN-EM Table 1", "GANMM [28]", "MNIST (Unsupervised)"),
            *("35.70(±0.45)", 0.3570, 0.0045, False),
        ),
        (
            *("GAN-EM Table 1", "VAE [12]", "SVHN (1000 labels)"),
            *("36.02(±0.10)", 0.3602, 0.001, False),
        ),
        (
            *("GAN-EM Table 1", "Improved GAN [22]", "MNIST (100 labels)"),
            *("0.93(±0.06)", 0.0093, 0.0006, True),
        ),
        (
            *("GAN-EM Table 1", "GAN-EM", "SVHN (1000 labels)"),
            *("6.05(±0.26)", 0.0605, 0.0026, True),
        ),
        # GAN-EM, Tables 2 and 3
        ("GAN-EM Table 2", "GANMM", "unsupervised", "49.32", 0.4932, None, False),
        ("GAN-EM Table 2", "VAE", "semi-supervised (100 labels)", "45.38", 0.4538, None, False),
        ("GAN-EM Table 3", "Goatee", "Unsupervised", "0.4103", 0.4103, None, False),
        ("GAN-EM Table 3", "glass", "Unsupervised", "0.2983", 0.2983, None, False),
        (
            *("GAN-EM Table 3", "5_o_Clock_Shadow", "Semi-supervised (100 labels)"),
            *("0.2822", 0.2822, None, False),
        ),
        # GANMM, Tables 1 to 5
        ("GANMM Table 1", "GANMM", "NMI", "0.6159±0.0038", 0.6159, 0.0038, True),
        ("GANMM Table 1", "GANMM(EM)", "ARI", "0.0665±0.0013", 0.0665, 0.0013, False),
        ("GANMM Table 2", "4", "GANMM(EM) #data point", "15109", 15109, None, False),
        ("GANMM Table 2", "9", "DEC purity", "0.3161", 0.3161, None, False),
        ("GANMM Table 2", "7", "GMM label", "0", 0, None, False),
        ("GANMM Table 3", "DEC", "Purity", "0.8673±0.0000", 0.8673, 0.0, False),
        ("GANMM Table 4", "GANMM", "ARI", "0.5523±0.0022", 0.5523, 0.0022, True),
        ("GANMM Table 5", "GMM", "NMI", "0.1206±0.0001", 0.1206, 0.0001, False),
        # Responsibility GAN, Table 6
        (
            *("Responsibility GAN Table 6", "Proposed (encoding shared)", "FID score"),
            *("205.9776±7.8587", 205.9776, 7.8587, False),
        ),
        (
            *("Responsibility GAN Table 6", "Vanilla GAN", "number of parameters"),
            *("8,366,145", 8_366_145, None, False),
        ),
    ],
)
def test_cells_read_by_hand(where, row, column, printed, value, std, bold):
    entry = cell(where, row, column)
    assert entry.printed == printed
    assert entry.value == pytest.approx(value, abs=1e-12)
    assert entry.std == (None if std is None else pytest.approx(std, abs=1e-12))
    assert entry.bold is bold


def test_gan_em_at_three_numbers_of_clusters():
    found = [cell("GAN-EM Table 1", "GAN-EM", "MNIST (Unsupervised)", K) for K in (10, 20, 30)]
    assert [(entry.value, entry.std, entry.bold) for entry in found] == [
        *((0.042, 0.0051, False), (0.0404, 0.0042, True), (0.0397, 0.0037, True)),
    ]


def test_every_table_is_whole():
    """Numbers a table, counted in the papers."""
    counted = {}
    for table in tables():
        where = f"{table.paper.name} {table.table}"
        counted[where] = counted.get(where, 0) + len(table.entries)
    assert counted == {
        "GAN-EM Table 1": 12 + 15,
        "GAN-EM Table 2": 11,
        "GAN-EM Table 3": 80,
        "GAN-EM text": 4,
        "GANMM Table 1": 12,
        "GANMM Table 2": 119,
        "GANMM Table 3": 12,
        "GANMM Table 4": 12,
        "GANMM Table 5": 12,
        "Responsibility GAN Table 6": 12,
    }


def test_the_forty_attributes_average_to_table_2():
    (table,) = [table for table in tables() if len(table.rows) == 40]
    assert len({name for name, _ in table.rows}) == 40
    for i, column in enumerate(("unsupervised", "semi-supervised (100 labels)")):
        mean = statistics.fmean(cells[i].value for _, cells in table.rows)
        assert round(mean, 4) == cell("GAN-EM Table 2", "GAN-EM", column).value


def test_what_the_remarks_on_celeba_say():
    (table,) = [table for table in tables() if len(table.rows) == 40]
    unsupervised = {name: cells[0].value for name, cells in table.rows}
    assert sorted(unsupervised, key=unsupervised.__getitem__)[:3] == [
        "Heavy_Makeup",
        "hat",
        "glass",
    ]
    official = {
        name: [entry.value for entry in cells] for name, cells in table.rows if name != "gender"
    }
    means = [statistics.fmean(both) for both in zip(*official.values(), strict=True)]
    assert means == [pytest.approx(0.4223, abs=5e-5), pytest.approx(0.2919, abs=5e-5)]
    words = [cells[0].words["attribute"] for _, cells in table.rows]
    assert (len(set(words)), words.count("Male"), "Smiling" in words) == (39, 2, False)


def test_numbers_copied_between_the_papers_are_the_same():
    """GAN-EM's GANMM rows are one minus a purity; its GMM row is the purity itself."""
    purity = cell("GANMM Table 1", "GANMM", "Purity")
    copied = cell("GAN-EM Table 1", "GANMM [28]", "MNIST (Unsupervised)")
    assert (copied.value, copied.std) == (pytest.approx(1 - purity.value), purity.std)
    gmm = cell("GANMM Table 1", "GMM", "Purity")
    wrong = cell("GAN-EM Table 1", "GMM [16]", "MNIST (Unsupervised)")
    assert (wrong.value, wrong.std, wrong.metric) == (gmm.value, gmm.std, "purity")
    reduced = cell("GANMM Table 3", "GANMM", "Purity")
    footnote = cell("GAN-EM text", "Footnote 2: GANMM, 10-d SAE", "Error")
    assert (footnote.value, footnote.std) == (pytest.approx(1 - reduced.value), reduced.std)


def clusters(method):
    (table,) = [table for table in tables() if "Clusters of one experiment" in table.title]
    held = {}
    for entry in table.entries:
        if entry.method == method:
            held.setdefault(entry.row, {})[entry.metric] = entry
    return list(held.values())


@pytest.mark.parametrize(
    ("method", "row", "points", "weighted", "away"),
    [
        ("ganmm", "GANMM", 50_000, 0.7462, 23),
        ("gmm", "GMM", 50_000, 0.3460, 33),
        ("dec", "DEC", 50_004, 0.4009, 315),
        ("ganmm_em", "GANMM(EM)", 49_955, 0.3239, 24),
    ],
)
def test_what_the_remarks_on_ganmm_table_2_say(method, row, points, weighted, away):
    """The run shown cannot be one of the ten: none of n lies beyond (n - 1) / sqrt(n) stds."""
    found = clusters(method)
    sizes = [cluster["cluster_size"].value for cluster in found]
    purities = [cluster["cluster_purity"].value for cluster in found]
    purity = sum(n * p for n, p in zip(sizes, purities, strict=True)) / sum(sizes)
    assert sum(sizes) == points
    assert purity == pytest.approx(weighted, abs=5e-5)
    mean = cell("GANMM Table 1", row, "Purity")
    assert (purity - mean.value) / mean.std == pytest.approx(away, abs=0.5)
    assert away > 9 / math.sqrt(10)


def shares(points):
    """Every share of so many points in ten thousandths, cut and rounded to whole ones."""
    exact = [10_000 * k / points for k in range(points + 1)]
    return {int(share) for share in exact}, {round(share) for share in exact}


def test_transposed_digits_in_ganmm_table_2():
    """No share of 327 points prints as .9220, cut or rounded; one of 372 does."""
    assert cell("GANMM Table 2", "5", "GANMM(EM) #data point").value == 327
    assert 9220 not in set.union(*shares(327))
    assert 9220 in set.intersection(*shares(372))
    assert round(343 / 372, 4) == 0.9220
    assert 49_955 - 327 + 372 == 50_000


@pytest.mark.parametrize(
    ("method", "only_cut", "only_rounded"),
    [
        ("ganmm", {"1", "2", "4", "5", "6"}, set()),
        ("gmm", {"9"}, {"2", "4", "5", "6", "7", "10"}),
        ("dec", {"7"}, {"1", "4"}),
        ("ganmm_em", set(), {"7", "10"}),
    ],
)
def test_cut_and_rounded_purities_of_ganmm_table_2(method, only_cut, only_rounded):
    found = ([], [])
    for cluster in clusters(method):
        if not (points := int(cluster["cluster_size"].value)):
            continue
        printed = round(10_000 * cluster["cluster_purity"].value)
        cut, rounded = (printed in possible for possible in shares(points))
        if cut is not rounded:
            found[rounded].append(cluster["cluster_size"].row)
    assert [set(rows) for rows in found] == [only_cut, only_rounded]


def test_four_points_too_many_in_ganmm_table_2():
    size = cell("GANMM Table 2", "7", "DEC #data point").value
    assert (size, 50_004 - size + 3065) == (3069, 50_000)
    assert round(2052 / 3065, 4) == cell("GANMM Table 2", "7", "DEC purity").value


def test_what_the_text_repeats_agrees_with_the_tables():
    unsupervised = {
        entry.printed.partition("(")[0]
        for entry in published()
        if (entry.where, entry.column) == ("GAN-EM Table 1", "MNIST (Unsupervised)")
    }
    assert {"46.51", "32.61", "3.97", "4.10"} <= unsupervised
    columns = ("MNIST (100 labels)", "MNIST (1000 labels)", "SVHN (1000 labels)")
    few, many, svhn = (cell("GAN-EM Table 1", "GAN-EM", column).value for column in columns)
    assert (few, many, svhn) == (0.0109, 0.0103, 0.0605)
    improved = cell("GAN-EM Table 1", "Improved GAN [22]", columns[0]).value
    assert few - improved == pytest.approx(0.0016, abs=1e-12)
    leads = [
        cell("GANMM Table 3", "GANMM", name).value - cell("GANMM Table 3", "DEC", name).value
        for name in ("Purity", "ARI", "NMI")
    ]
    assert leads == [pytest.approx(lead, abs=1e-12) for lead in (0.0235, 0.027, 0.0197)]
    raw = [
        cell("GANMM Table 1", "GANMM", name).value / cell("GANMM Table 1", row, name).value
        for name, row in (("Purity", "GMM"), ("ARI", "DEC"), ("NMI", "GANMM(EM)"))
    ]
    assert [round(times, 1) for times in raw] == [2.0, 3.4, 2.6]


def test_parameter_counts_of_table_6():
    shared, gm, vanilla = (
        cell("Responsibility GAN Table 6", row, "number of parameters").value
        for row in ("Proposed (encoding shared)", "GM-GAN", "Vanilla GAN")
    )
    assert gm - vanilla == 10 * (100**2 + 100)
    assert shared - gm == 16 * 16 * 128 * 10 + 10


def test_bold_numbers_are_the_best_of_their_column():
    for table in tables():
        for i, column in enumerate(table.columns):
            held = [cells[i] for _, cells in table.rows if cells[i]]
            if not any(entry.bold for entry in held):
                continue
            best = min if held[0].unit == "percent" else max
            assert best(held, key=lambda entry: entry.value).bold, (table.title, column)


def test_names_are_the_ones_our_records_carry():
    known = {*metrics.names(), *GENERATION, "n_parameters"}
    for entry in published():
        assert entry.metric in known | OF_CLUSTERS | {"unknown"}
        assert set(entry.beside) <= known | OF_CLUSTERS
        assert not entry.suites or set(entry.beside) <= known
        if entry.unit in ("share", "percent"):
            assert 0 <= entry.value <= 1
    beside = find(published(), suite="mnist_raw", method="gan_em", metric="error_rate")
    assert [entry.value for entry in beside] == [0.042]
    assert {entry.method for entry in find(published(), suite="mnist_sae")} == {
        *("ganmm", "ganmm_em", "gmm", "dec"),
    }


def test_the_nearest_fact_wins(read):
    (table,) = read(SMALL)
    a, b, c = table.entries
    assert [(e.metric, e.n_clusters, e.runs) for e in (a, b, c)] == [
        *(("purity", 10, None), ("purity", 10, 5), ("nmi", 20, 5)),
    ]
    assert [(e.bold, e.std, e.remarks) for e in (a, b, c)] == [
        *((False, 0.01, ("wrong",)), (True, None, ()), (False, 0.02, ("odd",))),
    ]
    assert (c.printed, c.resolution) == ("0.70(±0.02)", 0.01)
    assert table.rows[0][1] == (a, None)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[papers.p]", "[paper.p]", "unknown key 'paper'; did you mean 'papers'"),
        ('paper = "p"', 'paper = "q"', "unknown paper 'q'"),
        ('unit = "share"', 'units = "share"', "unknown key 'units'; did you mean 'unit'"),
        ('unit = "share"', 'unit = "shar"', "unit: unknown value 'shar'; did you mean 'share'"),
        ('unit = "share"', "", "P Table 1, row 'A': key 'unit' is missing"),
        ("runs = 5", 'runs = "5"', r"`tables\[0\].rows\[1\].runs` is '5'; expected int"),
        ("runs = 5", "run = 5", r"tables\[0\].rows\[1\]: unknown key 'run'; did you mean 'runs'"),
        ("runs = 3", "runs = true", r"`tables\[0\].columns\[1\].runs` is True; expected int"),
        ("rows = [", f"rows = [{ROW_A}", "row 'A': column 'Purity' is given twice"),
        ('"*0.60", ', "", "P Table 1, row 'B' has 1 cells for 2 columns"),
        ('"*0.60"', '"0.6 or so"', "P Table 1, row 'B': cell '0.6 or so' is no printed number"),
        ('"*0.60"', "0.60", r"`tables\[0\].rows\[1\].cells\[0\]` is 0.6; expected str"),
        ('"A" = "wrong"', '"AA" = "wrong"', "P Table 1, remarks: unknown key 'AA'; did you mean"),
        ('title = "Scores"', "", r"tables\[0\]: key 'title' is missing"),
        ('[{ name = "Purity" },', "[3,", r"`tables\[0\].columns\[0\]` is 3; expected object"),
        ("[[tables]]", "[tables]", "`tables` is {"),
        ("[papers.p]", "[papers", "is not TOML"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(read, old, new, says):
    assert old in SMALL
    with pytest.raises(DataError, match=says) as raised:
        read(SMALL.replace(old, new))
    assert "numbers.toml" in str(raised.value)
    assert "\n" not in str(raised.value).rstrip()


def test_the_example_runs():
    assert doctest.testmod(results.published).failed == 0


def test_a_file_that_is_not_there():
    with pytest.raises(DataError, match="cannot be read"):
        read_published(Path("nowhere.toml"))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SMALL) - 1), st.integers(0, 12), st.text(max_size=6))
def test_damage_ends_in_a_named_error_or_in_numbers(tmp_path_factory, at, length, inserted):
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    text = SMALL[:at] + inserted + SMALL[at + length :]
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with contextlib.suppress(DataError):
        read_published(path)


def test_with_labels_the_error_is_that_of_named_classes():
    """GAN-EM, Section 5.3; Eq. 20, which looks for the best map, stands in 5.2 alone."""
    found = [entry for entry in published() if entry.paper.name == "GAN-EM" and entry.labelled]
    assert len(found) == 60
    assert {entry.metric for entry in found} == {"error_rate_classes"}
    assert not any("Eq. 20" in entry.metric_printed for entry in found)
