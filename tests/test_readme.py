"""The README's own snippets run as they stand there, and its commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from deep_em_bench import results
from deep_em_bench.benchmarks.run import main
from deep_em_bench.reports.__main__ import main as report

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippet(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.M | re.S)
    assert len(found) == 1, f"the README has {len(found)} {language} blocks, expected 1"
    return found[0]


def test_the_method_that_the_readme_adds_runs_and_stands_in_a_table(tmp_path: Path) -> None:
    method = snippet("python")
    assert len(method.splitlines()) <= 30
    (tmp_path / "my_method.py").write_text(method, encoding="utf-8")
    (tmp_path / "my_suite.toml").write_text(snippet("toml"), encoding="utf-8")
    files = [
        "--suite",
        str(tmp_path / "my_suite.toml"),
        "--plugin",
        str(tmp_path / "my_method.py"),
    ]
    assert main([*files, "--out", str(tmp_path / "runs"), "--threads", "1"]) == 0
    frame = results.load("my_suite", root=tmp_path / "runs")
    assert set(frame["method"]) == {"minibatch_kmeans", "kmeans"}
    mine = frame[frame["method"] == "minibatch_kmeans"]
    assert (mine["train/error_rate"] < 0.5).all()  # digits: chance is .9
    tables = ["--out", str(tmp_path / "out"), "--format", "latex"]
    assert report(["--suite", "my_suite", "--root", str(tmp_path / "runs"), *tables]) == 0
    table = (tmp_path / "out" / "my_suite" / "table.tex").read_text(encoding="utf-8")
    assert "Mini-batch K-means" in table.replace("-{}", "-")


def test_the_method_that_the_readme_adds_keeps_the_contract(tmp_path: Path) -> None:
    plugin = tmp_path / "my_method.py"
    plugin.write_text(snippet("python"), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-k",
        "minibatch and keeps",
    ]
    done = subprocess.run(
        [*command, "tests/methods/test_contract.py"],
        cwd=ROOT,
        env=os.environ | {"DEEP_EM_BENCH_PLUGIN": str(plugin), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_two_commands_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("bench", "test"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, flags=re.M)
