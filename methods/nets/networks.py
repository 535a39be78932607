"""The nets of the papers' architecture tables, and fully connected ones for vectors.

Nets are laid out on the meta device and filled in by :func:`initialise` from a generator that the
caller owns, so building one never touches torch's global random state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn.utils import parametrizations

__all__ = ["Activation", "Kind", "encoder", "generator", "initialise", "resolve_kind"]

Kind = Literal["auto", "conv", "mlp"]
Activation = Literal["leaky_relu", "relu"]

# From this side on, filters and encoder ends are those of GAN-EM's Table 6.
LARGE = 64
LAST_STD = 0.01


def resolve_kind(kind: Kind, shape: Sequence[int]) -> Literal["conv", "mlp"]:
    """``auto``: ``conv`` for square images with a side that is a multiple of 4 from 16 to 64.

    ``conv`` can be asked for from side 8 on, but there a convolutional D wins at once and G learns
    little. Raises ``ValueError`` if it is asked for other data.
    """
    fits = len(shape) == 3 and shape[1] == shape[2] and shape[1] in range(8, LARGE + 1, 4)
    if kind == "conv" and not fits:
        raise ValueError(
            f"network='conv' was asked for data of shape {tuple(shape)}; it takes square images "
            f"(C, H, H) with H a multiple of 4 from 8 to {LARGE}: use network='mlp'"
        )
    if kind == "auto":
        return "conv" if fits and shape[1] >= 16 else "mlp"
    return kind


def generator(
    kind: Literal["conv", "mlp"],
    d_in: int,
    shape: Sequence[int],
    *,
    hidden: Sequence[int],
    width: float,
    activation: Activation,
    output: nn.Module,
) -> nn.Sequential:
    """A net from ``(B, d_in)`` to ``(B, *shape)``, batch norm after every layer but the last.

    ``conv`` is GAN-EM's Tables 4 to 6: after any ``hidden`` layers, fully connected to the first
    feature maps, then transposed convolutions 4x4, stride 2, padding 1, filters halving from 128
    (1024 at side 64). The first layer of Table 6, a stride-1 transposed convolution of a 1x1 map,
    is the same linear map. ``mlp`` has the ``hidden`` layers alone.
    """
    layers = _dense(d_in, hidden, activation, batch_norm=True)
    d_in = hidden[-1] if hidden else d_in
    if kind == "mlp":
        layers += [nn.Linear(d_in, math.prod(shape)), nn.Unflatten(1, tuple(shape)), output]
        return nn.Sequential(*layers)
    channels, side, _ = shape
    filters = _scaled(1024 if side >= LARGE else 128, width)
    map_side = side
    while map_side > 4 and map_side % 2 == 0:  # 64, 32, 8 -> 4; 28 -> 7
        map_side //= 2
    layers += _dense(d_in, [filters * map_side**2], activation, batch_norm=True)
    layers += [nn.Unflatten(1, (filters, map_side, map_side))]
    while 2 * map_side < side:
        half = max(1, filters // 2)
        layers += [nn.ConvTranspose2d(filters, half, 4, 2, 1), nn.BatchNorm2d(half)]
        layers += [_activation(activation)]
        map_side, filters = 2 * map_side, half
    layers += [nn.ConvTranspose2d(filters, channels, 4, 2, 1), output]
    return nn.Sequential(*layers)


def encoder(
    kind: Literal["conv", "mlp"],
    shape: Sequence[int],
    d_out: int,
    *,
    hidden: Sequence[int],
    width: float,
    batch_norm: bool,
    bottleneck: int | None = None,
    activation: Activation = "leaky_relu",
) -> nn.Sequential:
    """A net from ``(B, *shape)`` to ``(B, d_out)``, by default with leaky ReLUs: D and E.

    ``conv`` is GAN-EM's Tables 4 to 6: convolutions 4x4, stride 2, padding 1, filters doubling
    from 64 (128 at side 64) down to maps of at most 4x4 (2x2 at side 8), then FC(1024); at side 64
    a 4x4 convolution to 3 maps in its place. ``mlp`` has the ``hidden`` layers. ``bottleneck``
    puts a linear layer of that size just before the output (section 5.4).
    """
    layers: list[nn.Module] = []
    if kind == "mlp":
        layers += [nn.Flatten(), *_dense(math.prod(shape), hidden, activation, batch_norm)]
        features = hidden[-1] if hidden else math.prod(shape)
    else:
        channels, side, _ = shape
        large, small = side >= LARGE, side <= 8
        filters = _scaled(128 if large else 64, width)
        while side > (2 if small else 4):  # 28 -> 14, 7, 3; 32 -> 16, 8, 4; 8 -> 4, 2
            layers += [nn.Conv2d(channels, filters, 4, 2, 1)]
            layers += [nn.BatchNorm2d(filters)] if batch_norm else []
            layers += [_activation(activation)]
            channels, filters, side = filters, 2 * filters, side // 2
        if large:
            features = 3
            layers += [nn.Conv2d(channels, features, side, 1, 0), nn.Flatten()]
            layers += [nn.BatchNorm1d(features)] if batch_norm else []
            layers += [_activation(activation)]
        else:
            features = _scaled(1024, width)
            layers += [nn.Flatten()]
            layers += _dense(channels * side**2, [features], activation, batch_norm)
    if bottleneck is not None:
        layers += [nn.Linear(features, bottleneck)]
        features = bottleneck
    return nn.Sequential(*layers, nn.Linear(features, d_out))


def initialise(
    net: nn.Module,
    stream: torch.Generator,
    device: torch.device,
    *,
    std: float | None,
    small_last: bool = True,
    last_std: float | None = None,
    hidden_gain: float = 1.0,
    spectral_norm: bool = False,
) -> nn.Module:
    """Give a net laid out on the meta device its memory and its first weights.

    Weights are N(0, std^2) (DCGAN and the GAN-EM code: .02), or for ``std=None`` He's
    N(0, 2 / fan-in) and, with ``small_last``, N(0, .01^2) in the last layer. A ``last_std`` sets
    N(0, ``last_std``^2) there in either case; ``hidden_gain`` is a factor on the weights of all
    other layers. Biases are 0; batch norm 1 and 0. Drawn on the CPU from ``stream``, so that a
    seed means the same weights everywhere.
    """
    net = net.to_empty(device="cpu")
    layers = [part for part in net.modules() if isinstance(part, _WEIGHTED)]
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.reset_running_stats()
            nn.init.ones_(norm.weight)
            nn.init.zeros_(norm.bias)
    for layer in layers:
        if std is not None:
            spread = std
        else:
            # A small last layer starts from indifference, not from a random partition (IMSAT).
            small = small_last and layer is layers[-1]
            spread = LAST_STD if small else math.sqrt(2 / _fan_in(layer))
        if layer is not layers[-1]:
            spread *= hidden_gain
        elif last_std is not None:
            spread = last_std
        nn.init.normal_(layer.weight, 0.0, spread, generator=stream)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    if spectral_norm:
        # Its power iteration starts from torch's global stream, whose state is restored after it.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stream.initial_seed())
            for layer in layers:
                parametrizations.spectral_norm(layer)
    net = net.to(device)
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


_WEIGHTED = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


def _fan_in(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    if isinstance(layer, nn.ConvTranspose2d):
        # An output pixel of a stride-s transposed convolution meets 1 / s^2 of the kernel.
        return layer.in_channels * layer.weight[0, 0].numel() / math.prod(layer.stride)
    return layer.weight[0].numel()


def _dense(
    d_in: int, sizes: Sequence[int], activation: Activation, batch_norm: bool
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for size in sizes:
        layers += [nn.Linear(d_in, size)]
        layers += [nn.BatchNorm1d(size)] if batch_norm else []
        layers += [_activation(activation)]
        d_in = size
    return layers


def _activation(name: Activation) -> nn.Module:
    return nn.ReLU() if name == "relu" else nn.LeakyReLU(0.2)


def _scaled(filters: int, width: float) -> int:
    return max(1, round(filters * width))
