"""The nets of the responsibility GAN's Tables 1 to 3, and fully connected ones for vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from deep_em_bench.methods.latent.parameters import LatentParameters
from deep_em_bench.methods.latent.prior import GaussianMixturePrior
from deep_em_bench.methods.nets.networks import encoder, generator, initialise, resolve_kind
from deep_em_bench.methods.nets.runtime import Runtime

__all__ = [
    "Design",
    "LatentNets",
    "build_nets",
    "classifier_net",
    "features_net",
    "features_size",
    "latent_generator",
]

SLOPE = 0.2


@dataclass(frozen=True, kw_only=True)
class Design:
    """In what the GANs with a mixture prior differ."""

    classifier: Literal["shared", "separate", "none"]
    """C: a linear layer on the features of D, a net of its own, or equal logits for all data."""
    mean_range: float
    """First means are drawn from U(-c, c)."""
    prior_std: float
    """First covariances are sigma^2 I."""
    trains_prior: bool


@dataclass(frozen=True, kw_only=True)
class LatentNets:
    """Generator G, discriminator D, prior over z, and a classifier C of components."""

    G: nn.Module
    """``(B, D_z)`` to ``(B, *shape)``."""
    features: nn.Module
    """Of D, and of C where shared."""
    D: nn.Module
    """Features to one logit, "is real"."""
    C: nn.Module
    """Features where shared, else data, to logits ``(B, K)``."""
    prior: GaussianMixturePrior
    shared: bool

    @property
    def discriminator(self) -> nn.Module:
        """Data to logits ``(B, 1)``."""
        return nn.Sequential(self.features, self.D)

    @property
    def classifier(self) -> nn.Module:
        """Data to logits ``(B, K)``."""
        return nn.Sequential(self.features, self.C) if self.shared else self.C

    def named(self) -> dict[str, nn.Module]:
        """The nets by name."""
        return {
            "G": self.G,
            "features": self.features,
            "D": self.D,
            "C": self.C,
            "prior": self.prior,
        }

    def generate(self, k: Tensor, stream: torch.Generator) -> Tensor:
        """An image of each component in k, ``(B,)``, with noise of its own: ``(B, *shape)``."""
        epsilon = torch.randn(len(k), self.prior.mu.shape[1], generator=stream, device=k.device)
        return self.G(self.prior(epsilon, k))


def build_nets(
    settings: LatentParameters,
    runtime: Runtime,
    shape: Sequence[int],
    design: Design,
    *,
    output: nn.Module,
) -> LatentNets:
    """Nets for data of one shape, with first weights from the seed.

    ``output`` is the last layer of G.
    """
    K, hidden, width = settings.n_clusters, settings.hidden, settings.width
    kind: Literal["conv", "mlp"] = resolve_kind(settings.network, shape)

    def initialised(name: str, net: nn.Module, *, small_last: bool = True) -> nn.Module:
        stream = runtime.weights_stream(name)
        std = settings.init_std
        return initialise(net, stream, runtime.device, std=std, small_last=small_last)

    with torch.device("meta"):
        G = latent_generator(
            kind, settings.noise_dim, shape, hidden=hidden, width=width, output=output
        )
        features = features_net(
            kind, shape, hidden=hidden, width=width, batch_norm=settings.d_batch_norm
        )
        size = features_size(kind, shape, hidden=hidden, width=width)
        D = nn.Sequential(nn.Linear(size, 1))
        if design.classifier == "shared":
            C = nn.Sequential(nn.Linear(size, K))
        elif design.classifier == "separate":
            C = classifier_net(kind, shape, K, hidden=hidden, width=width)
        else:
            C = _Indifferent(K)
    prior = GaussianMixturePrior(K, settings.noise_dim, trainable=design.trains_prior)
    stream = runtime.stream("prior", torch.device("cpu"))
    prior.initialise(design.mean_range, design.prior_std, stream)
    return LatentNets(
        G=initialised("G", G),
        features=initialised("features", features, small_last=False),
        D=initialised("D", D),
        C=initialised("C", C),
        prior=prior.to(runtime.device),
        shared=design.classifier == "shared",
    )


def latent_generator(
    kind: Literal["conv", "mlp"],
    d_z: int,
    shape: Sequence[int],
    *,
    hidden: Sequence[int],
    width: float,
    output: nn.Module,
) -> nn.Sequential:
    """Table 2: ``(B, D_z)`` to ``(B, *shape)``, or for ``mlp`` the ``hidden`` layers."""
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
    """Length of the output of :func:`features_net`."""
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
    """Table 1, a classifier of its own: ``(B, *shape)`` to logits ``(B, K)``."""
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


class _Indifferent(nn.Module):
    """Equal logits for all data: ``(B, K)``."""

    def __init__(self, n_clusters: int) -> None:
        super().__init__()
        self.n_clusters = n_clusters

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x), self.n_clusters)
