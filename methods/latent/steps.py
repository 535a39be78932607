"""One pass of the responsibility GAN's Algorithm 1 over the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from deep_em_bench.methods.nets.consistency import Regulariser
from deep_em_bench.methods.nets.optimise import adam

if TYPE_CHECKING:
    from deep_em_bench.methods.latent.responsibility_gan import ResponsibilityGan

__all__ = [
    "GeneratorLoss",
    "MutualInformation",
    "Training",
    "adversarial_losses",
    "mutual_information_loss",
]

GeneratorLoss = Literal["saturating", "non_saturating"]
MutualInformation = Literal["literal", "recover"]


def adversarial_losses(
    real: Tensor, fake: Tensor, alpha: Tensor, kind: GeneratorLoss
) -> tuple[Tensor, Tensor]:
    r"""Eq. (3), what D minimises and what G (and C, through alpha) minimises.

    .. math:: E_x \sum_k \alpha_k(x) \left[\log D(x) + \log(1 - D(x_k))\right]

    without the factor 1/K, which scales the losses of D and G; C, where it is trained by this,
    then weighs it K times as much beside Eq. (4).

    Arguments:
        real: logits of real images, ``(B,)``.
        fake: logits of their fakes, ``(B, M)``: all K components, or M drawn ones.
        alpha: weight of each fake, ``(B, M)``, rows sum to one.
    """
    # softplus(-l) = -log sigmoid(l), softplus(l) = -log(1 - sigmoid(l))
    d_loss = F.softplus(-real).mean() + (alpha.detach() * F.softplus(fake)).sum(dim=1).mean()
    if kind == "non_saturating":
        return d_loss, (alpha * F.softplus(-fake)).sum(dim=1).mean()
    return d_loss, -(alpha * F.softplus(fake)).sum(dim=1).mean()


def mutual_information_loss(
    logits: Tensor, alpha: Tensor, weight: Tensor, k: Tensor, kind: MutualInformation
) -> Tensor:
    r"""Eq. (4), negated.

    ``literal``: :math:`-E_x \frac1M \sum_k \sum_j \alpha_j(x) \log C(x_k)_j`, which asks every
    component's image for the same answer, alpha(x). ``recover``: :math:`-E_x \sum_k \alpha_k(x)
    \log C(x_k)_k`, InfoGAN's bound, which asks for the component.

    Arguments:
        logits: C's of the fakes, ``(B, M, K)``.
        alpha: responsibilities of the real images, ``(B, K)``.
        weight: of each fake, ``(B, M)``, rows sum to one.
        k: component of each fake, ``(B, M)``.
    """
    log_c = logits.log_softmax(dim=2)
    if kind == "literal":
        return -torch.einsum("bj,bmj->bm", alpha, log_c).mean()
    own = log_c.gather(2, k.unsqueeze(2)).squeeze(2)  # (B, M)
    return -(weight.detach() * own).sum(dim=1).mean()


class Training:
    """Data and nets on one device, with the optimisers that move the nets.

    Arguments:
        gan: the estimator, for its hyper-parameters, nets and batches.
        data: all of X in the nets' range, ``(N, *shape)``.
        stream: source of every draw, on the same device.
    """

    def __init__(self, gan: ResponsibilityGan, data: Tensor, stream: torch.Generator) -> None:
        self.gan, self.data, self.stream = gan, data, stream
        self.C, self.D = gan._classifier(), gan._discriminator()
        self.regulariser = Regulariser(gan, data, data, stream, with_unit=gan.d_noise > 0)
        self.noise = gan.d_noise * self.regulariser.unit
        self.d_parameters = list(self.D.parameters())
        self.g_parameters = [*gan.G_.parameters(), *gan.prior_.parameters()]
        self.c_parameters = list(self.C.parameters())
        self.d_optimizer = adam(self.d_parameters, gan.d_lr)
        self.g_optimizer = adam(self.g_parameters, gan.g_lr)
        self.c_optimizer = adam(self.c_parameters, gan.c_lr)

    def epoch(self) -> dict[str, float]:
        """Algorithm 1 over all batches; the mean losses."""
        gan, data = self.gan, self.data
        for net in gan._nets().values():
            net.train()
        total = torch.zeros(4, device=data.device)

        @gan._compiled
        def update(rows: Tensor) -> None:
            total.add_(self._update(rows))

        steps = 0
        for rows in gan._batches(len(data), gan.batch_size, 1):
            update(rows)
            steps += 1
        d_loss, g_loss, information, divergence = (total / max(1, steps)).tolist()
        row = {"d_loss": d_loss, "g_loss": g_loss, "mutual_information": information}
        return {**row, "divergence": divergence} if self.regulariser.active else row

    def _update(self, rows: Tensor) -> Tensor:
        """Lines 2 to 13 for one batch: D, then G with the prior, then C."""
        gan = self.gan
        with gan._arithmetic():
            x = self._noisy(self.data[rows])
            alpha = self.C(x).float().softmax(dim=1).detach()  # line 2, (B, K)
            weight, k = self._fakes_of(alpha)
            fakes = self._noisy(self._generate(k))  # lines 4-6, (B M, *shape)
            real = self.D(x).float().squeeze(1)
            fake = self.D(fakes.detach()).float().view(k.shape)
        d_loss, _ = adversarial_losses(real, fake, weight, gan.generator_loss)  # line 9
        _step(self.d_optimizer, self.d_parameters, d_loss)

        with gan._arithmetic():
            if gan.adversarial_to_classifier:
                alpha = self.C(x).float().softmax(dim=1)  # again: shared features have moved
                weight = alpha if gan.components_per_image is None else weight
            fake = self.D(fakes).float().view(k.shape)
            logits = self.C(fakes).float().view(*k.shape, -1)  # line 7
        _, g_loss = adversarial_losses(real.detach(), fake, weight, gan.generator_loss)
        information = mutual_information_loss(  # line 10
            logits, alpha, weight, k, gan.mutual_information
        )
        for_g, for_c = g_loss, gan.information_weight * information
        if gan.information_to_generator:
            for_g = for_g + gan.information_weight * information
        if gan.adversarial_to_classifier:  # through alpha alone: with features in common, not D
            fixed = real.detach(), fake.detach()
            for_c = for_c + adversarial_losses(*fixed, weight, gan.generator_loss)[1]
        divergence = torch.zeros((), device=x.device)
        if self.regulariser.active:
            with gan._arithmetic():
                on_real, divergence = self.regulariser.loss(self.C, rows)
            for_c = for_c + on_real
        # Both gradients are taken before either optimiser moves what the other passes through.
        g_gradients = torch.autograd.grad(for_g, self.g_parameters, retain_graph=True)
        c_gradients = torch.autograd.grad(for_c, self.c_parameters)
        _apply(self.g_optimizer, self.g_parameters, g_gradients)  # line 12
        _apply(self.c_optimizer, self.c_parameters, c_gradients)  # lines 12-13
        return torch.stack([d_loss, g_loss, -information, divergence]).detach()

    def _fakes_of(self, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and component of each fake of each real image, ``(B, M)`` both."""
        B, K = alpha.shape
        M = self.gan.components_per_image
        if M is None:
            return alpha, torch.arange(K, device=alpha.device).expand(B, K)
        k = torch.multinomial(alpha, M, replacement=True, generator=self.stream)
        return torch.full((B, M), 1 / M, device=alpha.device), k

    def _generate(self, k: Tensor) -> Tensor:
        """An image of each component, noise of its own: ``(B M, *shape)``."""
        flat = k.reshape(-1)
        epsilon = torch.randn(
            len(flat), self.gan.noise_dim, generator=self.stream, device=k.device
        )
        return self.gan.G_(self.gan.prior_(epsilon, flat))

    def _noisy(self, x: Tensor) -> Tensor:
        if self.noise == 0:
            return x
        return x + self.noise * torch.randn(x.shape, generator=self.stream, device=x.device)


def _step(
    optimizer: torch.optim.Optimizer,
    parameters: list[torch.nn.Parameter],
    loss: Tensor,
) -> None:
    _apply(optimizer, parameters, torch.autograd.grad(loss, parameters))


def _apply(
    optimizer: torch.optim.Optimizer,
    parameters: list[torch.nn.Parameter],
    gradients: tuple[Tensor, ...],
) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        # In the parameter's own memory layout: fused Adam takes another one's numbers as they lie.
        parameter.grad = torch.empty_like(parameter).copy_(gradient)
    optimizer.step()
