"""The plain GAN: no clusters, the last row of the responsibility GAN's Table 6."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from torch import Tensor, nn

from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.latent.base import LatentGan
from deep_em_bench.methods.latent.gm_gan import GanTraining
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = ["VanillaGan"]

PRESETS = {
    "default": Preset(
        source="Goodfellow et al., Generative adversarial nets (2014), with a non-saturating G",
        deviations=("nets and budget are those of the responsibility GAN's Tables 2, 3 and 5",),
    ),
}


@register("vanilla_gan", title="Vanilla GAN", version=1, presets=PRESETS)
@hyperparameters
class VanillaGan(LatentGan):
    """A GAN with z from N(0, I), for what its images are worth beside those of a mixture.

    It has no clusters: its K components are one and the same, every responsibility is 1/K and
    every label 0, so that a clustering score of it is that of not clustering at all.
    """

    epochs: Positive = parameter(200, "passes over the data,")
    steps: Count = parameter(0, "and further ones until there are so many updates")
    batch_size: BatchSize = parameter(64, "real images, and generated ones, an update")
    d_lr: NonNegative = parameter(2e-4, "learning rates; Adam (.5, .999)")
    g_lr: NonNegative = parameter(2e-4, "learning rates; Adam (.5, .999)")
    noise_dim: Positive = parameter(100, "length of z")
    network: Kind = parameter("auto", "as in :class:`ResponsibilityGan`")
    width: NonNegative = parameter(1.0, "as in :class:`ResponsibilityGan`")
    hidden: tuple[Positive, ...] = parameter((256, 256), "as in :class:`ResponsibilityGan`")
    d_batch_norm: bool = parameter(True, "as in :class:`ResponsibilityGan`")
    init_std: NonNegative | None = parameter(0.02, "as in :class:`ResponsibilityGan`")

    mean_range = 0.0
    prior_std = 1.0

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Train the GAN on ``X``; ``y`` is ignored."""
        data = self._begin(X)
        self.history_, self.converged_ = [], False
        self.phi_ = np.full(self.n_clusters, 1 / self.n_clusters, dtype=np.float32)
        GanTraining(self, data, self._generator).all_epochs()
        self.n_iter_ = len(self.history_)
        self.labels_ = np.zeros(len(data), dtype=np.int64)
        return self

    @property
    def _shares_features(self) -> bool:
        return False

    @property
    def _trains_prior(self) -> bool:
        return False

    def _classifier_net(self, kind: Literal["conv", "mlp"], size: int) -> nn.Module:
        return _Indifferent(self.n_clusters)


class _Indifferent(nn.Module):
    """Equal logits for everything: ``(B, K)``."""

    def __init__(self, n_clusters: int) -> None:
        super().__init__()
        self.n_clusters = n_clusters

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x), self.n_clusters)
