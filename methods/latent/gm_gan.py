"""GM-GAN: a GAN whose prior is a mixture of Gaussians with equal weights."""

from __future__ import annotations

from typing import Self

import numpy as np

from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.latent.base import LatentGan
from deep_em_bench.methods.latent.nets import Design
from deep_em_bench.methods.latent.parameters import GmGanParameters

__all__ = ["GmGan"]

PRESETS = {
    "static": Preset(
        title="GM-GAN, fixed mixture",
        source="Ben-Yosef and Weinshall, Gaussian mixture generative adversarial networks for "
        "diverse datasets (2018), unsupervised, fixed mixture",
        params={"prior": "static"},
        deviations=(
            "nets and budget are those of the responsibility GAN's Tables 2, 3 and 5",
            "c = .1 and sigma = .15 are those of later uses; the fixed mixture needs a wider c",
        ),
    ),
    "dynamic": Preset(
        title="GM-GAN, trained mixture",
        source="the same, trainable mixture",
        params={"prior": "dynamic"},
        deviations=("nets and budget are those of the responsibility GAN's Tables 2, 3 and 5",),
    ),
}


@register("gm_gan", title="GM-GAN", version=1, presets=PRESETS)
class GmGan(GmGanParameters, LatentGan):
    r"""GM-GAN (Ben-Yosef and Weinshall, 2018), unsupervised; a baseline of Table 6.

    A GAN with z from :math:`\frac1K \sum_k N(\mu_k, A_k A_k^\top)`. It has no responsibilities of
    its own. As in GANMM's E-step, a classifier assigns the data; it is trained on samples, with
    their components as the classes.
    """

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Train the GAN on ``X``, then the classifier on its samples; ``y`` is ignored."""
        data = self._begin(X)
        training = self._train_gan(data)
        self.cross_entropy_ = training.classifier(
            self.classifier_steps, self.c_lr, self.label_smoothing
        )
        w = self._runtime.apply(self.nets_.classifier, data).softmax(dim=1)
        self.labels_ = w.argmax(dim=1).cpu().numpy()
        return self

    def n_parameters(self) -> int:
        """Of G, D and a trained prior, as Table 6 counts: the classifier is no part of the GAN."""
        return super().n_parameters() - sum(p.numel() for p in self.nets_.C.parameters())

    @property
    def _design(self) -> Design:
        return Design(
            classifier="separate",
            mean_range=self.mean_range,
            prior_std=self.prior_std,
            trains_prior=self.prior == "dynamic",
        )
