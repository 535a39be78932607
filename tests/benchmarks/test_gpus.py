"""Each GPU has one cell at a time, whoever started it. The GPUs here are names alone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from deep_em_bench.benchmarks.engine import gpus
from deep_em_bench.benchmarks.engine.isolate import supervise
from deep_em_bench.benchmarks.engine.job import Job, Setting
from deep_em_bench.benchmarks.engine.provenance import loaded
from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.core import ConfigError
from deep_em_bench.results.record import DatasetUsed
from deep_em_bench.results.store import Store

ROOT = Path(gpus.__file__).parents[2]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine of two GPUs, with locks of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(gpus, "visible", lambda: ("0", "1"))
    monkeypatch.setattr(gpus, "LOOK", 0.005)
    return monkeypatch


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_no_gpu_has_two_cells(machine: pytest.MonkeyPatch, device: str) -> None:
    running: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    most: Counter[str] = Counter()
    guard = threading.Lock()

    def work() -> None:
        with gpus.claimed(device) as (name, _):
            with guard:
                running[name] += 1
                seen[name] += 1
                most[name] = max(most[name], running[name])
            time.sleep(0.02)
            with guard:
                running[name] -= 1

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == {"cuda:0": 1, "cuda:1": 1}
    assert seen.total() == 8


@pytest.mark.parametrize("device", ["cpu", "cuda:1", "mps"])
def test_a_device_that_is_named_is_taken_as_it_is(
    machine: pytest.MonkeyPatch, device: str
) -> None:
    with gpus.claimed(device) as (first, _), gpus.claimed(device) as (second, _):
        assert first == second == device


def test_a_single_gpu_needs_no_number_and_is_not_shared(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(gpus, "visible", lambda: ("0",))
    order = []
    with gpus.claimed("cuda") as (name, _):
        assert name == "cuda"
        waiting = threading.Thread(target=lambda: [order.append("second") for _ in _claim()])
        waiting.start()
        time.sleep(0.05)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def _claim() -> list[str]:
    with gpus.claimed("cuda") as (name, _):
        return [name]


def test_without_gpus_nothing_is_claimed(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(gpus, "visible", tuple)
    with gpus.claimed("auto") as (first, _), gpus.claimed("auto") as (second, _):
        assert first == second == "auto"


def test_an_error_in_the_cell_frees_its_gpu(machine: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        with contextlib.suppress(BlockingIOError), gpus.claimed("cuda") as (name, _):
            assert name == "cuda:0"
            raise BlockingIOError


def test_a_killed_supervisor_frees_its_gpu(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = (
        "import time; from deep_em_bench.benchmarks.engine import gpus\n"
        "gpus.visible = lambda: ('0', '1')\n"
        "with gpus.claimed('cuda') as (name, _): print(name, flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "cuda:0\n"
        with gpus.claimed("cuda") as (name, _):
            assert name == "cuda:1"
        other.kill()
        other.wait()
    with gpus.claimed("cuda") as (name, _):
        assert name == "cuda:0"


def test_where_files_cannot_be_locked_one_gpu_must_be_named(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(gpus, "fcntl", None)
    with pytest.raises(ConfigError, match="name one: --device cuda:0"), gpus.claimed("auto"):
        pass


@pytest.mark.parametrize(
    ("chosen", "names"), [("", ("0", "1")), ("3,5", ("3", "5")), ("3", ("0", "1"))]
)
def test_gpus_have_the_names_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, chosen: str, names: tuple[str, ...]
) -> None:
    import torch

    monkeypatch.setattr(gpus, "DRIVERS", ("/",))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert gpus.visible.__wrapped__() == names


def test_a_cell_is_told_its_gpu(machine: pytest.MonkeyPatch, tmp_path: Path, plugin: Path) -> None:
    """There is none here, so the cell fails, and says which one it was to have."""
    cell = Cell(
        dataset=DatasetSpec(name="moons", words={"n_samples": 40}),
        n_clusters=2,
        method="portable",
        preset="stable",
        label="portable",
        params={},
        seed=0,
        profile="tiny",
    )
    setting = Setting(suite="s", folder=tmp_path / "runs", device="cuda", plugins=(plugin,))
    job = Job(
        cell=cell,
        setting=setting,
        dataset=DatasetUsed(name="moons"),
        n_clusters=2,
        threads=1,
        code=loaded(cell.method),
        takes_device=True,
    )
    with gpus.claimed("cuda"):
        outcome = supervise(job)
    assert "device 'cuda:1' cannot be used here" in outcome.message
    assert Store(tmp_path / "runs").read(cell.key).status == "failed"
