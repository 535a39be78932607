"""Responsibility GAN: a mixture prior, and a classifier whose output weighs the K fakes."""

from __future__ import annotations

import time
from typing import Self

import numpy as np

from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.latent.base import LatentGan
from deep_em_bench.methods.latent.steps import GeneratorLoss, MutualInformation, Training
from deep_em_bench.methods.nets.assignment import assignment_row
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    NonNegative,
    Positive,
    PositiveReal,
    hyperparameters,
    parameter,
)

__all__ = ["ResponsibilityGan"]

PRESETS = {
    "paper": Preset(
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
            "Eq. 3 has no factor 1/K, so that C weighs it K times as much beside Eq. 4",
            "Algorithm 1's lines 12 and 13 are one step of C on the sum of both",
            "Eq. 4 trains C alone (Algorithm 1, line 13), not mu and A as well (section 2.4)",
            "10,000 epochs on the flowers are given by the suite, not here",
        ),
    ),
    "stable": Preset(
        source="ours: C is to recover the component of a generated image, G and the prior learn "
        "that too, C also learns from real data, and Eq. 3 does not train it"
    ),
}


@register("responsibility_gan", title="Responsibility GAN", version=1, presets=PRESETS)
@hyperparameters
class ResponsibilityGan(LatentGan):
    r"""GAN-based GMM responsibility learning (ICLR 2020 submission), the symbols as in the paper.

    z is drawn from one of K Gaussians with trainable means and factors, a classifier C gives
    :math:`\alpha(x) = p(k \mid x)`, and the adversarial loss weighs the K fakes of a real image
    by its responsibilities, Eq. (3). As printed nothing ties component k to the images that C
    calls k: x_k does not depend on x, so Eq. (3) teaches C only which component looks most real,
    and Eq. (4) read literally asks C to answer the same for every component's image. The defaults,
    the preset ``stable``, ask C to recover k from x_k, G and the prior to make that possible,
    alpha not to move by Eq. (3), and C to be smooth, sure and balanced on real data
    (:mod:`methods.nets.consistency`). What was learnt in making it (accuracy one to one, last
    iterate; "within" is the standard deviation of a pixel within a component, over the range of
    the data):

    - What makes a component draw one image again and again is how far apart the prior's first
      means are. On 10,000 images of MNIST, C on D's features, a quarter of the filters, 8 epochs,
      seed 0: means U(-1, 1), eight deviations apart, have within .027 (a cluster of the data .15),
      FID 14.6, NMI .59; U(-.3, .3), two and a half, within .097, FID 6.1, NMI .57; U(-.1, .1)
      within .105, FID 5.3, NMI .52. G takes the easy way, by k, where k says most of z. A prior
      that is not trained, no noise on D, weights of Eq. (4) from 0 to 1, lower rates and smaller
      first weights all leave it (.027 to .049); so do first covariances of .15 with means within
      1 on digits.
    - Eq. (4) at a tenth: NMI .57 to .66, FID 6.1 to 5.2 with that prior; with C on its own net
      .47 to .73 and 11.6 to 7.1. On digits .859 to .868 (accuracy, 4 seeds).
    - Digits pay a little for the prior: .875 +- .020 over 10 seeds, where means within 1 and
      Eq. (4) at 1 had .897 +- .037. All ten components are alive in each; as printed, one is.
    - On MNIST as above, seeds 0 to 4, FID is 5.1 +- .6 shared and 6.9 +- .5 separate, of a
      vanilla GAN on the same nets 9.7 +- 1.1; NMI .59 +- .06 in both, of K-means .50.
    - Without Eq. (4) reaching G, .55 against .90 (digits, seed 0, the earlier prior).
    - C on D's features has .820 on digits (4 seeds, the earlier prior), on its own net .895.
    """

    epochs: Positive = parameter(20, "passes over the data")
    steps: Count = parameter(
        2000, "minimum number of updates; passes are added until it is reached"
    )
    batch_size: BatchSize = parameter(64, "real images an update")
    d_lr: NonNegative = parameter(
        5e-4, "learning rates of D, of G and the prior, and of C; Adam (.5, .999)"
    )
    g_lr: NonNegative = parameter(
        5e-4, "learning rates of D, of G and the prior, and of C; Adam (.5, .999)"
    )
    c_lr: NonNegative = parameter(
        1e-3, "learning rates of D, of G and the prior, and of C; Adam (.5, .999)"
    )
    noise_dim: Positive = parameter(100, "D_z")
    mean_range: NonNegative = parameter(0.3, "first means U(-c, c), first covariances sigma^2 I")
    prior_std: PositiveReal = parameter(1.0, "first means U(-c, c), first covariances sigma^2 I")
    shared: bool = parameter(
        False, "whether C is a linear layer on D's features (and trains these too), or a net"
    )
    generator_loss: GeneratorLoss = parameter(
        "non_saturating", "``saturating`` is Eq. (3); ``non_saturating``: -log D(x_k)"
    )
    adversarial_to_classifier: bool = parameter(
        False, "whether Eq. (3) trains C through alpha (Algorithm 1, line 12)"
    )
    mutual_information: MutualInformation = parameter(
        "recover", "``literal`` is Eq. (4); ``recover``: log C(x_k)_k"
    )
    information_weight: NonNegative = parameter(0.1, "of that term")
    information_to_generator: bool = parameter(
        True, "whether it trains G, mu and A too (section 2.4), or C alone (Algorithm 1, line 13)"
    )
    components_per_image: Positive | None = parameter(
        1,
        "fakes a real image: all K weighed by alpha (None), or so many drawn by alpha, whose "
        "mean is an unbiased estimate of the sum; alpha then gets no gradient",
    )
    consistency: NonNegative = parameter(
        1.0,
        "what C learns from real data, see :func:`information_loss`; radius in units of a "
        "point's distance to its 10th neighbour over the square root of D",
    )
    marginal_entropy: NonNegative = parameter(
        1.0,
        "what C learns from real data, see :func:`information_loss`; radius in units of a "
        "point's distance to its 10th neighbour over the square root of D",
    )
    conditional_entropy: NonNegative = parameter(
        0.25,
        "what C learns from real data, see :func:`information_loss`; radius in units of a "
        "point's distance to its 10th neighbour over the square root of D",
    )
    consistency_radius: NonNegative = parameter(
        5.0,
        "what C learns from real data, see :func:`information_loss`; radius in units of a "
        "point's distance to its 10th neighbour over the square root of D",
    )
    d_noise: NonNegative = parameter(
        0.5,
        "standard deviation of Gaussian noise on what D and C see in training, real and fake, in "
        "units of the median scale",
    )
    network: Kind = parameter(
        "auto",
        "the paper's convolutional nets or fully connected ones; ``auto``: convolutional for "
        "square images of side 16 to 64",
    )
    width: NonNegative = parameter(1.0, "factor on the filters of the convolutional nets")
    hidden: tuple[Positive, ...] = parameter((256, 256), "layer sizes of the fully connected nets")
    d_batch_norm: bool = parameter(True, "whether D's features have batch norm (Table 3)")
    init_std: NonNegative | None = parameter(None, "of the first weights; None: He's")

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Algorithm 1 on ``X``; ``y`` is ignored."""
        data = self._begin(X)
        training = Training(self, data, self._generator)
        self.history_, self.converged_ = [], False
        labels = None
        for epoch in range(self._passes(len(data))):
            started = time.perf_counter()
            losses = training.epoch()  # Algorithm 1
            w = self._apply(self._classifier(), data).softmax(dim=1)  # p(k | x)
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
        self.n_iter_ = len(self.history_)
        assert labels is not None, "epochs is at least 1"
        self.labels_ = labels.cpu().numpy()
        return self

    @property
    def _shares_features(self) -> bool:
        return self.shared

    @property
    def _trains_prior(self) -> bool:
        return True
