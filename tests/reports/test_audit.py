import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deep_em_bench.reports.__main__ import main
from deep_em_bench.reports.audit import audit, console, latex, to_csv, to_json
from deep_em_bench.reports.latex import standalone
from deep_em_bench.results.published import published, tables


@pytest.fixture(scope="module")
def audited():
    return audit(tables())


def test_every_number_and_every_remark_is_printed(audited):
    text = console(audited, 100)
    flat = " ".join(text.split())
    for entry in published():
        assert entry.printed in text
        assert all(remark in flat for remark in entry.remarks)
    for table in tables():
        assert table.remark in flat
        assert all(remark in flat for remark in table.paper.remarks)
        assert all(remark in flat for remark in table.column_remarks.values())


def test_grouped_by_paper_and_table(audited):
    lines = console(audited, 100).splitlines()
    papers = [line for line in lines if line in ("GAN-EM", "GANMM", "RESPONSIBILITY GAN")]
    assert papers == ["GAN-EM", "GANMM", "RESPONSIBILITY GAN"]
    heads = [line.partition(":")[0] for line in lines if re.match(r"\S.* (Table \d|text):", line)]
    assert heads == [
        *("GAN-EM Table 1", "GAN-EM Table 1", "GAN-EM Table 2", "GAN-EM Table 3", "GAN-EM text"),
        *(f"GANMM Table {i}" for i in range(1, 6)),
        "Responsibility GAN Table 6",
    ]


def test_a_row_says_what_it_measures_and_what_is_wrong(audited):
    text = console(audited, 400)
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("    GMM [16]"))
    assert lines[start].split()[-1] == "32.61(±0.06)"
    assert lines[start + 1].startswith("      = measures purity; K = 10; 50,000 points fitted")
    assert lines[start + 2].startswith("      ! A purity printed as an error: GANMM Table 1")
    assert re.search(r"GANMM {6}0\.6430±0\.0045\*  0\.4924±0\.0059\*  0\.6159±0\.0038\*", text)
    assert text.count("Not known to be an error rate") == 1  # once for three rows


@pytest.mark.parametrize("width", [1, 60, 80, 160])
def test_text_is_wrapped_to_the_width(audited, width):
    for line in console(audited, width).splitlines():
        if re.match(r"\s*[=!] ", line):
            assert len(line) <= max(width, 40)


def test_csv_and_json_hold_every_number(audited):
    lines = list(csv.DictReader(io.StringIO(to_csv(published()))))
    assert len(lines) == len(published())
    found = {(x["paper"], x["table"], x["row"], x["column"], x["n_clusters"]): x for x in lines}
    assert len(found) == len(lines)
    line = found["GANMM", "Table 5", "DEC", "ARI", "10"]
    assert (float(line["value"]), float(line["std"]), line["bold"]) == (0.0365, 0.0, "0")
    assert (line["suites"], line["n"], line["split"]) == ("uci", "30500", "train")
    held = json.loads(to_json(audited, published()))
    assert [paper["name"] for paper in held["papers"]] == ["GAN-EM", "GANMM", "Responsibility GAN"]
    assert len(held["numbers"]) == len(published())
    assert len(held["tables"]) == len(tables())


def test_latex_compiles_and_prints_every_character(audited, tmp_path):
    text = latex(audited)
    assert "[U+" not in text
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("pdflatex is not installed")
    (tmp_path / "main.tex").write_text(standalone(text), encoding="utf-8")
    command = [compiler, "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    log = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, log[-2000:]
    assert "Overfull \\hbox" not in log
    assert "too large" not in log


def test_the_command_prints_it_and_writes_when_asked(tmp_path, capsys):
    assert main(["published", "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert "GAN-EM Table 1" in out
    assert err == ""
    assert not (tmp_path / "out").exists()
    formats = ["--format", "latex", "csv", "json"]
    assert main(["published", "--out", str(tmp_path / "out"), *formats]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert {path.name for path in Path(tmp_path / "out").iterdir()} == {
        *("published.csv", "published.json", "published.tex", "published_standalone.tex"),
    }
    assert main(["published", "--format", "figures"]) == 1
    assert "no figures of published numbers" in capsys.readouterr().err
