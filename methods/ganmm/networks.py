"""GANMM's nets as released: DCGAN-like ones for images, two dense layers for vectors.

A gradient penalty concerns each row by itself, so its critic has no batch norm. Biases before a
batch norm and the last bias of a critic are left out: their gradients are 0.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from deep_em_bench.methods.ganmm.parameters import (
    CriticNorm,
    GanMixtureParameters,
    GanmmParameters,
)
from deep_em_bench.methods.nets.ensemble import Crop, Ensemble, join, resolve_ensemble
from deep_em_bench.methods.nets.networks import resolve_kind
from deep_em_bench.methods.nets.projection import Projection, components_for
from deep_em_bench.methods.nets.runtime import Runtime

__all__ = [
    "classifier",
    "critic",
    "generate",
    "generator",
    "initialise",
    "length_of_noise",
    "make_classifier",
    "make_gans",
]

FILTERS = 64
SMALLEST = 4
"""Feature maps are halved until their side is at most this."""
GENERATED = 2048
"""Rows that are generated at a time, by all K generators together."""


def make_gans(
    settings: GanMixtureParameters, shape: Sequence[int], output: nn.Module, runtime: Runtime
) -> tuple[Ensemble, Ensemble]:
    """K generators and K critics with their first weights; ``output`` ends a generator."""
    kind = resolve_kind(settings.network, shape)
    sizes = {"hidden": settings.hidden, "width": settings.width}
    with torch.device("meta"):
        G = generator(kind, length_of_noise(settings, shape), shape, **sizes, output=output)
        D = critic(kind, shape, **sizes, norm=settings.critic_norm)
    cpu, how = torch.device("cpu"), resolve_ensemble(settings.ensemble, kind, runtime.device)

    def copies(net: nn.Sequential, name: str) -> Ensemble:
        streams = (runtime.weights_stream(f"{name} {i}") for i in range(settings.n_clusters))
        nets = [initialise(copy.deepcopy(net), stream, cpu) for stream in streams]
        return join(nets, how).to(runtime.device)

    return copies(G, "G"), copies(D, "D")


def length_of_noise(settings: GanMixtureParameters, shape: Sequence[int]) -> int:
    """Of z; where it is not set, as released: 128 for images, 64 for vectors."""
    if settings.noise_dim is not None:
        return settings.noise_dim
    return 128 if resolve_kind(settings.network, shape) == "conv" else 64


def generate(G: Ensemble, z: Tensor, runtime: Runtime) -> Tensor:
    """Output of every generator for its part of z, ``(K, B, noise_dim)``, without a graph."""
    G.eval()
    with torch.no_grad(), runtime.arithmetic():
        size = max(1, GENERATED // len(z))
        return torch.cat([G(part).float() for part in z.split(size, dim=1)], dim=1)


def make_classifier(
    settings: GanmmParameters, shape: Sequence[int], runtime: Runtime, start: int = 0
) -> nn.Module:
    """The classifier h with the first weights of a start, behind a projection of wide data."""
    columns = math.prod(shape)
    k = components_for(columns, settings.e_components)
    with torch.device("meta"):
        net = classifier(
            resolve_kind(settings.network, shape) if k is None else "mlp",
            shape if k is None else (k,),
            settings.n_clusters,
            hidden=settings.e_hidden,
            conv_hidden=settings.e_conv_hidden,
            width=settings.width,
            batch_norm=settings.e_batch_norm,
        )
    net = initialise(
        net,
        runtime.weights_stream("E" + (f", start {start}" if start > 0 else "")),
        runtime.device,
        hidden_gain=settings.e_gain,
        last_std=settings.e_last_std,
    )
    return net if k is None else Projection(columns, k).to(runtime.device).before(net)


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
