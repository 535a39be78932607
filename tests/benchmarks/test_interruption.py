"""What Ctrl-C and a killed command leave behind: what is finished, and no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deep_em_bench.results.store import Store
from tests.benchmarks.trial import wait_for

SUITE = """
title = "trial"
seeds = 1
[[datasets]]
name = "moons"
words = { n_samples = 40 }
[[methods]]
name = "steady"
[[methods]]
name = "hanging"
params = { pid_file = "PID_FILE" }
"""


@pytest.fixture
def command(tmp_path: Path, plugin: Path) -> Callable[[], tuple[subprocess.Popen[str], int]]:
    """Starts the command on a hanging suite; gives it, and the hanging cell's process id."""

    def start() -> tuple[subprocess.Popen[str], int]:
        marker = tmp_path / "pid"
        suite = SUITE.replace("PID_FILE", str(marker))
        (tmp_path / "trial.toml").write_text(suite, encoding="utf-8")
        arguments = ["--suite", "trial.toml", "--plugin", str(plugin), "--out", "runs"]
        process = subprocess.Popen(
            [sys.executable, "-m", "deep_em_bench", "run", *arguments],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(lambda: marker.is_file() and marker.read_text(encoding="utf-8") != "")
        return process, int(marker.read_text(encoding="utf-8"))

    return start


def test_an_interruption_keeps_what_is_finished(
    tmp_path: Path, command: Callable[[], tuple[subprocess.Popen[str], int]]
) -> None:
    process, cell = command()
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "[1/2] moons · steady[stable] · seed 0 · ok · error" in printed
    assert "interrupted" in printed
    assert "Traceback" not in printed
    assert not psutil.pid_exists(cell)
    store = Store(tmp_path / "runs" / "trial")
    assert [record.status for record in store] == ["ok"]


def test_ctrl_c_while_the_fork_server_imports_is_one_line(tmp_path: Path) -> None:
    """A terminal sends it to every process of the command."""
    arguments = ["--suite", "tiny", "--datasets", "moons", "--methods", "kmeans", "--seeds", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "deep_em_bench", "run", *arguments, "--out", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def serving() -> bool:
        children = psutil.Process(process.pid).children()
        return any("multiprocessing.forkserver" in " ".join(c.cmdline()) for c in children)

    wait_for(serving)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, printed = process.communicate(timeout=240)
    assert process.returncode == 130
    assert printed == "interrupted: what was finished is kept\n"


def test_a_cell_does_not_outlive_its_supervisor(
    command: Callable[[], tuple[subprocess.Popen[str], int]],
) -> None:
    process, cell = command()
    process.kill()
    process.communicate(timeout=240)
    wait_for(lambda: not psutil.pid_exists(cell))
