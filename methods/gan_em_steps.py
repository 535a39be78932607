"""The two steps of GAN-EM on nets under training, with pretraining and supervision of E."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import DivergenceError
from methods.consistency import Regulariser
from methods.gan_em_losses import discriminator_loss, generator_loss
from methods.optimise import adam, descend, rmsprop
from methods.projection import without_projection
from methods.starts import keep_most_informative

if TYPE_CHECKING:
    from methods.gan_em import GanEm

__all__ = ["Training"]

SUPERVISION_CHECKS = 10
"""Updates on labelled data between two looks at their error rate."""


class Training:
    """Data and nets on one device, with the optimisers that move the nets.

    Arguments:
        em: the estimator, for its hyper-parameters and batches.
        data: all of X in the nets' range, ``(N, *shape)``.
        stream: source of every draw, on the same device.
        labelled: rows with a known class, and the classes; None: there are none.
    """

    def __init__(
        self,
        em: GanEm,
        data: Tensor,
        stream: torch.Generator,
        labelled: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.em, self.data, self.stream, self.labelled = em, data, stream, labelled
        self.G, self.D, self.E = em.G_, em.D_, em.E_
        self.project, self.inner, self.given = em._given(self.E, data)
        noisy = bool(em.d_noise or em.e_noise)
        self.regulariser = Regulariser(em, data, self.given, stream, with_unit=noisy)
        self.d_noise = em.d_noise * self.regulariser.unit
        self.e_noise = em.e_noise * self.regulariser.unit
        self.learner = self._learner()
        self._make_optimizers()

    def begin(self, iteration: int) -> None:
        """Learning rates, and where asked fresh optimisers, for EM iteration 0, 1, ..."""
        if self.em.reset_optimizers:
            self._make_optimizers()
        for optimizer, rate in self._rates:
            for group in optimizer.param_groups:
                group["lr"] = rate * self.em.lr_decay**iteration

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
        em = self.em
        self.G.eval()
        self._learning()
        total = torch.zeros(2, device=self.data.device)
        drawn_by = phi if em.prior == "estimated" else None

        @em._compiled
        def update() -> None:
            c = self._components(em.e_batch_size, drawn_by)
            with em._arithmetic(), torch.no_grad():
                x_fake = self.project(self._noisy(self._generate(c), self.e_noise))
            cross_entropy, learning = self._classify(x_fake, c)
            information, divergence = self._information()
            descend(self.e_optimizer, learning + information + self._supervision())
            total.add_(torch.stack([cross_entropy, divergence]))

        for _ in range(em.e_steps):
            update()
        cross_entropy, divergence = (total / max(1, em.e_steps)).tolist()
        row = {"cross_entropy": cross_entropy}
        return {**row, "divergence": divergence} if self.regulariser.active else row

    def pretrain(self) -> bool:
        """Train E on real data, and on labels; whether there was anything of it to do.

        Raises :class:`methods.base.DivergenceError`.
        """
        em = self.em
        if not self.regulariser.active:
            return False
        a_pass = max(1, len(self.data) // em.e_batch_size)
        steps = max(em.pretrain_epochs * a_pass, em.pretrain_steps)
        n_init = em.n_init if self.labelled is None else 1
        trial = min(em.init_steps, steps) if n_init > 1 else steps

        def train(start: int) -> Tensor:
            if start > 0:
                self._begin_anew(start)
            self._pretrain(trial)
            return em._apply(self.learner, self.given).softmax(dim=1)

        if steps > 0:
            keep_most_informative(
                n_init, train, lambda: (self.inner, self.learner, self.e_optimizer)
            )
            self._pretrain(steps - trial)
        if not all(p.isfinite().all() for p in self.inner.parameters()):
            raise DivergenceError("E's weights are not finite after its pretraining; lower e_lr")
        return steps > 0

    def _pretrain(self, steps: int) -> None:
        """So many updates of E before the first M-step."""
        self._learning()

        @self.em._compiled
        def update() -> None:
            descend(self.e_optimizer, self._information()[0] + self._supervision())

        for _ in range(steps):
            update()

    def _begin_anew(self, start: int) -> None:
        """Give E, and what it copies, the first weights of another start."""
        self.inner.load_state_dict(without_projection(self.em._net("E", start=start)).state_dict())
        if self.learner is not self.inner:
            net = without_projection(self.em._net("E", reduced=False, start=start))
            self.learner.load_state_dict(net.state_dict())
        self._make_optimizers()

    def responsibilities(self) -> Tensor:
        """Eq. (4) for all data, ``(N, K)``."""
        return self.em._apply(self.inner, self.given).softmax(dim=1)

    def supervise(self) -> float:
        """Train E on labelled rows until their error rate is low enough (5.3); that rate.

        Only where there are labels.
        """
        em, (rows, y) = self.em, self._known()
        error = 1.0

        @em._compiled
        def update() -> None:
            descend(self.e_optimizer, self._labelled_loss())

        for step in range(em.labelled_steps + 1):
            if step % SUPERVISION_CHECKS == 0 or step == em.labelled_steps:
                predicted = em._apply(self.inner, self.given[rows]).argmax(dim=1)
                error = float((predicted != y).float().mean())
                if error < em.labelled_error or step == em.labelled_steps:
                    break
                self._learning()
            update()
        return error

    def _supervision(self) -> Tensor | float:
        """What labels add to the loss of any update of E; 0 where there are none."""
        if self.labelled is None or self.em.labelled_weight == 0:
            return 0.0
        return self.em.labelled_weight * self._labelled_loss()

    def _labelled_loss(self) -> Tensor:
        """E's cross-entropy on a batch of labelled rows."""
        rows, y = self._known()
        size = max(2, min(self.em.e_batch_size, len(rows)))  # batch norm wants two
        part = torch.randint(len(rows), (size,), generator=self.stream, device=y.device)
        return self._classify(self.given[rows[part]], y[part])[1]

    def _classify(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy on points behind E's projection; as a loss, with what E copies there."""
        with self.em._arithmetic():
            cross_entropy = F.cross_entropy(self.learner(x).float(), c)
            return cross_entropy.detach(), cross_entropy + self._copying(x)

    def _known(self) -> tuple[Tensor, Tensor]:
        assert self.labelled is not None
        return self.labelled

    def _information(self) -> tuple[Tensor, Tensor]:
        """What E learns from a batch of real data: loss and divergence, 0 where it does not."""
        if not self.regulariser.active:
            zero = torch.zeros((), device=self.data.device)
            return zero, zero
        n = len(self.data)
        rows = torch.randint(
            n, (self.em.e_batch_size,), generator=self.stream, device=self.data.device
        )
        with self.em._arithmetic():
            loss, divergence = self.regulariser.loss(self.learner, rows)
            return loss + self._copying(self.given[rows]), divergence

    def _copying(self, x: Tensor) -> Tensor | float:
        """What E learns from the unreduced net; 0 where it learns itself."""
        if self.learner is self.inner:
            return 0.0
        with torch.no_grad():
            p = self.learner(x).float().softmax(dim=1)
        return F.cross_entropy(self.inner(x).float(), p)

    def _learner(self) -> nn.Module:
        """E behind its projection, or one without the layer of section 5.4 for it to copy.

        The latter where it learns from real data: few units do not bear clusters not yet found.
        """
        if self.em.n_components is None or not self.regulariser.active:
            return self.inner
        return without_projection(self.em._net("E", reduced=False))

    def _learning(self) -> None:
        """Put E, and what it copies, into training mode."""
        for net in (self.E, self.learner):
            net.train(self.em.e_batch_norm == "train")

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
        em = self.em
        make = adam if em.optimizer == "adam" else rmsprop
        self.d_optimizer = make(self.D.parameters(), em.d_lr)
        self.g_optimizer = make(self.G.parameters(), em.g_lr)
        self.e_optimizer = make(nn.ModuleList([self.E, self.learner]).parameters(), em.e_lr)
        self._rates = (
            (self.d_optimizer, em.d_lr),
            (self.g_optimizer, em.g_lr),
            (self.e_optimizer, em.e_lr),
        )
