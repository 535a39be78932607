import re
import shutil
import subprocess

import pytest

from deep_em_bench.reports import statistics_tables
from deep_em_bench.reports.latex import fragment, standalone
from deep_em_bench.reports.statistics_rows import ranked
from deep_em_bench.reports.statistics_suite import suite_statistics
from deep_em_bench.reports.statistics_tables import probability, said
from deep_em_bench.reports.summary import summarise
from deep_em_bench.results import DatasetUsed

HOSTILE = (r"\input{/etc/passwd}", "a_b & <c>% $x^2$ #{}~", "日本語 \x1b[31m\x00", "x" * 90, "[*]")


@pytest.fixture
def suite(make_record):
    """Four methods over ten seeds: b is as good as a; d failed once."""

    def suite(labels=("a", "b", "c", "d"), seeds=10, **words):
        return [
            make_record(
                label,
                seed,
                {"error_rate": 0.1 + 0.1 * (i > 1) * i + 0.01 * ((seed + i) % 2)},
                test={"ari": 0.9 - 0.1 * i + 0.01 * (seed % 3)},
                **words,
            )
            if (i, seed) != (3, 4)
            else make_record(label, seed, status="diverged", **words)
            for i, label in enumerate(labels)
            for seed in range(seeds)
        ]

    return suite


def console(blocks, shown):
    return statistics_tables.console(suite_statistics(blocks, shown))


def latex(blocks, shown):
    return statistics_tables.latex(suite_statistics(blocks, shown))


def lines_of(text):
    """Cells by first cell, of the first section alone."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return {row[0]: row[1:] for row in reversed(rows) if row[0]}


def test_the_console_table_by_hand(suite):
    text = console(summarise(suite()), ["error_rate", "active_clusters"])
    rows = lines_of(text)
    assert rows["a"] == ["best", "1.56 a"]  # five of the nine to b
    # b: five differences of .01 and five of -.01; Student would give -.0075 to .0075, resamples
    # lie .002 apart.
    assert rows["b"] == [".000", "[-.008, .008]", "1.000", "10/10", "1.44 a"]
    assert rows["c"][0] == "+.200"
    assert rows["c"][2:4] == [".006", "10/10"]  # 2/1024 by three rows
    assert rows["d"][2:4] == [".008", "9/10"]  # 2/512 by two
    assert "error_rate ↓, train" in rows
    assert "error_rate, train: Average ranks over seeds 0–3, 5–9 of one data set: Fr" in text
    assert "Seeds on which a ranked row has no score are left out: 1." in text
    assert "active_clusters" not in text
    assert "covers less" not in text


def test_few_seeds_are_said_to_be_few(suite):
    text = console(summarise(suite(seeds=3)), ["error_rate", "ari"])
    assert text.count("underpowered (n=3)") >= 6
    assert "At most" not in text
    assert "covers less: at most 75 % with 3." in text
    assert "ari ↑, held-out" in text


def test_data_sets_are_ranked_together_where_there_are_several(suite):
    records = [
        record
        for name in ("digits", "moons", "blobs", "iris")
        for record in suite(seeds=2, dataset=DatasetUsed(name=name, n=10, n_test=10))
    ]
    text = console(summarise(records), ["ari"])
    last = text.splitlines()[-1]
    assert last.startswith("ari, held-out, profile quick: Average ranks over data sets blobs, di")
    assert "a 1.00 a, b 2.00 a" in last
    written = latex(summarise(records), ["ari"]).replace(r"\allowbreak{}", "").replace("-{}", "-")
    assert "Average ranks over data sets blobs, digits, iris, moons: Friedman" in written


def test_what_is_mixed_is_said(suite):
    records = [*suite(), *suite(["a"], 1, version=2)]
    blocks = summarise(records, mixed=True)
    assert "MIXED: a mixes code versions" in console(blocks, ["ari"])
    assert "MIXED: a mixes code versions" in latex(blocks, ["ari"])


def test_who_is_never_the_best_row_for_want_of_runs_is_said(suite, make_record):
    lucky = [make_record("lucky", s, status="failed") for s in range(1, 10)]
    blocks = summarise([*suite(), make_record("lucky", 0, {"error_rate": 0.001}), *lucky])
    for text in (console(blocks, ["error_rate"]), latex(blocks, ["error_rate"])):
        said = "Never called best, with results for fewer than half of the seeds: lucky."
        assert said in text
    assert "Never called best" not in console(summarise(suite()), ["error_rate"])


def test_nothing_to_compare_is_no_text(make_record):
    blocks = summarise([make_record("a", 0, {"ari": 0.5})])
    assert console(blocks, ["ari"]) == latex(blocks, ["ari"]) == ""
    blocks = summarise([make_record(x, 0, {"active_clusters": 9.0}) for x in "ab"])
    assert console(blocks, ["active_clusters"]) == latex(blocks, ["active_clusters"]) == ""


def test_the_latex_table_by_hand(suite):
    text = latex(summarise(suite()), ["error_rate", "ari"])
    assert r"Method & Difference & 95\,\% interval & $p$ (Holm) & Pairs & Rank \\" in text
    assert r"{\emph{Error\,$\downarrow$, train}} \\" in text
    assert r"a & best &  &  &  & 1.56 a \\" in text
    assert r"b & .000 & [$-$.008, .008] & 1.000 & 10/10 & 1.44 a \\" in text
    titled = "\\midrule\n\\multicolumn{6}{l}{\\emph{ARI\\,$\\uparrow$, held-out}} \\\\\na & best"
    assert titled in text
    assert "\nc & $-$.200" in text
    assert text.count(r"\begin{table") == 1


def test_many_rows_take_several_tables(suite):
    labels = [f"m{i}" for i in range(50)]
    text = latex(summarise(suite(labels, seeds=2)), ["error_rate", "ari"])
    tables = text.split(r"\begin{table*}")[1:]
    assert len(tables) == 3
    assert sum(table.count(r"& best &") for table in tables) == 2
    for head in (r"Error\,$\downarrow$, train", r"ARI\,$\uparrow$, held-out"):
        assert sum(head in table for table in tables) == 2  # said again where it goes on
    assert text.count(r"\label{") == 1


def test_hostile_names_compile_and_fit(suite, tmp_path):
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("pdflatex is not installed")
    data = [DatasetUsed(name=name, n=10, n_test=5) for name in ("digits", "#1_{2}")]
    records = [record for each in data for record in suite(HOSTILE, dataset=each)]
    tables = latex(summarise(records), ["error_rate", "ari"])
    narrow = (
        "\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n"
        f"\\begin{{document}}\n{fragment(tables)}\\end{{document}}\n"
    )
    for name, document in (("wide", standalone(tables)), ("narrow", narrow)):
        (tmp_path / f"{name}.tex").write_text(document, encoding="utf-8")
        done = subprocess.run(
            [compiler, "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=60,
        )
        log = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, log[-2000:]
        assert "Overfull" not in log, name


def test_nothing_steers_a_terminal(suite):
    assert "\x1b" not in console(summarise(suite(HOSTILE)), ["error_rate"])


def test_what_is_said_of_ranks(suite):
    (block,) = summarise(suite())
    ranking = ranked(block, "test", "ari")
    assert ranking is not None
    assert said(ranking) == (
        "Average ranks over seeds 0–3, 5–9 of one data set: Friedman chi-squared 27.0, p < .001; "
        "Nemenyi critical difference 1.56. Seeds on which a ranked row has no score are left "
        "out: 1."
    )


@pytest.mark.parametrize(
    ("p", "text"), [(0.0001, "< .001"), (0.001, "= .001"), (0.5, "= .500"), (1, "= 1.000")]
)
def test_probabilities_have_three_decimals(p, text):
    assert probability(p) == text


def test_what_is_no_longer_counted_out_is_said(make_record):
    records = [make_record(x, s, {"ari": s % 7 / 9 + d}) for x, d in AB for s in range(201)]
    assert "test (beyond 200 pairs asymptotic), after Holm" in console(summarise(records), ["ari"])
    assert "asymptotic" not in console(summarise(records[:100] + records[201:301]), ["ari"])


AB = {"a": 0.0, "b": 0.1}.items()
