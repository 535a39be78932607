"""What is timed, and that a GPU's queue is empty before and after."""

from __future__ import annotations

import pytest
import torch

from deep_em_bench.benchmarks.speed.timing import timed


def test_a_piece_of_work_gives_its_result_and_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 3.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert timed(lambda: "done") == ("done", 2.5)


def test_a_gpu_is_waited_for_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[object] = []
    monkeypatch.setattr(torch.cuda, "synchronize", order.append)
    gpu = torch.device("cuda", 1)
    timed(lambda: order.append("work"), gpu)
    assert order == [gpu, "work", gpu]
    timed(lambda: order.append("work"), torch.device("cpu"))
    assert order[3:] == ["work"]
