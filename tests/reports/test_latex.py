import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.reports.escaping import breakable, escape, named
from deep_em_bench.reports.floats import Group, Tabular, floating
from deep_em_bench.reports.latex import comparison, fragment, standalone
from deep_em_bench.reports.summary import summarise

HOSTILE = [
    r"\input{/etc/passwd}",
    r"\write18{touch pwned}",
    "a_b & <c>% $x^2$ #{}~",
    "=1+1|\"quoted\"|`cmd` -- ``x'' ?` !` ,,<<",
    "gan_em, λ = 0.1, σ² ≤ ∞, 日本語 \x1b[31m\x00 é ß Œ",
    "two\nlines\n\nand a paragraph",
    "a_very_long_label_" * 6,
    "averylonglabelwithoutanybreaks" * 4,
    "{{{",
    "}}}",
    "\\",
    "%",
    "[*]",
    "* star",
    "^^M^^41",
    "-" * 80,
]


@pytest.fixture
def hostile_blocks(make_record):
    records = [
        make_record(label, seed, {"error_rate": 0.1 + 0.01 * seed, "ari": -0.2, "nmi": 0.5})
        for label in ["kmeans", *HOSTILE]
        for seed in range(2)
    ]
    failed = [
        make_record("failing", s, status="failed", error=f"E: {h}") for s, h in enumerate(HOSTILE)
    ]
    return summarise([*records, *failed])


def test_escape_prints_every_special_character():
    assert escape(r"a_b & 50% #$ {x}") == r"a\_b \& 50\% \#\$ \{x\}"
    assert escape("\\^~<>|") == (
        r"\textbackslash{}\textasciicircum{}\textasciitilde{}"
        r"\textless{}\textgreater{}\textbar{}"
    )
    assert escape("0–2 ± λ") == r"0--2 $\pm$ $\lambda$"
    assert escape("日") == r"[U+65E5]\allowbreak{}"
    assert escape("a\x00b") == r"a[U+0000]\allowbreak{}b"
    assert escape("a\n\tb") == "a  b"


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_nothing_foreign_is_left_after_escaping(text):
    """Take away what escaping may produce: plain characters are left, none special to TeX."""
    for escaped in (escape(text), breakable(text), named(text)):
        left = re.sub(r"\\[a-z]+(\[[tb]\])?(\{\}|\{9em\})?|\\[#$%&_{}]", "", escaped)
        left = left.replace("-{}", "-").replace("$", "").removeprefix("{}")
        left = left.removeprefix("{").removesuffix("}")
        assert not re.search(r"[\\{}%&#_^~]", left)
        assert all(c.isascii() or c.isalpha() for c in left)


def test_long_names_are_boxed_and_short_ones_stay():
    assert named("gan_em[stable]") == r"gan\_em[stable]"
    boxed = named("gan_em[stable], label smoothing")
    assert boxed.startswith(r"\parbox[t]{9em}{\raggedright gan\_")
    assert r"\allowbreak{}" in named("x" * 40)
    assert [named("[2pt]"), named("*x")] == ["{}[2pt]", "{}*x"]


def test_table_holds_numbers_marks_and_failures(suite_records):
    text = comparison(summarise(suite_records), ["error_rate", "purity", "active_clusters"])
    assert r"Error\,$\downarrow$ & Purity\,$\uparrow$ & Clusters & Fit (s) & $n$ \\" in text
    assert r"\multicolumn{6}{l}{\emph{train}} \\" in text
    assert r"kmeans & .210$\scriptstyle\,\pm\,.010$" in text
    assert r"gan\_em[stable] & \textbf{.120}$\scriptstyle\,\pm\,.028$" in text
    assert "& 2.00 & 2/3" in text
    assert "\\midrule\n\\multicolumn{6}{l}{\\emph{held-out}} \\\\\nkmeans & .220" in text
    assert r"\emph{diverged}: gan\_\allowbreak{}em\allowbreak{}[" in text
    assert "seed 2: DivergenceError" in text.replace(r"\allowbreak{}", "")
    assert "loss is nan" in text
    assert r"\label{tab:digits-raw-digits-10-quick}" in text


def test_one_split_needs_no_title(make_record):
    text = comparison(summarise([make_record("kmeans", 0, {"ari": -0.25})]), ["ari"])
    assert r"Method & ARI\,$\uparrow$ & Fit (s) & $n$ \\" in text
    assert "\nkmeans & $-$.250 & 2.00 & 1/1 " in text


def test_hostile_names_compile_and_fit(latex, hostile_blocks, tmp_path):
    log = latex(standalone(comparison(hostile_blocks, ["error_rate", "ari", "nmi"])))
    assert "Overfull" not in log
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("columns", ["onecolumn", "twocolumn"])
def test_the_fragment_fits_a_paper(latex, suite_records, hostile_blocks, columns):
    shown = ["error_rate", "purity", "rand_index", "active_clusters"]
    blocks = [*summarise(suite_records), *hostile_blocks]
    log = latex(
        f"\\documentclass[{columns}]{{article}}\n\\usepackage{{booktabs}}\n"
        "\\begin{document}\\input{table}\\end{document}\n",
        table=fragment(comparison(blocks, shown)),
    )
    assert "Overfull" not in log


def of_cells(heads, *groups):
    groups = [Group(rows=rows) for rows in groups]
    return Tabular(columns="l" * len(heads), heads=[heads], groups=groups)


def test_few_columns_stay_in_one_of_two_and_many_go_across():
    few, many = (of_cells(["a"] * n, [["1"] * n]) for n in (3, 4))
    assert floating(few, ["x"], "x").startswith("\\begin{table}[htbp]")
    assert floating(many, ["x"], "x").startswith("\\begin{table*}[htbp]")


@pytest.mark.parametrize(
    ("characters", "size"), [(44, "9"), (51, "8"), (55, "7"), (62, "5")], ids=str
)
def test_a_table_has_the_largest_size_that_fits(latex, characters, size):
    text = floating(of_cells(["x" * characters], [["1"]]), ["x"], "x")
    told = text.replace("\\toprule", "\\toprule\\typeout{size \\csname f@size\\endcsname.}")
    log = latex(standalone(told).replace("margin=2.5cm", "textwidth=240pt"))
    assert log.split("size ")[-1].partition(".")[0] == size
    assert "Overfull" not in log


def test_a_fragment_names_its_packages_first(suite_records):
    text = fragment(comparison(summarise(suite_records), ["error_rate"]))
    assert text.startswith("% needs \\usepackage{booktabs} in the preamble\n\\providecommand")


def test_a_table_of_failures_compiles(latex, make_record):
    blocks = summarise([make_record("a", s, status="timeout") for s in range(2)])
    text = comparison(blocks, [])
    assert "& 0/2" in text
    latex(standalone(text))


def test_tables_of_samples_fit_a_narrow_column(latex, make_samples):
    nets = [{"name": "squeezenet"}, {"name": "lenet"}, {"name": r"\input{x}_%", "sha256": None}]
    blocks = summarise(
        [
            make_samples(label, s, 231.0 + s, net=net, n_clusters=2 + i, n_parameters=13_005_411)
            for label in ("responsibility_gan[separate, adversarial]", "vanilla_gan", "[*]")
            for i, net in enumerate(nets)
            for s in range(2)
        ]
    )
    shown = ["nmi", "is_squeezenet", "fid_squeezenet", "kid_squeezenet", "fid_lenet"]
    log = latex(
        "\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n"
        "\\begin{document}\\input{table}\\end{document}\n",
        table=fragment(comparison(blocks, shown)),
    )
    assert "Overfull" not in log
