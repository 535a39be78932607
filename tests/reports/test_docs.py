"""The tables that are written into pages: means and counts by hand, and pages kept up to date."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from deep_em_bench.core import UserError
from deep_em_bench.reports.docs import Column, main, pair_table, score_table

ROOT = Path(__file__).parents[2]
COLUMN = Column(title="purity", suite="s", score="train/purity")


def frame(*cells: tuple[str, str, int, str, float]) -> pd.DataFrame:
    """Cells of one suite: data set, label, seed, status, purity."""
    table = pd.DataFrame(cells, columns=["dataset", "label", "seed", "status", "train/purity"])
    params = [{"max_iter": 6}] * len(cells)
    return table.assign(suite="s", profile="quick", n_clusters=2, fit_s=1.0, params=params)


def test_a_cell_is_the_mean_and_the_sample_deviation_of_the_seeds_that_ended_well() -> None:
    cells = frame(
        ("d", "a[x]", 0, "ok", 0.5),
        ("d", "a[x]", 1, "ok", 0.7),
        ("d", "a[x]", 2, "failed", float("nan")),
        ("d", "b[y]", 0, "ok", 0.25),
    )
    titles = {"b[y]": "B", "unused": "U", "a[x]": "A, {max_iter} EM iterations"}
    assert score_table(cells, [COLUMN], titles) == [
        ["method", "purity", "n"],
        ["B", ".250", "1/1"],
        ["A, 6 EM iterations", ".600 ± .141", "2/3"],  # sqrt(.02) = .141
    ]


def test_a_seed_counts_with_the_mean_of_its_data_sets_and_only_if_all_ended_well() -> None:
    cells = frame(
        ("d", "a[x]", 0, "ok", 0.2),
        ("e", "a[x]", 0, "ok", 0.4),
        ("d", "a[x]", 1, "ok", 0.9),
        ("e", "a[x]", 1, "timeout", float("nan")),
    )
    assert score_table(cells, [COLUMN], {"a[x]": "A"})[1] == ["A", ".300", "1/2"]


def test_a_column_without_records_of_a_row_has_a_dash() -> None:
    other = Column(title="other", suite="s", dataset="^e$", score="train/purity")
    cells = frame(("d", "a[x]", 0, "ok", 0.2), ("e", "b[y]", 0, "ok", 0.4))
    lines = score_table(cells, [COLUMN, other], {"a[x]": "A", "b[y]": "B"})
    assert lines[1:] == [["A", ".200", "–", "1/1"], ["B", ".400", ".400", "1/1"]]


def test_a_row_without_title_or_with_two_budgets_is_refused() -> None:
    cells = frame(("d", "a[x]", 0, "ok", 0.2), ("d", "a[x]", 1, "ok", 0.2))
    with pytest.raises(UserError, match=r"no title for the rows a\[x\]"):
        score_table(cells, [COLUMN], {})
    cells["params"] = [{"max_iter": 6}, {"max_iter": 7}]
    with pytest.raises(UserError, match="several budgets"):
        score_table(cells, [COLUMN], {"a[x]": "{max_iter}"})


def test_accuracies_and_percentages_come_from_error_rates() -> None:
    cells = frame(("d", "a[x]", 0, "ok", 0.0)).assign(
        **{"test/error_rate": 0.123, "test/accuracy": 0.877}
    )
    columns = [
        Column(title=name, suite="s", score=f"test/{name}") for name in ("accuracy", "error_%")
    ]
    assert score_table(cells, columns, {"a[x]": "A"})[1] == ["A", ".877", "12.3", "1/1"]


def test_pairs_are_compared_seed_by_seed() -> None:
    cells = frame(
        ("d", "a[x]", 0, "ok", 0.5),
        ("d", "b[y]", 0, "ok", 0.4),
        ("d", "a[x]", 1, "ok", 0.5),
        ("d", "b[y]", 1, "ok", 0.8),
        ("d", "a[x]", 2, "ok", 0.9),  # has no counterpart
    )
    pair = Column(title="A", suite="s", score="train/purity", labels=("a[x]", "b[y]"))
    assert pair_table(cells, [pair])[1] == ["A", "purity", "-.100 ± .283", "1 of 2 runs"]


def test_a_page_out_of_date_is_named_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "results" / "reference").mkdir(parents=True)
    (tmp_path / "results" / "reference" / "uci").symlink_to(ROOT / "results" / "reference" / "uci")
    shutil.copy(ROOT / "docs" / "tables.toml", tmp_path / "docs")
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- table: uci -->\n<!-- end -->\nafter\n", encoding="utf-8")
    here = ["--root", str(tmp_path)]
    assert main([*here, "--check"]) == 1
    assert "README.md is out of date" in capsys.readouterr().out
    assert main(here) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- table: uci -->\n| method | Segmentation: purity ↑ |")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "| GANMM, `stable` | .755 ± .059 (.7241) |" in text
    assert main([*here, "--check"]) == 0
    tables = tmp_path / "docs" / "tables.toml"
    tables.write_text(tables.read_text().replace("published = true", "publishd = true", 1))
    assert main(here) == 1
    assert "table uci: unknown key 'publishd'; did you mean 'published'?" in (
        capsys.readouterr().err
    )
    page.write_text("<!-- table: uic -->\n<!-- end -->\n", encoding="utf-8")
    assert main(here) == 1
    assert "did you mean 'uci'?" in capsys.readouterr().err


def test_a_folder_that_is_no_checkout_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path)]) == 1
    assert "tables.toml is not there; run this in a checkout" in capsys.readouterr().err
