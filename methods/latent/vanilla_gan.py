"""The plain GAN: no clusters, the last row of the responsibility GAN's Table 6."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from torch import Tensor, nn

from deep_em_bench.methods.base import Callback, Preset, register
from deep_em_bench.methods.latent.base import LatentGan
from deep_em_bench.methods.latent.gm_gan import GanTraining
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.neural import Precision
from deep_em_bench.methods.parameters import BatchSize, Count, NonNegative, Positive

__all__ = ["VanillaGan"]

PRESETS = {
    "default": Preset(
        source="Goodfellow et al., Generative adversarial nets (2014), with a non-saturating G",
        deviations=("nets and budget are those of the responsibility GAN's Tables 2, 3 and 5",),
    ),
}


@register("vanilla_gan", presets=PRESETS)
class VanillaGan(LatentGan):
    """A GAN with z from N(0, I), for what its images are worth beside those of a mixture.

    It has no clusters: its K components are one and the same, every responsibility is 1/K and
    every label 0, so that a clustering score of it is that of not clustering at all.

    Arguments:
        n_clusters: K, which changes nothing.
        epochs: passes over the data,
        steps: and further ones until there are so many updates.
        batch_size: real images, and generated ones, an update.
        d_lr, g_lr: learning rates; Adam (.5, .999).
        noise_dim: length of z.
        network, width, hidden, d_batch_norm, init_std: as in
            :class:`ResponsibilityGan`.
        random_state: seed of every draw.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        precision: ``fp32``; ``tf32`` matrix products; ``bf16`` autocast.
        compile: updates as CUDA graphs on a GPU, elsewhere nets by torch.compile.
        callback: called with every row of ``history_``.
    """

    mean_range = 0.0
    prior_std = 1.0

    def __init__(
        self,
        n_clusters: Positive = 10,
        *,
        epochs: Positive = 200,
        steps: Count = 0,
        batch_size: BatchSize = 64,
        d_lr: NonNegative = 2e-4,
        g_lr: NonNegative = 2e-4,
        noise_dim: Positive = 100,
        network: Kind = "auto",
        width: NonNegative = 1.0,
        hidden: tuple[Positive, ...] = (256, 256),
        d_batch_norm: bool = True,
        init_std: NonNegative | None = 0.02,
        random_state: int = 0,
        device: str = "auto",
        precision: Precision = "fp32",
        compile: bool = False,
        callback: Callback | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.epochs = epochs
        self.steps = steps
        self.batch_size = batch_size
        self.d_lr = d_lr
        self.g_lr = g_lr
        self.noise_dim = noise_dim
        self.network: Kind = network
        self.width = width
        self.hidden = hidden
        self.d_batch_norm = d_batch_norm
        self.init_std = init_std
        self.random_state = random_state
        self.device = device
        self.precision: Precision = precision
        self.compile = compile
        self.callback = callback

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
