"""GANMM's nets: sizes counted by hand, every side, where norms stand, first weights."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import nn

from deep_em_bench.methods.ganmm.networks import classifier, critic, generator, initialise

CPU = torch.device("cpu")
FIXED: dict[str, Any] = {"hidden": (64,), "width": 1.0}


def size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def has(net: nn.Module, *kinds: type[nn.Module]) -> bool:
    return any(isinstance(part, kinds) for part in net.modules())


def laid_out(make: Any, *args: Any, **kwargs: Any) -> nn.Sequential:
    with torch.device("meta"):
        return make(*args, **kwargs)


def test_the_released_nets_of_mnist() -> None:
    shape = (1, 28, 28)
    G = laid_out(generator, "conv", 128, shape, **FIXED, output=nn.Sigmoid())
    first = 128 * 4096 + 2 * 4096  # its batch norm is over 4,096 numbers
    maps = 256 * 128 * 25 + 2 * 128 + 128 * 64 * 25 + 2 * 64
    assert size(G) == first + maps + 64 * 25 + 1
    D = laid_out(critic, "conv", shape, **FIXED, norm="batch")
    convolutions = 64 * 25 + 64 + 64 * 128 * 25 + 2 * 128 + 128 * 256 * 25 + 2 * 256
    assert size(D) == convolutions + 4096
    h = laid_out(
        classifier, "conv", shape, 10, hidden=(), conv_hidden=(), width=1.0, batch_norm=False
    )
    assert size(h) == 64 * 25 + 64 + 64 * 128 * 25 + 128 + (7 * 7 * 128) * 10 + 10


def test_the_released_nets_of_vectors() -> None:
    G = laid_out(generator, "mlp", 64, (19,), **FIXED, output=nn.Identity())
    D = laid_out(critic, "mlp", (19,), **FIXED, norm="none")
    assert size(G) == 64 * 64 + 64 + 64 * 19 + 19
    assert size(D) == 19 * 64 + 64 + 64
    h = laid_out(
        classifier, "mlp", (19,), 7, hidden=(64,), conv_hidden=(9,), width=1.0, batch_norm=False
    )
    assert size(h) == 19 * 64 + 64 + 64 * 7 + 7


@pytest.mark.parametrize("side", range(8, 65, 4))
def test_every_side_of_the_conv_rule(side: int) -> None:
    fixed = {"hidden": (), "width": 0.02}
    G = laid_out(generator, "conv", 3, (2, side, side), **fixed, output=nn.Tanh())
    D = laid_out(critic, "conv", (2, side, side), **fixed, norm="layer")
    h = laid_out(
        classifier,
        "conv",
        (2, side, side),
        4,
        hidden=(),
        conv_hidden=(5,),
        width=0.02,
        batch_norm=True,
    )
    stream = torch.Generator().manual_seed(0)
    G, D, h = (initialise(net, stream, CPU) for net in (G, D, h))
    x = G(torch.randn(2, 3, generator=stream))
    assert x.shape == (2, 2, side, side)
    assert D(x).shape == (2, 1)
    assert h(x).shape == (2, 4)


def test_batch_norm_stands_only_where_it_may() -> None:
    for shape, kind in (((1, 16, 16), "conv"), ((5,), "mlp")):
        for norm, held in (("none", ()), ("layer", (nn.GroupNorm,)), ("batch", (nn.BatchNorm2d,))):
            D = laid_out(critic, kind, shape, **FIXED, norm=norm)
            found = {type(p) for p in D.modules() if "Norm" in type(p).__name__}
            assert found == (set(held) if kind == "conv" else set())
    G = laid_out(generator, "mlp", 4, (5,), **FIXED, output=nn.Identity())
    assert not has(G, nn.BatchNorm1d)


def test_no_bias_that_cannot_learn() -> None:
    G = laid_out(generator, "conv", 4, (1, 28, 28), **FIXED, output=nn.Sigmoid())
    D = laid_out(critic, "conv", (1, 28, 28), **FIXED, norm="batch")
    for net in (G, D):
        layers = list(net)
        for layer, after in itertools.pairwise(layers):
            if isinstance(after, nn.BatchNorm1d | nn.BatchNorm2d):
                assert layer.bias is None
    assert list(D)[-1].bias is None


def test_first_weights_have_the_wgan_gp_codes_spread() -> None:
    stream = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        nn.Linear(300, 100),
        nn.Conv2d(16, 32, 5, 2),
        nn.ConvTranspose2d(32, 16, 5, 2),
        nn.BatchNorm2d(16),
        nn.GroupNorm(1, 16),
        nn.Linear(500, 40),
    )
    net = initialise(net.to("meta"), stream, CPU, last_std=0.01)
    spreads = [float(net[i].weight.detach().std()) for i in (0, 1, 2, 5)]
    expected = [
        math.sqrt(2 / 400),
        math.sqrt(4 / (16 * 25 + 32 * 25 / 4)),
        math.sqrt(4 / (32 * 25 / 4 + 16 * 25)),
        0.01,
    ]
    assert spreads == pytest.approx(expected, rel=0.03)
    assert all(bool((net[i].weight == 1).all()) for i in (3, 4))
    assert not any(bool(net[i].bias.any()) for i in range(6))
    again = initialise(net.to("meta"), torch.Generator().manual_seed(0), CPU, last_std=0.01)
    assert float(again[0].weight.detach().std()) == spreads[0]
    stream = torch.Generator().manual_seed(0)
    small = initialise(net.to("meta"), stream, CPU, hidden_gain=0.1)
    gains = [float(small[i].weight.detach().std()) / spreads[i] for i in range(3)]
    assert gains == pytest.approx([0.1] * 3)
    assert float(small[5].weight.detach().std()) == pytest.approx(math.sqrt(2 / 540), rel=0.03)
