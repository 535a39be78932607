"""The plain GAN: no clusters, the last row of the responsibility GAN's Table 6."""

from __future__ import annotations

from typing import Self

import numpy as np

from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.latent.base import LatentGan
from deep_em_bench.methods.latent.nets import Design

__all__ = ["VanillaGan"]

PRESETS = {
    "default": Preset(
        title="Vanilla GAN",
        source="Goodfellow et al., Generative adversarial nets (2014), with a non-saturating G",
        deviations=("nets and budget are those of the responsibility GAN's Tables 2, 3 and 5",),
    ),
}


@register("vanilla_gan", title="Vanilla GAN", version=1, presets=PRESETS)
class VanillaGan(LatentGan):
    """A GAN with z from N(0, I), to compare its images with those of a mixture.

    It has no clusters: its K components are the same, every responsibility is 1/K and every label
    0. Its clustering scores are those of one cluster for all data.
    """

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Train the GAN on ``X``; ``y`` is ignored."""
        data = self._begin(X)
        self._train_gan(data)
        self.labels_ = np.zeros(len(data), dtype=np.int64)
        return self

    @property
    def _design(self) -> Design:
        return Design(classifier="none", mean_range=0.0, prior_std=1.0, trains_prior=False)
