"""Training of a GAN with a mixture prior, and of the responsibility GAN (Algorithm 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from deep_em_bench.methods.latent.losses import adversarial_losses, mutual_information_loss
from deep_em_bench.methods.latent.nets import LatentNets
from deep_em_bench.methods.latent.parameters import LatentParameters, ResponsibilityGanParameters
from deep_em_bench.methods.nets.consistency import Regulariser
from deep_em_bench.methods.nets.optimise import adam, descend
from deep_em_bench.methods.nets.runtime import Runtime

__all__ = ["GanTraining", "ResponsibilityGanTraining"]


class GanTraining:
    """The adversarial game of a GAN with a mixture prior, and a classifier of its components.

    Arguments:
        settings: hyper-parameters.
        runtime: where the nets are trained.
        nets: what is trained.
        data: all of X in the nets' range, ``(N, *shape)``.
    """

    def __init__(
        self, settings: LatentParameters, runtime: Runtime, nets: LatentNets, data: Tensor
    ) -> None:
        self.settings, self.runtime, self.nets, self.data = settings, runtime, nets, data
        self.stream = runtime.generator
        self.D = nets.discriminator
        self.d_optimizer = adam(self.D.parameters(), settings.d_lr)
        generating = [*nets.G.parameters(), *nets.prior.parameters()]
        self.g_optimizer = adam(generating, settings.g_lr)

    def epoch(self) -> dict[str, float]:
        """D and G in turn over all batches; the mean losses."""
        runtime, data = self.runtime, self.data
        self.nets.G.train()
        self.D.train()
        total = torch.zeros(2, device=data.device)

        @runtime.compile_update
        def update(rows: Tensor) -> None:
            with runtime.arithmetic():
                x_fake, _ = self._generate(len(rows))
                real = self.D(data[rows]).float()
                fake = self.D(x_fake.detach()).float()
            d_loss = (F.softplus(-real) + F.softplus(fake)).mean()
            descend(self.d_optimizer, d_loss)
            self.D.requires_grad_(False)
            with runtime.arithmetic():
                g_loss = F.softplus(-self.D(x_fake).float()).mean()
            descend(self.g_optimizer, g_loss)
            self.D.requires_grad_(True)
            total.add_(torch.stack([d_loss, g_loss]).detach())

        steps = 0
        for rows in runtime.batches(len(data), self.settings.batch_size, 1):
            update(rows)
            steps += 1
        d_loss, g_loss = (total / max(1, steps)).tolist()
        return {"d_loss": d_loss, "g_loss": g_loss}

    def classifier(self, steps: int, rate: float, label_smoothing: float) -> float:
        """Train C to name the component of generated images; the mean cross-entropy."""
        C = self.nets.classifier
        optimizer = adam(C.parameters(), rate)
        self.nets.G.eval()
        C.train()
        total = torch.zeros((), device=self.data.device)

        @self.runtime.compile_update
        def update() -> None:
            with self.runtime.arithmetic():
                with torch.no_grad():
                    x_fake, k = self._generate(self.settings.batch_size)
                logits = C(x_fake).float()
            loss = F.cross_entropy(logits, k, label_smoothing=label_smoothing)
            descend(optimizer, loss)
            total.add_(loss.detach())

        for _ in range(steps):
            update()
        return float(total / max(1, steps))

    def _generate(self, n: int) -> tuple[Tensor, Tensor]:
        """``n`` images and their components, drawn uniformly."""
        K, device = self.settings.n_clusters, self.data.device
        k = torch.randint(K, (n,), generator=self.stream, device=device)
        return self.nets.generate(k, self.stream), k


class ResponsibilityGanTraining:
    """The responsibility GAN's Algorithm 1.

    Arguments:
        settings: hyper-parameters.
        runtime: where the nets are trained.
        nets: what is trained.
        data: all of X in the nets' range, ``(N, *shape)``.
    """

    def __init__(
        self,
        settings: ResponsibilityGanParameters,
        runtime: Runtime,
        nets: LatentNets,
        data: Tensor,
    ) -> None:
        self.settings, self.runtime, self.nets, self.data = settings, runtime, nets, data
        self.stream = runtime.generator
        self.C, self.D = nets.classifier, nets.discriminator
        noisy = settings.d_noise > 0
        self.regulariser = Regulariser(settings, data, data, self.stream, with_unit=noisy)
        self.noise = settings.d_noise * self.regulariser.unit
        self.d_parameters = list(self.D.parameters())
        self.g_parameters = [*nets.G.parameters(), *nets.prior.parameters()]
        self.c_parameters = list(self.C.parameters())
        self.d_optimizer = adam(self.d_parameters, settings.d_lr)
        self.g_optimizer = adam(self.g_parameters, settings.g_lr)
        self.c_optimizer = adam(self.c_parameters, settings.c_lr)

    def epoch(self) -> dict[str, float]:
        """Algorithm 1 over all batches; the mean losses."""
        data = self.data
        for net in self.nets.named().values():
            net.train()
        total = torch.zeros(4, device=data.device)

        @self.runtime.compile_update
        def update(rows: Tensor) -> None:
            total.add_(self._update(rows))

        steps = 0
        for rows in self.runtime.batches(len(data), self.settings.batch_size, 1):
            update(rows)
            steps += 1
        d_loss, g_loss, information, divergence = (total / max(1, steps)).tolist()
        row = {"d_loss": d_loss, "g_loss": g_loss, "mutual_information": information}
        return {**row, "divergence": divergence} if self.regulariser.active else row

    def _update(self, rows: Tensor) -> Tensor:
        """Lines 2 to 13 for one batch: D, then G with the prior, then C; the losses."""
        settings, runtime = self.settings, self.runtime
        with runtime.arithmetic():
            x = self._noisy(self.data[rows])
            alpha = self.C(x).float().softmax(dim=1).detach()  # line 2, (B, K)
            weight, k = self._fakes_of(alpha)
            fakes = self._noisy(self._generate(k))  # lines 4-6, (B M, *shape)
            real = self.D(x).float().squeeze(1)
            fake = self.D(fakes.detach()).float().view(k.shape)
        d_loss, _ = adversarial_losses(real, fake, weight, settings.generator_loss)  # line 9
        _apply(self.d_optimizer, self.d_parameters, torch.autograd.grad(d_loss, self.d_parameters))

        with runtime.arithmetic():
            if settings.adversarial_to_classifier:
                alpha = self.C(x).float().softmax(dim=1)  # again: shared features have moved
                weight = alpha if settings.components_per_image is None else weight
            fake = self.D(fakes).float().view(k.shape)
            logits = self.C(fakes).float().view(*k.shape, -1)  # line 7
        _, g_loss = adversarial_losses(real.detach(), fake, weight, settings.generator_loss)
        information = mutual_information_loss(  # line 10
            logits, alpha, weight, k, settings.mutual_information
        )
        for_g, for_c = g_loss, settings.information_weight * information
        if settings.information_to_generator:
            for_g = for_g + settings.information_weight * information
        if settings.adversarial_to_classifier:  # through alpha alone, not through shared features
            fixed = real.detach(), fake.detach()
            for_c = for_c + adversarial_losses(*fixed, weight, settings.generator_loss)[1]
        divergence = torch.zeros((), device=x.device)
        if self.regulariser.active:
            with runtime.arithmetic():
                on_real, divergence = self.regulariser.loss(self.C, rows)
            for_c = for_c + on_real
        # Both gradients before either step: each passes through what the other optimiser moves.
        g_gradients = torch.autograd.grad(for_g, self.g_parameters, retain_graph=True)
        c_gradients = torch.autograd.grad(for_c, self.c_parameters)
        _apply(self.g_optimizer, self.g_parameters, g_gradients)  # line 12
        _apply(self.c_optimizer, self.c_parameters, c_gradients)  # lines 12-13
        return torch.stack([d_loss, g_loss, -information, divergence]).detach()

    def _fakes_of(self, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and components of the fakes of each real image, ``(B, M)`` both.

        The mean over drawn fakes is an unbiased estimate of the sum over all K; alpha then gets
        no gradient.
        """
        B, K = alpha.shape
        M = self.settings.components_per_image
        if M is None:
            return alpha, torch.arange(K, device=alpha.device).expand(B, K)
        k = torch.multinomial(alpha, M, replacement=True, generator=self.stream)
        return torch.full((B, M), 1 / M, device=alpha.device), k

    def _generate(self, k: Tensor) -> Tensor:
        """An image of each component: ``(B M, *shape)`` of ``(B, M)``."""
        return self.nets.generate(k.reshape(-1), self.stream)

    def _noisy(self, x: Tensor) -> Tensor:
        if self.noise == 0:
            return x
        return x + self.noise * torch.randn(x.shape, generator=self.stream, device=x.device)


def _apply(
    optimizer: torch.optim.Optimizer,
    parameters: list[torch.nn.Parameter],
    gradients: tuple[Tensor, ...],
) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        # In the memory layout of the parameter: fused Adam reads the numbers as they lie.
        parameter.grad = torch.empty_like(parameter).copy_(gradient)
    optimizer.step()
