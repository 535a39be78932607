"""GANMM's nets as released: DCGAN-like ones for images, two dense layers for vectors.

A critic is without batch norm under a gradient penalty, which is a penalty of each row by itself.
Two biases that would be there in vain are left out, those before a batch norm and the critic's
last: their gradients are 0 but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from deep_em_bench.methods.nets.ensemble import Crop

__all__ = ["CriticNorm", "classifier", "critic", "generator", "initialise"]

CriticNorm = Literal["none", "layer", "batch"]

FILTERS = 64
SMALLEST = 4
"""Feature maps are halved until their side is at most this."""


def generator(
    kind: Literal["conv", "mlp"],
    noise_dim: int,
    shape: Sequence[int],
    *,
    hidden: Sequence[int],
    width: float,
    output: nn.Module,
) -> nn.Sequential:
    """From noise ``(B, noise_dim)`` to ``(B, *shape)``.

    ``conv``: fully connected to maps of side 4, then transposed convolutions 5x5 of stride 2 with
    filters halving to 64 before the last, batch norm and ReLU between them; maps are cropped where
    the data's side is no power of 2 (28 is 4, 7, 14, 28). ``mlp``: ``hidden`` layers with ReLU.
    """
    if kind == "mlp":
        layers = _dense(noise_dim, hidden)
        layers += [nn.Linear((noise_dim, *hidden)[-1], math.prod(shape))]
        layers += [nn.Unflatten(1, tuple(shape))] if len(shape) > 1 else []
        return nn.Sequential(*layers, output)
    channels, side, _ = shape
    sides = _sides(side)[::-1]
    filters = [_filters(i, width) for i in reversed(range(len(sides) - 1))]
    first = filters[0] * sides[0] ** 2
    layers = [nn.Linear(noise_dim, first, bias=False), nn.BatchNorm1d(first), nn.ReLU()]
    layers += [nn.Unflatten(1, (filters[0], sides[0], sides[0]))]
    for i, f_in in enumerate(filters):
        last = i == len(filters) - 1
        f_out = channels if last else filters[i + 1]
        layers += [nn.ConvTranspose2d(f_in, f_out, 5, 2, 2, output_padding=1, bias=last)]
        layers += [] if last else [nn.BatchNorm2d(f_out), nn.ReLU()]
        layers += [Crop(sides[i + 1])] if 2 * sides[i] > sides[i + 1] else []
    return nn.Sequential(*layers, output)


def critic(
    kind: Literal["conv", "mlp"],
    shape: Sequence[int],
    *,
    hidden: Sequence[int],
    width: float,
    norm: CriticNorm,
) -> nn.Sequential:
    """From ``(B, *shape)`` to the critic's value ``(B, 1)``.

    ``conv``: convolutions 5x5 of stride 2 with filters doubling from 64 until maps have side 4,
    leaky ReLUs of slope .2, from the second on with ``norm``. ``mlp``: ``hidden`` layers with
    ReLU, without norm.
    """
    if kind == "mlp":
        layers = [nn.Flatten()] if len(shape) > 1 else []
        layers += _dense(math.prod(shape), hidden)
        return nn.Sequential(*layers, nn.Linear((math.prod(shape), *hidden)[-1], 1, bias=False))
    channels, side, _ = shape
    sides = _sides(side)
    layers = []
    for i in range(len(sides) - 1):
        filters, normal = _filters(i, width), norm if i else "none"
        layers += [nn.Conv2d(channels, filters, 5, 2, 2, bias=normal != "batch")]
        layers += [nn.BatchNorm2d(filters)] if normal == "batch" else []
        layers += [nn.GroupNorm(1, filters)] if normal == "layer" else []
        layers += [nn.LeakyReLU(0.2)]
        channels = filters
    features = channels * sides[-1] ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 1, bias=False))


def classifier(
    kind: Literal["conv", "mlp"],
    shape: Sequence[int],
    n_clusters: int,
    *,
    hidden: Sequence[int],
    conv_hidden: Sequence[int],
    width: float,
    batch_norm: bool,
) -> nn.Sequential:
    """From ``(B, *shape)`` to logits ``(B, K)``.

    ``conv``: two convolutions 5x5 of stride 2, 64 and 128 filters, ``conv_hidden`` dense layers
    and the output. ``mlp``: ``hidden`` layers. ReLUs.
    """
    if kind == "mlp":
        layers = [nn.Flatten()] if len(shape) > 1 else []
        features = math.prod(shape)
    else:
        layers = []
        channels, side, _ = shape
        for i in range(2):
            filters = _filters(i, width)
            layers += [nn.Conv2d(channels, filters, 5, 2, 2, bias=not batch_norm)]
            layers += [nn.BatchNorm2d(filters)] if batch_norm else []
            layers += [nn.ReLU()]
            channels, side = filters, -(-side // 2)
        layers += [nn.Flatten()]
        features, hidden = channels * side**2, conv_hidden
    layers += _dense(features, hidden, batch_norm=batch_norm)
    return nn.Sequential(*layers, nn.Linear((features, *hidden)[-1], n_clusters))


def initialise(
    net: nn.Sequential,
    stream: torch.Generator,
    device: torch.device,
    *,
    hidden_gain: float = 1.0,
    last_std: float | None = None,
) -> nn.Sequential:
    """Give a net laid out on the meta device its memory and its first weights.

    Those of the WGAN-GP code: uniform, of standard deviation sqrt(2 / (fan-in + fan-out)) in dense
    layers and sqrt(4 / (fan-in + fan-out)) in convolutions, times ``hidden_gain`` in all but the
    last; or N(0, ``last_std``^2) in the last. Biases are 0. Drawn on the CPU, so that a seed means
    the same weights on every device.
    """
    net = net.to_empty(device="cpu")
    last = net[-1]
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, _NORMS):
                layer.reset_parameters()
            elif isinstance(layer, _WEIGHTED):
                gain = 1.0 if layer is last else hidden_gain
                limit = math.sqrt(3) * gain * _spread(layer)
                layer.weight.uniform_(-limit, limit, generator=stream)
                if layer.bias is not None:
                    layer.bias.zero_()
        if last_std is not None and isinstance(last, nn.Linear):
            last.weight.normal_(0.0, last_std, generator=stream)
    return net.to(device)


_NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm
_WEIGHTED = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


def _spread(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    if isinstance(layer, nn.Linear):
        return math.sqrt(2 / (layer.in_features + layer.out_features))
    size, stride = math.prod(layer.kernel_size), math.prod(layer.stride)
    fan_in, fan_out = layer.in_channels * size, layer.out_channels * size
    if isinstance(layer, nn.ConvTranspose2d):
        fan_in /= stride
    else:
        fan_out /= stride
    return math.sqrt(4 / (fan_in + fan_out))


def _dense(d_in: int, sizes: Sequence[int], batch_norm: bool = False) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for size in sizes:
        layers += [nn.Linear(d_in, size, bias=not batch_norm)]
        layers += [nn.BatchNorm1d(size)] if batch_norm else []
        layers += [nn.ReLU()]
        d_in = size
    return layers


def _sides(side: int) -> list[int]:
    """Sides of the feature maps from the image on: 28, 14, 7, 4."""
    sides = [side]
    while sides[-1] > SMALLEST:
        sides.append(-(-sides[-1] // 2))
    return sides


def _filters(doublings: int, width: float) -> int:
    return max(1, round(FILTERS * 2**doublings * width))
