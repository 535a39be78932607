import json
import logging
import shutil
import signal
import subprocess

import numpy as np
import pytest
from msgspec import structs

from deep_em_bench.reports.__main__ import ALIKE, _Warnings, main
from deep_em_bench.reports.output import LIST
from deep_em_bench.results import DatasetUsed, Store
from tests.reports.html_tree import lines, parsed


@pytest.fixture
def report(tmp_path, capsys):
    """Runs the command on the records under tmp_path; gives status, output and error output."""

    def run(*arguments):
        places = ["--root", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
        status = main(["--suite", "digits_raw", *places, *arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def filled(tmp_path, suite_records):
    store = Store(tmp_path / "runs" / "digits_raw")
    arrays = {"y_train": np.arange(40) % 10, "labels_train": np.arange(40) % 9}
    for record in suite_records:
        if record.label == "kmeans":
            record = structs.replace(record, label="kmeans[default]")  # as in the suite
        store.write(record, arrays if record.status == "ok" else None)
    return store


@pytest.mark.usefixtures("filled")
def test_everything_by_default(report, tmp_path):
    status, out, err = report()
    folder = tmp_path / "out" / "digits_raw"
    assert status == 0
    assert "GAN-EM" in out
    assert str(folder) in err
    written = {path.name for path in folder.iterdir()}
    assert {name for name in written if not name.endswith((".pdf", ".png", ".txt"))} == {
        *("table.csv", "table.json", "table.tex", "clusters.csv", "clusters.tex", "figures.tex"),
        *("table_standalone.tex", "index.html", LIST),
    }
    assert written >= {
        f"{kind}-digits-raw-digits-10-quick.{suffix}"
        for kind in ("points", "confusion")
        for suffix in ("pdf", "png")
    }
    assert len(json.loads((folder / "table.json").read_text())) == 1
    assert r"\input" not in (folder / "table_standalone.tex").read_text()


@pytest.mark.usefixtures("filled")
def test_the_written_document_compiles(report, tmp_path):
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("pdflatex is not installed")
    report("--format", "latex")
    done = subprocess.run(
        [compiler, "-interaction=nonstopmode", "-halt-on-error", "table_standalone.tex"],
        cwd=tmp_path / "out" / "digits_raw",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


@pytest.mark.usefixtures("filled")
def test_one_format_and_chosen_columns(report, tmp_path):
    status, out, err = report("--format", "console", "--metrics", "rand_index,error_rate")
    assert status == 0
    assert "Rand ↑" in out
    assert "Purity" not in out
    assert "arrays" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("filled")
def test_figures_that_are_not_drawn_are_told(report, tmp_path):
    status, _, err = report("--format", "page", "--figures", "1")
    folder = tmp_path / "out" / "digits_raw"
    assert status == 0
    assert len(list(folder.glob("*.png"))) == 1
    message = "drawn: the first 1; all of them: python -m reports --suite digits_raw --figures all"
    assert message in err
    assert message in (folder / "index.html").read_text()
    status, _, err = report("--format", "page", "--figures", "all")
    assert len(list(folder.glob("*.png"))) > 1
    assert "Figures drawn" not in err
    assert "Figures drawn" not in (folder / "index.html").read_text()


def test_what_a_later_run_does_not_write_is_removed(report, filled, tmp_path, make_record):
    folder = tmp_path / "out" / "digits_raw"
    filled.write(make_record("kmeans[default]", 0, {"error_rate": 0.5}, profile="tiny"))
    report()
    before = {path.name for path in folder.iterdir()}
    (folder / "mine.png").write_bytes(b"")
    (folder / "statistics.tex").write_text("mine now")
    status, _, err = report("--profile", "tiny", "--format", "page")
    assert status == 0
    after = {path.name for path in folder.iterdir()}
    assert {name for name in before - after if "-quick" not in name} == set()
    assert not any("-quick" in name for name in after)
    assert any(name.startswith("points-") and "-tiny" in name for name in after)
    assert "older files" in err
    report("--profile", "tiny")
    gone = before - {path.name for path in folder.iterdir()}
    assert {name for name in gone if "-quick" not in name} == {"clusters.tex", "clusters.csv"}
    assert (folder / "statistics.tex").read_text() == "mine now"
    assert (folder / "mine.png").exists()


def test_a_suite_without_records_says_what_makes_them(report, tmp_path):
    says = "python -m benchmarks.run --suite digits_raw"
    status, out, err = report()
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err
    (tmp_path / "runs" / "digits_raw").mkdir(parents=True)
    status, _, err = report()
    assert (status, err.count("\n")) == (1, 1)
    assert says in err


def test_damaged_records_are_left_out_by_name(report, filled, caplog):
    damaged = filled.folder / f"{filled.keys()[0]}.json"
    damaged.write_text("{")
    status, out, _ = report("--format", "console")
    assert status == 0
    assert str(damaged) in caplog.text
    assert "2/2" in out or "1/2" in out


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "html"], "invalid choice: 'html'"),
        (["--figures", "0"], "neither a number from 1 nor all"),
        (["--sweet=x"], "unrecognized arguments"),
        (["--suite", ""], "names nothing; leave the option out"),
        (["--profile="], "names nothing; leave the option out"),
        (["--metrics", ","], "names nothing; leave the option out"),
    ],
)
def test_usage_errors(report, capsys, arguments, says):
    with pytest.raises(SystemExit) as stopped:
        report(*arguments)
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--profile", "paper"], "no records with profile 'paper'"),
        (["--metrics", "ari"], "no record of suite 'digits_raw' has ari; there are: accuracy"),
        (["--metrics", "puritiy"], "did you mean 'purity'"),
        (["--rename", "kmeans"], "expected LABEL=NAME"),
        (["--against", "svm"], "unknown row 'svm'"),
    ],
)
def test_what_the_records_do_not_hold(report, arguments, says):
    status, out, err = report(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err


def test_mixed_code_needs_to_be_allowed(report, filled, make_record):
    filled.write(make_record("kmeans[default]", 7, {"error_rate": 0.3}, version=2))
    status, _, err = report()
    assert status == 1
    assert "kmeans[default] mixes code versions" in err
    status, out, _ = report("--mixed", "--format", "console")
    assert status == 0
    assert "MIXED: kmeans[default] mixes code versions" in out


@pytest.mark.usefixtures("filled")
def test_a_folder_that_cannot_be_written_to_is_named(report, tmp_path):
    (tmp_path / "out").write_text("")
    status, _, err = report("--format", "csv")
    assert (status, err.count("\n")) == (1, 1)
    assert f"cannot write to {tmp_path / 'out' / 'digits_raw'}" in err


@pytest.mark.usefixtures("filled")
def test_all_suites_with_records_by_default(tmp_path, capsys, make_record):
    runs = tmp_path / "runs"
    (runs / "empty").mkdir()
    Store(runs / "mnist_raw").write(make_record("kmeans", 0, {"purity": 0.5}, suite="mnist_raw"))
    places = ["--root", str(runs), "--out", str(tmp_path / "out")]
    assert main([*places, "--format", "console", "csv"]) == 0
    out, _ = capsys.readouterr()
    assert [line for line in out.splitlines() if line.startswith("# ")] == [
        *("# digits_raw", "# mnist_raw"),
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"digits_raw", "mnist_raw"}


def test_a_suite_that_cannot_be_reported_spares_the_others(tmp_path, filled, capsys, make_record):
    for seed in range(2):
        record = make_record("kmeans", seed, {"ari": 0.3}, suite="a", version=seed)
        Store(tmp_path / "runs" / "a").write(record)
    places = ["--root", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert main([*places, "--format", "console", "page", "--figures", "1"]) == 1
    out, err = capsys.readouterr()
    assert "GAN-EM" in out
    assert err.startswith("reports: a: ")
    index = parsed((tmp_path / "out" / "index.html").read_text())
    refused = next(line for line in lines(index.all("table")[0]) if line[0] == "a")
    assert "mixes code versions" in refused[-1]


def test_an_interruption_is_one_line(report, monkeypatch):
    def drawn(*_, **__):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("deep_em_bench.reports.__main__.stores", drawn)
    assert report() == (130, "", "interrupted: what was finished is kept\n")


def test_no_records_anywhere(tmp_path, capsys):
    assert main(["--root", str(tmp_path / "none")]) == 1
    assert "no suite has records in" in capsys.readouterr().err


def test_published_numbers_are_laid_beside_measured_ones(tmp_path, capsys, make_record):
    used = DatasetUsed(name="mnist", words={"split": "train"}, n=10_000, n_test=0)
    store = Store(tmp_path / "runs" / "mnist_raw")
    for seed, error in enumerate((0.46, 0.47)):
        scores = {"error_rate": error}
        store.write(make_record("kmeans", seed, scores, suite="mnist_raw", dataset=used))
    places = ["--root", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    formats = ["--format", "console", "latex", "csv"]
    assert main(["--suite", "mnist_raw", *places, *formats]) == 0
    assert "46.51" in capsys.readouterr().out
    folder = tmp_path / "out" / "mnist_raw"
    assert {path.name for path in folder.iterdir()} == {
        *("table.csv", "comparison.csv", "table.tex", "comparison.tex", "table_standalone.tex"),
        LIST,
    }
    assert "Measured beside published" in (folder / "table_standalone.tex").read_text()


def test_warnings_are_few_and_steer_no_terminal(capsys):
    warnings = _Warnings()
    for i in range(ALIKE + 3):
        warnings.handle(logging.makeLogRecord({"msg": "no clusters of %s", "args": (f"{i}\x1b",)}))
    warnings.handle(logging.makeLogRecord({"msg": "skipped: %s", "args": ("it",)}))
    warnings.summarise()
    messages = capsys.readouterr().err.splitlines()
    assert messages[0] == "no clusters of 0?"
    assert messages[ALIKE:] == ["skipped: it", "3 more like: no clusters of …"]
