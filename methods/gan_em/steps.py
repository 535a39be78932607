"""The two steps of GAN-EM on nets under training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from deep_em_bench.methods.gan_em.e_net import ENet
from deep_em_bench.methods.gan_em.losses import discriminator_loss, generator_loss
from deep_em_bench.methods.nets.optimise import adam, descend, rmsprop

if TYPE_CHECKING:
    from deep_em_bench.methods.gan_em.estimator import GanEm

__all__ = ["Training"]


class Training:
    """Data and nets on one device, with the optimisers that move the nets.

    Arguments:
        em: the estimator, for its hyper-parameters and batches.
        data: all of X in the nets' range, ``(N, *shape)``.
        stream: source of every draw, on the same device.
        e_net: E with what else it learns from.
    """

    def __init__(self, em: GanEm, data: Tensor, stream: torch.Generator, e_net: ENet) -> None:
        self.em, self.data, self.stream, self.e_net = em, data, stream, e_net
        self.G, self.D = em.G_, em.D_
        self.d_noise = em.d_noise * e_net.regulariser.unit
        self.e_noise = em.e_noise * e_net.regulariser.unit
        self._make_optimizers()

    def begin(self, iteration: int) -> None:
        """Learning rates, and where asked fresh optimisers, for EM iteration 0, 1, ..."""
        if self.em.reset_optimizers:
            self._make_optimizers()
            self.e_net.make_optimizer()
        for optimizer in (self.d_optimizer, self.g_optimizer, self.e_net.optimizer):
            for group in optimizer.param_groups:
                first = group.setdefault("initial_lr", group["lr"])
                group["lr"] = first * self.em.lr_decay**iteration

    def m_step(self, w: Tensor, phi: Tensor) -> dict[str, float]:
        """Train D on Eq. (2) and G on Eq. (1), one update each a batch, with w fixed."""
        em, data = self.em, self.data
        self.G.train()
        self.D.train()
        total = torch.zeros(2, device=data.device)
        # Unit i meets only fakes of component i under "own": then they are drawn by phi (Eq. 15).
        drawn_by = phi if em.fake_units == "own" else None

        @em._compiled
        def update(rows: Tensor) -> None:
            x_real, w_real = self._noisy(data[rows], self.d_noise), w[rows]
            c = self._components(len(rows), drawn_by)
            with em._arithmetic():
                x_fake = self._generate(c)
                seen = self._noisy(x_fake, self.d_noise)
                real, fake = self._discriminate(x_real, seen.detach())
            d_loss = discriminator_loss(real, fake, w_real, c, em.extra_unit, em.fake_units)
            descend(self.d_optimizer, d_loss)

            self.D.requires_grad_(False)
            with em._arithmetic():
                fake = self.D(seen).float()
            g_loss = generator_loss(fake, c, em.generator_loss, em.logit_clamp)
            descend(self.g_optimizer, g_loss)
            self.D.requires_grad_(True)
            if em.generator_clip is not None:
                with torch.no_grad():
                    for p in self.G.parameters():
                        p.clamp_(-em.generator_clip, em.generator_clip)
            total.add_(torch.stack([d_loss.detach(), g_loss.detach()]))

        steps = 0
        a_pass = max(1, len(data) // em.batch_size)
        passes = max(em.m_epochs, -(-em.m_steps // a_pass))
        for rows in em._batches(len(data), em.batch_size, passes):
            update(rows)
            steps += 1
        d_mean, g_mean = (total / max(1, steps)).tolist()
        return {"d_loss": d_mean, "g_loss": g_mean}

    def e_step(self, phi: Tensor) -> dict[str, float]:
        """Train E to name the component of generated images, Eq. (5), with G fixed."""
        em, e_net = self.em, self.e_net
        self.G.eval()
        e_net.learning()
        total = torch.zeros(2, device=self.data.device)
        drawn_by = phi if em.prior == "estimated" else None

        @em._compiled
        def update() -> None:
            c = self._components(em.e_batch_size, drawn_by)
            with em._arithmetic(), torch.no_grad():
                x_fake = e_net.project(self._noisy(self._generate(c), self.e_noise))
            cross_entropy, learning = e_net.classify(x_fake, c)
            information, divergence = e_net.information()
            e_net.learn(learning + information + e_net.supervision())
            total.add_(torch.stack([cross_entropy, divergence]))

        for _ in range(em.e_steps):
            update()
        cross_entropy, divergence = (total / max(1, em.e_steps)).tolist()
        row = {"cross_entropy": cross_entropy}
        return {**row, "divergence": divergence} if e_net.regulariser.active else row

    def _components(self, n: int, phi: Tensor | None) -> Tensor:
        """Component of each of ``n`` images to generate: by phi, or uniformly (None)."""
        K, device = self.em.n_clusters, self.data.device
        if phi is not None:
            return torch.multinomial(phi, n, replacement=True, generator=self.stream)
        if self.em.component_sampling == "random":
            return torch.randint(K, (n,), generator=self.stream, device=device)
        first = torch.randint(K, (1,), generator=self.stream, device=device)
        return (torch.arange(n, device=device) + first) % K

    def _generate(self, c: Tensor) -> Tensor:
        return self.G(self.em._latent(c, self.stream))

    def _discriminate(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits of both batches, in one pass unless batch norm would mix the two."""
        if self.em.d_batch_norm:
            return self.D(x_real).float(), self.D(x_fake).float()
        real, fake = self.D(torch.cat([x_real, x_fake])).float().chunk(2)
        return real, fake

    def _noisy(self, x: Tensor, std: float) -> Tensor:
        if std == 0:
            return x
        return x + std * torch.randn(x.shape, generator=self.stream, device=x.device)

    def _make_optimizers(self) -> None:
        make = adam if self.em.optimizer == "adam" else rmsprop
        self.d_optimizer = make(self.D.parameters(), self.em.d_lr)
        self.g_optimizer = make(self.G.parameters(), self.em.g_lr)
