"""Devices, streams of random numbers, precision, batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from deep_em_bench.core import ConfigError
from deep_em_bench.methods.nets import runtime
from deep_em_bench.methods.nets.runtime import Runtime, resolve_device
from deep_em_bench.methods.parameters import NeuralParameters, Precision


def made(**settings: Any) -> Runtime:
    return Runtime(NeuralParameters(device="cpu", **settings))


@pytest.mark.parametrize("device", ["banana", "", "cuda:x", "cuda:99", "vulkan", "hpu", "meta"])
def test_an_unusable_device_is_refused_in_one_line(device: str) -> None:
    message = rf"\Adevice '{device}' cannot be used here \([^\n]+\); use 'cpu' or 'auto'\Z"
    with pytest.raises(ConfigError, match=message):
        resolve_device(device)


def test_cuda_is_never_quietly_the_cpu() -> None:
    if torch.cuda.is_available():
        assert resolve_device("cuda").type == resolve_device("auto").type == "cuda"
        return
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"device 'cuda' cannot be used here"):
        Runtime(NeuralParameters(device="cuda"))


@pytest.mark.parametrize(("n", "size"), [(20, 7), (21, 7), (7, 7), (5, 1)])
def test_an_epoch_holds_each_row_at_most_once(n: int, size: int) -> None:
    batches = list(made().batches(n, size, 3))
    assert len(batches) == 3 * (n // size)
    epochs = torch.stack(batches).view(3, -1)
    for rows in epochs.tolist():
        assert len(rows) == len(set(rows)) == n - n % size
        assert set(rows) <= set(range(n))
    assert len({tuple(rows) for rows in epochs.tolist()}) == 3  # an order of its own each


def test_few_rows_are_drawn_with_replacement() -> None:
    batches = list(made().batches(3, 50, 2))
    assert [batch.shape for batch in batches] == [(50,), (50,)]
    assert set(torch.cat(batches).tolist()) == {0, 1, 2}


def test_batches_go_by_the_seed() -> None:
    one, same, other = (
        torch.stack(list(made(random_state=seed).batches(9, 3, 2))) for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_streams_of_different_purposes_are_different() -> None:
    one, again, two = (torch.rand(3, generator=made().stream(p)) for p in ("a", "a", "b"))
    assert torch.equal(one, again)
    assert not torch.equal(one, two)


def test_apply_is_batched_without_graph_and_in_evaluation_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, net = torch.randn(20, 4), nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    whole = made().apply(net.train(), x)
    assert not net.training
    assert not whole.requires_grad
    monkeypatch.setattr(runtime, "PREDICT_BATCH", 3)
    torch.testing.assert_close(made().apply(net, x), whole, atol=1e-5, rtol=1e-5)


@pytest.fixture(params=["highest", "high", "medium"])
def users_precision(request: pytest.FixtureRequest) -> Iterator[str]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(request.param)
    yield request.param
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    ("precision", "inside"), [("fp32", "highest"), ("tf32", "high"), ("bf16", "high")]
)
def test_the_precision_is_given_back(
    users_precision: str, precision: Precision, inside: str
) -> None:
    machine = made(precision=precision)
    machine.apply(nn.Linear(2, 2), torch.zeros(3, 2))
    assert torch.get_float32_matmul_precision() == users_precision
    with machine.arithmetic():
        assert torch.get_float32_matmul_precision() == inside
        assert torch.is_autocast_enabled("cpu") == (precision == "bf16")
    with pytest.raises(RuntimeError, match="on purpose"), machine.arithmetic():
        raise RuntimeError("on purpose")
    assert torch.get_float32_matmul_precision() == users_precision
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(("precision", "inside"), [("fp32", "highest"), ("tf32", "high")])
def test_an_update_is_in_the_precision_from_end_to_end(precision: Precision, inside: str) -> None:
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic
    seen: list[object] = []

    @made(precision=precision).compile_update
    def update(x: torch.Tensor) -> None:
        seen.append((len(x), torch.get_float32_matmul_precision()))
        seen.append((cudnn.allow_tf32, cudnn.deterministic))

    update(torch.zeros(3))
    assert seen == [(3, inside), (precision != "fp32", True)]
    assert before == (torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic)
