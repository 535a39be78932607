"""Floats of at most a page: nothing of a table, its caption or its notes is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deep_em_bench.reports.escaping import named
from deep_em_bench.reports.floats import Group, Tabular, floating
from deep_em_bench.reports.formats import MAKERS
from deep_em_bench.reports.gathered import gathered
from deep_em_bench.reports.latex import standalone
from deep_em_bench.results import Store

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


def table(n, name="m{}", groups=1):
    rows = [[named(name.format(i)), ".5"] for i in range(n)]
    held = [Group(title=f"part {i}", rows=rows) for i in range(groups)]
    return Tabular(columns="lr", heads=[["Method", "Error"]], groups=held)


def floats(text):
    return re.findall(r"\\begin\{table\}.*?\\end\{table\}", text, re.DOTALL)


def test_what_fits_a_page_is_one_float():
    text = floating(table(5), ["A sentence."], "a label", [("who", "a note"), ("", "another")])
    (one,) = floats(text)
    assert one.count(r"\caption{A sentence.}") == one.count(r"\label{tab:a-label}") == 1
    assert r"\emph{who}: a note" in one
    assert "another" in one


def test_rows_that_do_not_fit_go_on_under_the_same_number_and_title():
    text = floating(table(120, groups=2), ["First.", "Second."], "x", [("", "the note")])
    found = floats(text)
    assert len(found) > 4
    assert [f"\nm{i} & .5" in text for i in range(120)] == [True] * 120
    assert text.count("& .5") == 240
    assert text.count(r"\label{") == text.count("Second.") == text.count("the note") == 1
    assert all("Continued." in part and r"\addtocounter{table}{-1}" in part for part in found[1:])
    assert all(r"\emph{part " in part and "Method & Error" in part for part in found)


def test_a_title_is_never_left_without_a_row():
    for n in range(1, 60):
        for part in floats(floating(table(n, groups=3), ["x"], "x")):
            assert not re.search(r"\\emph\{part \d\}\} \\\\\s*\\(bottomrule|midrule)", part)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(
    "name", ["m{}", "a_long_name[stable], with {} words in it", "x" * 90 + "{}"]
)
def test_no_float_is_larger_than_a_page(latex, name, groups):
    sentences = [f"Sentence {i} of a caption, which is as long as most." for i in range(80)]
    notes = [(f"note {i}", "lorem " * 30 * i) for i in range(40)]
    text = floating(table(70, name, groups), sentences, "x", notes)
    log = latex(standalone(text))
    assert "Float too large" not in log
    assert "Overfull" not in log
    plain = text.replace(r"\allowbreak{}", "")
    assert all(sentence in plain for sentence in sentences)
    assert plain.count("lorem") == sum(30 * i for i in range(40))


@pytest.mark.parametrize("suite", ["mnist_raw", "mnist_semi", "generation"])
def test_the_tables_of_the_reference_records_fit_their_pages(latex, suite):
    given = gathered(Store(REFERENCE / suite), mixed=True)
    log = latex(MAKERS["latex"](given)["table_standalone.tex"])
    assert "Float too large" not in log
    assert "Overfull" not in log


def test_the_tables_of_the_papers_fit_their_pages(latex):
    from deep_em_bench.reports import audit
    from deep_em_bench.results.published import tables

    assert "Float too large" not in latex(standalone(audit.latex(audit.audit(tables()))))
