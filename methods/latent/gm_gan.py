"""GM-GAN: a GAN whose prior is a mixture of Gaussians with equal weights."""

from __future__ import annotations

import time
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deep_em_bench.methods.base import Preset, register
from deep_em_bench.methods.latent.base import LatentGan
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.nets.optimise import adam, descend
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Fraction,
    NonNegative,
    Positive,
    PositiveReal,
    hyperparameters,
    parameter,
)

__all__ = ["GanTraining", "GmGan"]

PRESETS = {
    "static": Preset(
        source="Ben-Yosef and Weinshall, Gaussian mixture generative adversarial networks for "
        "diverse datasets (2018), unsupervised, fixed mixture",
        params={"prior": "static"},
        deviations=(
            "nets and budget are those of the responsibility GAN's Tables 2, 3 and 5",
            "c = .1 and sigma = .15 are those of later uses; the fixed mixture needs a wider c",
        ),
    ),
    "dynamic": Preset(
        source="the same, trainable mixture",
        params={"prior": "dynamic"},
        deviations=("nets and budget are those of the responsibility GAN's Tables 2, 3 and 5",),
    ),
}


@register("gm_gan", title="GM-GAN", version=1, presets=PRESETS)
@hyperparameters
class GmGan(LatentGan):
    r"""GM-GAN (Ben-Yosef and Weinshall, 2018), unsupervised; a baseline of Table 6.

    A GAN with z from :math:`\frac1K \sum_k N(\mu_k, A_k A_k^\top)`. It has no responsibilities of
    its own: a classifier trained on its samples, with the component as the class, assigns the
    data, as in GANMM's E-step.
    """

    prior: Literal["static", "dynamic"] = parameter(
        "dynamic",
        "``static``: means and covariances stay as drawn; ``dynamic``: G's loss moves them",
    )
    epochs: Positive = parameter(200, "passes over the data,")
    steps: Count = parameter(0, "and further ones until there are so many updates")
    classifier_steps: Count = parameter(500, "updates of the classifier after the last epoch")
    batch_size: BatchSize = parameter(64, "real images, and generated ones, an update")
    d_lr: NonNegative = parameter(
        2e-4, "learning rates of D, of G and the prior, and of C; Adam (.5, .999)"
    )
    g_lr: NonNegative = parameter(
        2e-4, "learning rates of D, of G and the prior, and of C; Adam (.5, .999)"
    )
    c_lr: NonNegative = parameter(
        1e-3, "learning rates of D, of G and the prior, and of C; Adam (.5, .999)"
    )
    noise_dim: Positive = parameter(100, "length of z")
    mean_range: NonNegative = parameter(0.1, "first means U(-c, c), first covariances sigma^2 I")
    prior_std: PositiveReal = parameter(0.15, "first means U(-c, c), first covariances sigma^2 I")
    label_smoothing: Fraction = parameter(0.0, "of the classifier's targets")
    network: Kind = parameter("auto", "as in :class:`ResponsibilityGan`")
    width: NonNegative = parameter(1.0, "as in :class:`ResponsibilityGan`")
    hidden: tuple[Positive, ...] = parameter((256, 256), "as in :class:`ResponsibilityGan`")
    d_batch_norm: bool = parameter(True, "as in :class:`ResponsibilityGan`")
    init_std: NonNegative | None = parameter(0.02, "as in :class:`ResponsibilityGan`")

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Train the GAN on ``X``, then the classifier on its samples; ``y`` is ignored."""
        data = self._begin(X)
        K = self.n_clusters
        self.history_, self.converged_ = [], False
        self.phi_ = np.full(K, 1 / K, dtype=np.float32)
        training = GanTraining(self, data, self._generator)
        training.all_epochs()
        self.cross_entropy_ = training.classifier(
            self.classifier_steps, self.c_lr, self.label_smoothing
        )
        self.n_iter_ = len(self.history_)
        w = self._apply(self._classifier(), data).softmax(dim=1)
        self.labels_ = w.argmax(dim=1).cpu().numpy()
        return self

    def n_parameters(self) -> int:
        """Of G, D and a trained prior, as Table 6 counts: the classifier is no part of the GAN."""
        return super().n_parameters() - sum(p.numel() for p in self.C_.parameters())

    @property
    def _shares_features(self) -> bool:
        return False

    @property
    def _trains_prior(self) -> bool:
        return self.prior == "dynamic"


class GanTraining:
    """The adversarial game of a GAN with a mixture prior, and the classifier of its components."""

    def __init__(self, gan: LatentGan, data: Tensor, stream: torch.Generator) -> None:
        self.gan, self.data, self.stream = gan, data, stream
        self.D = gan._discriminator()
        generating = [*gan.G_.parameters(), *gan.prior_.parameters()]
        self.d_optimizer = adam(self.D.parameters(), gan.d_lr)
        self.g_optimizer = adam(generating, gan.g_lr)

    def all_epochs(self) -> None:
        """The whole budget, a row of history an epoch."""
        for epoch in range(self.gan._passes(len(self.data))):
            started = time.perf_counter()
            losses = self.epoch()
            self.gan._record(
                {"iteration": epoch + 1, **losses, "seconds": time.perf_counter() - started}
            )

    def epoch(self) -> dict[str, float]:
        """D and G in turn over all batches; the mean losses."""
        gan, data = self.gan, self.data
        gan.G_.train()
        self.D.train()
        total = torch.zeros(2, device=data.device)

        @gan._compiled
        def update(rows: Tensor) -> None:
            with gan._arithmetic():
                x_fake, _ = self._generate(len(rows))
                real = self.D(data[rows]).float()
                fake = self.D(x_fake.detach()).float()
            d_loss = (F.softplus(-real) + F.softplus(fake)).mean()
            descend(self.d_optimizer, d_loss)
            self.D.requires_grad_(False)
            with gan._arithmetic():
                g_loss = F.softplus(-self.D(x_fake).float()).mean()
            descend(self.g_optimizer, g_loss)
            self.D.requires_grad_(True)
            total.add_(torch.stack([d_loss, g_loss]).detach())

        steps = 0
        for rows in gan._batches(len(data), gan.batch_size, 1):
            update(rows)
            steps += 1
        d_loss, g_loss = (total / max(1, steps)).tolist()
        return {"d_loss": d_loss, "g_loss": g_loss}

    def classifier(self, steps: int, rate: float, label_smoothing: float) -> float:
        """Train C to name the component of generated images; the mean cross-entropy."""
        gan, C = self.gan, self.gan._classifier()
        optimizer = adam(C.parameters(), rate)
        gan.G_.eval()
        C.train()
        total = torch.zeros((), device=self.data.device)

        @gan._compiled
        def update() -> None:
            with gan._arithmetic():
                with torch.no_grad():
                    x_fake, k = self._generate(gan.batch_size)
                logits = C(x_fake).float()
            loss = F.cross_entropy(logits, k, label_smoothing=label_smoothing)
            descend(optimizer, loss)
            total.add_(loss.detach())

        for _ in range(steps):
            update()
        return float(total / max(1, steps))

    def _generate(self, n: int) -> tuple[Tensor, Tensor]:
        """``n`` images and the component of each, drawn uniformly."""
        gan, device = self.gan, self.data.device
        k = torch.randint(gan.n_clusters, (n,), generator=self.stream, device=device)
        epsilon = torch.randn(n, gan.noise_dim, generator=self.stream, device=device)
        return gan.G_(gan.prior_(epsilon, k)), k
