"""The M-step and the E-step of GAN-EM."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deep_em_bench.methods.gan_em.e_net import ENet
from deep_em_bench.methods.gan_em.losses import discriminator_loss, generator_loss
from deep_em_bench.methods.gan_em.nets import generator_input
from deep_em_bench.methods.gan_em.parameters import GanEmParameters
from deep_em_bench.methods.nets.optimise import adam, descend, rmsprop
from deep_em_bench.methods.nets.runtime import Runtime

__all__ = ["Training", "mixing_proportions"]


def mixing_proportions(settings: GanEmParameters, w: Tensor) -> Tensor:
    """phi, ``(K,)``: uniform, or the mean of the responsibilities w, ``(N, K)``, with a floor.

    Without the floor large components grow at the cost of small ones.
    """
    K = w.shape[1]
    if settings.prior == "uniform":
        return torch.full_like(w[0], 1 / K)
    phi = w.mean(dim=0).clamp_min(settings.prior_floor / K)
    return phi / phi.sum()


class Training:
    """G and D under training, and the E-net that they take turns with.

    Arguments:
        settings: hyper-parameters.
        runtime: where the nets are trained.
        G: generator.
        D: discriminator.
        e_net: E under training.
        data: all of X in the nets' range, ``(N, *shape)``.
    """

    def __init__(
        self,
        settings: GanEmParameters,
        runtime: Runtime,
        G: nn.Module,
        D: nn.Module,
        e_net: ENet,
        data: Tensor,
    ) -> None:
        self.settings, self.runtime, self.stream = settings, runtime, runtime.generator
        self.G, self.D, self.e_net, self.data = G, D, e_net, data
        self.d_noise = settings.d_noise * e_net.regulariser.unit
        self.e_noise = settings.e_noise * e_net.regulariser.unit
        self._new_optimizers()

    def begin(self, iteration: int) -> None:
        """Set the learning rates of EM iteration 0, 1, ..., and reset optimisers if asked."""
        if self.settings.reset_optimizers:
            self._new_optimizers()
            self.e_net.new_optimizer()
        for optimizer in (self.d_optimizer, self.g_optimizer, self.e_net.optimizer):
            for group in optimizer.param_groups:
                first = group.setdefault("initial_lr", group["lr"])
                group["lr"] = first * self.settings.lr_decay**iteration

    def m_step(self, w: Tensor, phi: Tensor) -> dict[str, float]:
        """Train D on Eq. (2) and G on Eq. (1), one update each a batch, with w fixed."""
        settings, runtime, data = self.settings, self.runtime, self.data
        self.G.train()
        self.D.train()
        total = torch.zeros(2, device=data.device)
        # Eq. (18) meets only the fakes of its own component; drawn by phi they give Eq. (15).
        drawn_by = phi if settings.fake_units == "own" else None

        @runtime.compile_update
        def update(rows: Tensor) -> None:
            x_real, w_real = self._noisy(data[rows], self.d_noise), w[rows]
            c = self._components(len(rows), drawn_by)
            with runtime.arithmetic():
                x_fake = self._noisy(self._generate(c), self.d_noise)
                real, fake = self._discriminate(x_real, x_fake.detach())
            d_loss = discriminator_loss(
                real, fake, w_real, c, settings.extra_unit, settings.fake_units
            )
            descend(self.d_optimizer, d_loss)

            self.D.requires_grad_(False)
            with runtime.arithmetic():
                fake = self.D(x_fake).float()
            g_loss = generator_loss(fake, c, settings.generator_loss, settings.logit_clamp)
            descend(self.g_optimizer, g_loss)
            self.D.requires_grad_(True)
            if settings.generator_clip is not None:
                with torch.no_grad():
                    for p in self.G.parameters():
                        p.clamp_(-settings.generator_clip, settings.generator_clip)
            total.add_(torch.stack([d_loss.detach(), g_loss.detach()]))

        steps = 0
        a_pass = max(1, len(data) // settings.batch_size)
        passes = max(settings.m_epochs, -(-settings.m_steps // a_pass))
        for rows in runtime.batches(len(data), settings.batch_size, passes):
            update(rows)
            steps += 1
        d_mean, g_mean = (total / max(1, steps)).tolist()
        return {"d_loss": d_mean, "g_loss": g_mean}

    def e_step(self, phi: Tensor) -> dict[str, float]:
        """Train E to name the component of generated images, Eq. (5), with G fixed."""
        settings, e_net = self.settings, self.e_net
        self.G.eval()
        e_net.train_mode()
        total = torch.zeros(2, device=self.data.device)
        drawn_by = phi if settings.prior == "estimated" else None

        @self.runtime.compile_update
        def update() -> None:
            c = self._components(settings.e_batch_size, drawn_by)
            with self.runtime.arithmetic(), torch.no_grad():
                x_fake = e_net.projection(self._noisy(self._generate(c), self.e_noise))
            cross_entropy, loss = e_net.classify(x_fake, c)
            information, divergence = e_net.information_loss()
            e_net.descend(loss + information + e_net.labelled_loss())
            total.add_(torch.stack([cross_entropy, divergence]))

        for _ in range(settings.e_steps):
            update()
        cross_entropy, divergence = (total / max(1, settings.e_steps)).tolist()
        row = {"cross_entropy": cross_entropy}
        return {**row, "divergence": divergence} if e_net.regulariser.active else row

    def _components(self, n: int, phi: Tensor | None) -> Tensor:
        """The components of ``n`` images to generate: by phi, or uniformly (None)."""
        K, device = self.settings.n_clusters, self.data.device
        if phi is not None:
            return torch.multinomial(phi, n, replacement=True, generator=self.stream)
        if self.settings.component_sampling == "random":
            return torch.randint(K, (n,), generator=self.stream, device=device)
        first = torch.randint(K, (1,), generator=self.stream, device=device)
        return (torch.arange(n, device=device) + first) % K

    def _generate(self, c: Tensor) -> Tensor:
        return self.G(generator_input(self.settings, c, self.stream))

    def _discriminate(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits of both batches, in one pass unless batch norm would mix the two."""
        if self.settings.d_batch_norm:
            return self.D(x_real).float(), self.D(x_fake).float()
        real, fake = self.D(torch.cat([x_real, x_fake])).float().chunk(2)
        return real, fake

    def _noisy(self, x: Tensor, std: float) -> Tensor:
        if std == 0:
            return x
        return x + std * torch.randn(x.shape, generator=self.stream, device=x.device)

    def _new_optimizers(self) -> None:
        make = adam if self.settings.optimizer == "adam" else rmsprop
        self.d_optimizer = make(self.D.parameters(), self.settings.d_lr)
        self.g_optimizer = make(self.G.parameters(), self.settings.g_lr)
