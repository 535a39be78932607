"""The nets of the responsibility GAN's Tables 1 to 3, and fully connected ones for vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from torch import nn

from deep_em_bench.methods.nets.networks import encoder, generator

__all__ = ["classifier_net", "features_net", "features_size", "latent_generator"]

SLOPE = 0.2


def latent_generator(
    kind: Literal["conv", "mlp"],
    d_z: int,
    shape: Sequence[int],
    *,
    hidden: Sequence[int],
    width: float,
    output: nn.Module,
) -> nn.Sequential:
    """Table 2: ``(B, D_z)`` to ``(B, *shape)``; ``mlp`` has the ``hidden`` layers."""
    if kind == "mlp":
        return generator(
            "mlp", d_z, shape, hidden=hidden, width=width, activation="leaky_relu", output=output
        )
    channels, side, _ = shape
    small = side // 4
    first, second, third = (_scaled(filters, width) for filters in (256, 128, 64))
    return nn.Sequential(
        nn.Linear(d_z, first * small**2),
        nn.BatchNorm1d(first * small**2),
        nn.LeakyReLU(SLOPE),
        nn.Unflatten(1, (first, small, small)),
        nn.ConvTranspose2d(first, second, 5, 1, 2),
        nn.BatchNorm2d(second),
        nn.LeakyReLU(SLOPE),
        nn.ConvTranspose2d(second, third, 5, 2, 2, output_padding=1),
        nn.BatchNorm2d(third),
        nn.LeakyReLU(SLOPE),
        nn.ConvTranspose2d(third, channels, 5, 2, 2, output_padding=1),
        output,
    )


def features_net(
    kind: Literal["conv", "mlp"],
    shape: Sequence[int],
    *,
    hidden: Sequence[int],
    width: float,
    batch_norm: bool,
) -> nn.Sequential:
    """Tables 1 and 3, the encoding network of D (and of C where shared), flat at its end."""
    if kind == "mlp":
        whole = encoder("mlp", shape, 1, hidden=hidden, width=width, batch_norm=batch_norm)
        return nn.Sequential(*list(whole)[:-1])
    channels = shape[0]
    first, second = _scaled(64, width), _scaled(128, width)
    return nn.Sequential(
        nn.Conv2d(channels, first, 5, 2, 2),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(first, second, 4, 2, 1),
        *([nn.BatchNorm2d(second)] if batch_norm else []),
        nn.LeakyReLU(SLOPE),
        nn.Flatten(),
    )


def features_size(
    kind: Literal["conv", "mlp"], shape: Sequence[int], *, hidden: Sequence[int], width: float
) -> int:
    """Length of what :func:`features_net` gives."""
    if kind == "mlp":
        return hidden[-1] if hidden else math.prod(shape)
    return _scaled(128, width) * (shape[1] // 4) ** 2


def classifier_net(
    kind: Literal["conv", "mlp"],
    shape: Sequence[int],
    n_clusters: int,
    *,
    hidden: Sequence[int],
    width: float,
) -> nn.Sequential:
    """Table 1, the classifier that shares nothing with D: ``(B, *shape)`` to logits ``(B, K)``."""
    if kind == "mlp":
        return encoder("mlp", shape, n_clusters, hidden=hidden, width=width, batch_norm=True)
    channels, side, _ = shape
    first, second, wide = (_scaled(filters, width) for filters in (32, 16, 1024))
    return nn.Sequential(
        nn.Conv2d(channels, first, 5, 1, 2),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(first, second, 5, 2, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * (side // 4) ** 2, wide),
        nn.ReLU(),
        nn.Linear(wide, n_clusters),
    )


def _scaled(filters: int, width: float) -> int:
    return max(1, round(filters * width))
