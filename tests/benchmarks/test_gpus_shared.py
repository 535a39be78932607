"""Whole commands share the GPUs of a machine, also when a worker is killed in the middle."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deep_em_bench.benchmarks.engine import gpus
from deep_em_bench.results.store import Store
from tests.benchmarks.trial import is_running, wait_for
from tests.environment import environment

RUN = [sys.executable, "-m", "deep_em_bench", "run"]
PLUGIN = Path(__file__).with_name("gpu_methods.py")

pytestmark = pytest.mark.skipif(gpus.fcntl is None, reason="locks are those of Unix")

TWO_GPUS = """
from deep_em_bench.benchmarks.engine import gpus
gpus.visible = lambda: ("0", "1")
gpus.LOOK = 0.01
"""
"""What every Python process of the commands does first."""

SUITE = """
title = "a trial"
seeds = 2
[[datasets]]
name = "moons"
words = { n_samples = 40 }
[[methods]]
name = "on_gpu"
params = { folder = "FOLDER" }
"""


@pytest.fixture
def locks() -> Iterator[Path]:
    """For temporary files; sockets stand there too, whose paths may not be long."""
    with tempfile.TemporaryDirectory(prefix="gpus-") as folder:
        yield Path(folder)


def test_no_gpu_is_held_twice_at_any_moment(tmp_path: Path, locks: Path) -> None:
    """Two commands, of two workers and of one, on two GPUs; who finds its GPU taken fails."""
    (tmp_path / "sitecustomize.py").write_text(TWO_GPUS, encoding="utf-8")
    (tmp_path / "trial.toml").write_text(SUITE.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    options = ["--suite", "trial.toml", "--plugin", str(PLUGIN)]

    def workers() -> list[int]:
        """Of the first command, those over a cell."""
        return [pid for pid in begun(tmp_path) if pid != commands[1].pid]

    with contextlib.ExitStack() as stack:
        commands = [
            subprocess.Popen(
                [*RUN, *options, "--out", out, "--jobs", jobs],
                cwd=tmp_path,
                env=environment(tmp_path, TMPDIR=str(locks)),
                stderr=subprocess.PIPE,
                text=True,
            )
            for out, jobs in (("one", "2"), ("other", "1"))
        ]
        for command in commands:
            stack.callback(command.communicate)
            stack.callback(command.kill)
        wait_for(lambda: workers() != [] or commands[0].poll() is not None)
        for worker in workers()[:1]:
            psutil.Process(worker).send_signal(signal.SIGKILL)
        printed = [command.communicate(timeout=240)[1] for command in commands]
    assert [command.returncode for command in commands] == [0, 0], printed
    assert "a worker was killed" in printed[0]
    records = [record for out in ("one", "other") for record in Store(tmp_path / out / "trial")]
    assert [record.status for record in records] == ["ok"] * 4
    assert {record.resources.device for record in records} == {"gpu:0", "gpu:1"}
    assert len(begun(tmp_path)) > 4  # the one that was killed began again


def test_a_gpu_is_not_free_before_its_cell_is_gone(
    tmp_path: Path, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the one that supervises it was killed."""
    (tmp_path / "sitecustomize.py").write_text(TWO_GPUS, encoding="utf-8")
    params = f'folder = "{tmp_path}", stubborn = true, seconds = 2.0'
    suite = SUITE.replace('folder = "FOLDER"', params).replace("seeds = 2", "seeds = 1")
    (tmp_path / "trial.toml").write_text(suite, encoding="utf-8")
    command = subprocess.Popen(
        [*RUN, "--suite", "trial.toml", "--plugin", str(PLUGIN)],
        cwd=tmp_path,
        env=environment(tmp_path, TMPDIR=str(locks)),
        stderr=subprocess.DEVNULL,
    )
    monkeypatch.setattr(tempfile, "tempdir", str(locks))
    monkeypatch.setattr(gpus, "visible", lambda: ("0", "1"))
    wait_for(lambda: begun(tmp_path) != [] or command.poll() is not None)
    cell = int((tmp_path / "cell").read_text(encoding="utf-8"))
    command.kill()
    command.wait()
    with gpus.claimed("cuda") as (name, _):
        assert name == "cuda:1" or not is_running(cell)
    wait_for(lambda: not is_running(cell))
    with gpus.claimed("cuda") as (name, _):
        assert name == "cuda:0"


def begun(folder: Path) -> list[int]:
    """For each cell that has begun, the process over it."""
    log = folder / "log"
    written = log.read_text(encoding="utf-8") if log.is_file() else ""
    return [int(line) for line in written.splitlines(keepends=True) if line.endswith("\n")]
