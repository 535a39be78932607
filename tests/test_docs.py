"""README.md and docs/: their tables follow from the records, their snippets run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deep_em_bench import results
from deep_em_bench.__main__ import COMMANDS
from deep_em_bench.reports.docs import Column, main
from tests.environment import ROOT, environment

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_committed_tables_are_what_the_command_writes() -> None:
    assert main(["--root", str(ROOT), "--check"]) == 0


def test_every_reference_record_stands_in_a_table() -> None:
    described = tomllib.loads((ROOT / "docs" / "tables.toml").read_text(encoding="utf-8"))
    left = results.load(root=ROOT / "results" / "reference")
    for table in described["tables"].values():
        shared = {key: table[key] for key in ("suite", "profile") if key in table}
        for entry in table.get("columns", []):
            column = Column(**(shared | entry | {"score": "fit_s"}))
            left = left.drop(column.select(left).index)
    assert left.empty, f"no table shows {set(zip(left['suite'], left['dataset'], strict=True))}"


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


def test_the_page_on_python_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    code = compile("\n".join(blocks("docs/python.md", "python")), "docs/python.md", "exec")
    names: dict[str, Any] = {"__name__": "page"}
    exec(code, names)
    assert names["images"].shape == (16, 1, 8, 8)
    assert len(names["errors"]) == 10  # seeds


def test_the_data_set_and_the_metric_of_contributing_run_as_a_suite(tmp_path: Path) -> None:
    plugin, suite = tmp_path / "rings.py", tmp_path / "rings.toml"
    plugin.write_text("\n".join(blocks("CONTRIBUTING.md", "python")), encoding="utf-8")
    suite.write_text(blocks("CONTRIBUTING.md", "toml")[0], encoding="utf-8")
    command = [sys.executable, "-m", "deep_em_bench", "run", "--suite", str(suite)]
    done = subprocess.run(
        [*command, "--plugin", str(plugin), "--out", "runs", "--threads", "1"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    frame = results.load("rings", root=tmp_path / "runs")
    assert len(frame) == 6
    assert frame["train/largest_share"].between(0.5, 1).all()


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"(?:^|`)deep-em-bench ([a-z]+)", page.read_text(encoding="utf-8"), re.M)
    assert set(named) <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES)
def test_the_files_and_headings_that_a_page_points_to_are_there(page: Path) -> None:
    for target, anchor in re.findall(
        r"\]\((?!http)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")
    ):
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name} points to {target}, which is not there"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), flags=re.M)
            slugs = [re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in headings]
            assert anchor in slugs, f"{page.name} points to {target}#{anchor}; there are {slugs}"
