"""README.md and docs/: their tables follow from the records, their snippets run."""

from __future__ import annotations

import tomllib
from pathlib import Path

from deep_em_bench import results
from deep_em_bench.reports.docs import Column, main

ROOT = Path(__file__).parents[1]


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
