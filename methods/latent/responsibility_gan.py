"""Responsibility GAN: a mixture prior, and a classifier whose output weighs the K fakes."""

from __future__ import annotations

import time
from typing import Self

import numpy as np

from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.latent.base import LatentGan
from deep_em_bench.methods.latent.nets import Design
from deep_em_bench.methods.latent.parameters import ResponsibilityGanParameters
from deep_em_bench.methods.latent.steps import ResponsibilityGanTraining
from deep_em_bench.methods.nets.assignment import assignment_row

__all__ = ["ResponsibilityGan"]

PRESETS = {
    "paper": Preset(
        title="Responsibility GAN, as printed",
        source="GAN-based Gaussian Mixture Model Responsibility Learning (ICLR 2020 submission): "
        "Eqs. 3 and 4, Algorithm 1, Tables 1-3 and 5",
        params={
            "epochs": 200,
            "steps": 0,
            "d_lr": 2e-4,
            "g_lr": 2e-4,
            "c_lr": 2e-4,
            "generator_loss": "saturating",
            "adversarial_to_classifier": True,
            "mutual_information": "literal",
            "information_weight": 1.0,
            "information_to_generator": False,
            "components_per_image": None,
            "consistency": 0.0,
            "marginal_entropy": 0.0,
            "conditional_entropy": 0.0,
            "mean_range": 0.1,
            "prior_std": 0.15,
            "shared": True,
            "init_std": 0.02,
            "d_noise": 0.0,
        },
        deviations=(
            "Eq. 4 is taken as the cross-entropy of C(x_k) to the responsibilities of the real x",
            "Adam with betas (.5, .999) and batch 64: the paper names neither",
            "D_z = 100: not printed, but the only length that Table 6's parameter counts admit",
            "first means U(-.1, .1) and covariances .15^2 I: the paper has none, GM-GAN these",
            "first weights N(0, .02^2), leaky ReLUs of slope .2: as in DCGAN, none is printed",
            "A is lower triangular with a positive diagonal",
            "Eq. 3 has no factor 1/K: in the loss of C it has K times the weight against Eq. 4",
            "Algorithm 1's lines 12 and 13 are one step of C on the sum of both",
            "Eq. 4 trains C alone (Algorithm 1, line 13), not mu and A as well (section 2.4)",
            "10,000 epochs on the flowers are given by the suite, not here",
        ),
    ),
    "stable": Preset(
        title="Responsibility GAN, regularised by information maximisation",
        source="ours: C is to recover the component of a generated image, G and the prior learn "
        "that too, C also learns from real data, and Eq. 3 does not train it",
    ),
}


@register("responsibility_gan", title="Responsibility GAN", version=1, presets=PRESETS)
class ResponsibilityGan(ResponsibilityGanParameters, LatentGan):
    r"""GAN-based GMM responsibility learning (ICLR 2020 submission), the symbols as in the paper.

    z is drawn from one of K Gaussians with trainable means and factors, a classifier C gives
    :math:`\alpha(x) = p(k \mid x)`, and the adversarial loss weighs the K fakes of a real image
    by its responsibilities, Eq. (3).

    As printed nothing ties component k to the images that C calls k. x_k does not depend on x, so
    Eq. (3) teaches C only which component looks most real, and Eq. (4) read literally asks C for
    the same answer to the image of every component. The preset ``stable`` asks C to recover k
    from x_k, and to be smooth, sure and balanced on real data
    (:mod:`~deep_em_bench.methods.nets.consistency`).
    """

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Algorithm 1 on ``X``; ``y`` is ignored."""
        data = self._begin(X)
        training = ResponsibilityGanTraining(self, self._runtime, self.nets_, data)
        self.history_, self.converged_ = [], False
        labels = None
        for epoch in range(self._passes(len(data))):
            started = time.perf_counter()
            losses = training.epoch()  # Algorithm 1
            w = self._runtime.apply(self.nets_.classifier, data).softmax(dim=1)  # p(k | x)
            previous, labels = labels, w.argmax(dim=1)
            self.phi_ = w.mean(dim=0).cpu().numpy()  # before the row, whose callback may sample
            self._record(
                {
                    "iteration": epoch + 1,
                    **losses,
                    **assignment_row(w, previous),
                    "seconds": time.perf_counter() - started,
                }
            )
        assert labels is not None, "epochs is at least 1"
        self.labels_ = labels.cpu().numpy()
        return self

    @property
    def _design(self) -> Design:
        return Design(
            classifier="shared" if self.shared else "separate",
            mean_range=self.mean_range,
            prior_std=self.prior_std,
            trains_prior=True,
        )
