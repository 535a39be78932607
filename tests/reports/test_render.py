"""One table for the terminal, for LaTeX, as CSV and JSON: the same numbers, everything escaped."""

import csv
import io
import json
import re

import pytest

from deep_em_bench.reports.render.console import console
from deep_em_bench.reports.render.data import to_csv, to_json
from deep_em_bench.reports.render.latex import figure_floats, fragment, latex, standalone
from deep_em_bench.reports.tables.model import (
    Cell,
    Column,
    Format,
    Group,
    Line,
    Table,
    text_column,
)
from deep_em_bench.reports.tables.pivot import by_data
from deep_em_bench.reports.tables.scores import every_score, scores

HOSTILE = [
    r"\input{/etc/passwd}",
    "a_b & 50%",
    "[*]",
    "x" * 60,
    "$x$ ~^{}#",
    "汉字 é ß 🙂",
    "\x1b[31mred\u202e",
    "=cmd()",
]


@pytest.fixture
def hostile(make_record, gather):
    records = [
        make_record(label, s, {"ari": 0.5 + s / 10, "nmi": 0.5}, params={label: label})
        for label in HOSTILE
        for s in range(2)
    ]
    records += [make_record("bad", 0, status="failed", error=f"E: {text}") for text in HOSTILE]
    return gather(records)


def test_the_terminal_shows_stars_and_steers_nothing(hostile, gather, suite_records):
    text = console(scores(hostile))
    assert all(c.isprintable() or c == "\n" for c in text)
    lines = console(scores(gather(suite_records, folder=None, split="test"))).splitlines()
    (gan,) = [line for line in lines if line.strip().startswith("GAN-EM")]
    assert re.split("  +", gan.strip())[1:] == [".870 ± .028*", "2.00", "2/3"]
    assert "Marked *: the best mean." in lines


def test_csv_and_json_hold_every_number_under_its_identifier(gather, suite_records):
    tables = every_score(gather(suite_records))
    rows = list(csv.DictReader(io.StringIO(to_csv(tables))))
    assert [row["label"] for row in rows[:2]] == ["kmeans", "gan_em[stable]"]
    row = rows[0]
    assert float(row["accuracy"]) == pytest.approx(0.79)
    assert float(row["accuracy_std"]) == pytest.approx(0.01)
    assert (row["group"], row["n"], row["n_of"], row["accuracy_best"]) == ("train", "3", "3", "0")
    assert rows[1]["accuracy_best"] == "1"
    (table,) = json.loads(to_json(tables))
    assert table["rows"][0]["accuracy"] == pytest.approx(0.79)
    assert table["columns"][1]["direction"] in ("higher", "lower", "none")
    assert "seeds 0–2" in table["caption"]


def test_text_that_a_spreadsheet_would_run_is_quoted(hostile):
    rows = list(csv.DictReader(io.StringIO(to_csv(every_score(hostile)))))
    labels = {row["label"] for row in rows}
    assert "'=cmd()" in labels
    assert not any(label.startswith(("=", "+", "@")) for label in labels)
    assert any(row["nmi"] == "0.5" for row in rows), "numbers stay numbers"


def test_latex_escapes_and_fits_in_one_and_two_columns(hostile, latex_log):
    text = latex(scores(hostile))
    assert r"\input{/etc" not in text
    document = standalone(text)
    for each in (document, document.replace("{article}", "{article}\n\\twocolumn", 1)):
        assert "Overfull \\hbox" not in latex_log(each)


def test_long_tables_go_on_in_another_float_with_the_same_number(make_record, gather, latex_log):
    records = [make_record(f"m{i}", 0, {"ari": i / 100}) for i in range(70)]
    text = latex(scores(gather(records)))
    assert text.count(r"\begin{table") == 3
    assert text.count(r"\label{") == 1
    assert text.count("Continued.") == 2
    log = latex_log(standalone(text))
    assert "too large" not in log


def test_labels_are_unique_whatever_the_names_are():
    column = (text_column("t", "T"), Column(name="a", title="A", format=Format(kind="share")))
    group = (Group(lines=(Line(cells=(Cell(value="x"), Cell(value=0.5))),)),)
    names = ["数字", "数据", "a_b", "a-b"]
    tables = [Table(name=n, title=n, columns=column, groups=group, caption=(n,)) for n in names]
    labels = re.findall(r"\\label\{([^}]*)\}", latex(tables))
    assert len(set(labels)) == len(names)


def test_a_fragment_names_its_packages_and_a_figure_has_its_caption():
    text = fragment(figure_floats({"points-a": "Scores of a_b. 50 %"}))
    assert text.startswith(r"% needs \usepackage{booktabs,graphicx}")
    assert r"\includegraphics[width=\linewidth]{points-a}" in text
    assert r"\caption{Scores of a\_b. 50 \%}" in text


def test_a_paper_has_its_table_of_methods_by_data_sets(gather, make_record, latex_log):
    from deep_em_bench.results import DatasetUsed

    records = [
        make_record(
            label, seed, {"ari": 0.1 * i + seed / 100}, dataset=DatasetUsed(name=name, n=60)
        )
        for name in ("digits", "iris", "moons")
        for i, label in enumerate(("kmeans", "gmm", "a", "b"))
        for seed in range(3)
    ]
    text = latex(by_data(gather(records)))
    assert r"Digits\,$\uparrow$" in text
    assert text.count(r"\textbf{") == 3
    assert "Overfull" not in latex_log(
        standalone(text).replace("{article}", "{article}\n\\twocolumn")
    )
