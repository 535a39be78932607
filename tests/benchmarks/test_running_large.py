"""The commands of docs/running_large.md do what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from argparse import _SubParsersAction
from pathlib import Path

from deep_em_bench.benchmarks.options import run_parser
from deep_em_bench.benchmarks.speed import __main__ as speed
from deep_em_bench.results.record import Status
from tests.environment import ROOT, environment

TEXT = (ROOT / "docs" / "running_large.md").read_text(encoding="utf-8")

SUITE = """
title = "a trial"
seeds = 4
[[datasets]]
name = "moons"
words = { n_samples = 40 }
[[methods]]
name = "steady"
"""


def test_the_parts_of_a_job_array_are_the_whole_suite(tmp_path: Path, plugin: Path) -> None:
    (script,) = re.findall(r"^```bash\n(.*?)^```$", TEXT, flags=re.M | re.S)
    (tmp_path / "array.sh").write_text(script, encoding="utf-8")
    (tmp_path / "trial.toml").write_text(SUITE, encoding="utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "array.sh", "--suite", "trial.toml", "--plugin", str(plugin), "--dry-run"]
    parts = []
    for task in ("1", "2"):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment(PATH=path, SLURM_ARRAY_TASK_COUNT="2", SLURM_ARRAY_TASK_ID=task),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        parts.append(set(done.stdout.splitlines()))
    assert [len(part) for part in parts] == [2, 2]
    assert len(parts[0] | parts[1]) == 4


def test_every_option_that_is_named_exists() -> None:
    actions = speed._parser()._actions
    (what,) = (action for action in actions if isinstance(action, _SubParsersAction))
    parsers = run_parser(), *what.choices.values()
    known = {option for parser in parsers for option in parser._option_string_actions}
    named = set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", TEXT))
    others = {"--array", "--cpus-per-task", "--mem", "--time", "--signal"}
    assert named - others <= known


def test_every_way_to_end_stands_in_the_table() -> None:
    table = TEXT.partition("## What happens when")[2].partition("##")[0]
    for status in ("failed", "timeout", "memory", "diverged"):
        assert f"`{status}" in table
    assert set(Status.__args__) == {"ok", "failed", "timeout", "memory", "diverged"}  # type: ignore[attr-defined]
