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

NARROW_RATE = 10
"""Factor on E's learning rate in the layers that are its own where it copies a net without the
layer of section 5.4: clusters that few units tell apart want large weights."""
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
        self.trained = self._trained()
        self.updates = torch.zeros((), device=data.device)  # of E, that its mean has seen
        noisy = bool(em.d_noise or em.e_noise)
        self.regulariser = Regulariser(em, data, self.given, stream, with_unit=noisy)
        self.d_noise = em.d_noise * self.regulariser.unit
        self.e_noise = em.e_noise * self.regulariser.unit
        self.learner, self.copying = self._learner(), False
        self._make_optimizers()

    def begin(self, iteration: int) -> None:
        """Learning rates, and where asked fresh optimisers, for EM iteration 0, 1, ..."""
        if self.em.reset_optimizers:
            self._make_optimizers()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * self.em.lr_decay**iteration

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
            self._learn(learning + information + self._supervision())
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
        if self.learner is not self.trained:
            self._begin_copying(n_init, trial, steps)
        nets = (self.inner, self.learner)
        if not all(p.isfinite().all() for net in nets for p in net.parameters()):
            raise DivergenceError("E's weights are not finite after its pretraining; lower e_lr")
        return steps > 0

    def _pretrain(self, steps: int) -> None:
        """So many updates of E before the first M-step."""
        self._learning()

        @self.em._compiled
        def update() -> None:
            self._learn(self._information()[0] + self._supervision())

        for _ in range(steps):
            update()

    def _begin_copying(self, n_init: int, trial: int, steps: int) -> None:
        """Have E copy the unreduced net: from several starts, of which the best goes on."""
        self.copying = True

        def train(start: int) -> Tensor:
            self._take_layers(start)
            self._copy(trial)
            return self.responsibilities()

        keep_most_informative(n_init, train, lambda: (self.inner, self.trained, self.e_optimizer))
        self._copy(steps - trial)

    def _take_layers(self, start: int) -> None:
        """Give E the layers of the unreduced net, and first weights behind them."""
        net = without_projection(self.em._net("E", start=start))
        self.trained.load_state_dict(net.state_dict())
        layers = zip(list(self.trained.children())[:-2], self.learner.children(), strict=False)
        for own, copied in layers:
            own.load_state_dict(copied.state_dict())
        self._restart_mean()
        self._make_optimizers()

    def _copy(self, steps: int) -> None:
        """So many updates of E in which it copies the unreduced net on real data."""
        self._learning()

        @self.em._compiled
        def update() -> None:
            with self.em._arithmetic():
                loss = self._copying(self.given[self._rows()])
            assert isinstance(loss, Tensor)
            self._learn(loss)

        for _ in range(steps):
            update()

    def _begin_anew(self, start: int) -> None:
        """Give what learns the first weights of another start."""
        net = self.em._net("E", reduced=self.learner is self.trained, start=start)
        self.learner.load_state_dict(without_projection(net).state_dict())
        self._restart_mean()
        self._make_optimizers()

    def _learn(self, loss: Tensor) -> None:
        """One update of E, and of the mean of its weights."""
        descend(self.e_optimizer, loss)
        if self.trained is self.inner:
            return
        # Of the first n updates the mean forgets faster: its first weights are soon gone.
        self.updates += 1
        kept = ((1 + self.updates) / (10 + self.updates)).clamp_max(self.em.e_average)
        with torch.no_grad():
            pairs = zip(self.inner.parameters(), self.trained.parameters(), strict=True)
            for mean, weights in pairs:
                mean.lerp_(weights, 1 - kept)

    def _restart_mean(self) -> None:
        """The mean of E's weights from here on."""
        if self.trained is not self.inner:
            self.inner.load_state_dict(self.trained.state_dict())
            self.updates.zero_()

    def responsibilities(self) -> Tensor:
        """Eq. (4) for all data, ``(N, K)``; a mean of E has its batch norm from these data."""
        if self.trained is not self.inner and self.em.e_batch_norm == "train":
            self.em._settle(self.inner, self.given)
        return self.em._apply(self.inner, self.given).softmax(dim=1)

    def supervise(self) -> float:
        """Train E on labelled rows until their error rate is low enough (5.3); that rate.

        Only where there are labels.
        """
        em, (rows, y) = self.em, self._known()
        error = 1.0

        @em._compiled
        def update() -> None:
            self._learn(self._labelled_loss())

        for step in range(em.labelled_steps + 1):
            if step % SUPERVISION_CHECKS == 0 or step == em.labelled_steps:
                predicted = em._apply(self.trained, self.given[rows]).argmax(dim=1)
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
        rows = self._rows()
        with self.em._arithmetic():
            loss, divergence = self.regulariser.loss(self.learner, rows)
            return loss + self._copying(self.given[rows]), divergence

    def _copying(self, x: Tensor) -> Tensor | float:
        """What E learns from the unreduced net; 0 where there is none, and before it copies."""
        if not self.copying:
            return 0.0
        with torch.no_grad():
            p = self.learner(x).float().softmax(dim=1)
        return F.cross_entropy(self.trained(x).float(), p)

    def _rows(self) -> Tensor:
        """A batch of real data for E."""
        n, device = len(self.data), self.data.device
        return torch.randint(n, (self.em.e_batch_size,), generator=self.stream, device=device)

    def _trained(self) -> nn.Module:
        """What updates of E move: E behind its projection, or a net whose running mean it is."""
        if self.em.e_average == 0:
            return self.inner
        return self.em._compile(without_projection(self.em._net("E")))

    def _learner(self) -> nn.Module:
        """What updates of E move, or a net without the layer of section 5.4 for it to copy.

        The latter where it learns from real data: few units do not bear clusters not yet found.
        """
        if self.em.n_components is None or not self.regulariser.active:
            return self.trained
        return without_projection(self.em._net("E", reduced=False))

    def _learning(self) -> None:
        """Put E, and what it copies, into training mode."""
        for net in (self.trained, self.learner):
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
        nets = [self.trained] if self.learner is self.trained else [self.trained, self.learner]
        narrow = [] if len(nets) == 1 else list(nn.Sequential(*self.trained[-2:]).parameters())
        ids = set(map(id, narrow))
        wide = [p for net in nets for p in net.parameters() if id(p) not in ids]
        self.e_optimizer = make(wide, em.e_lr)
        if narrow:
            self.e_optimizer.add_param_group({"params": narrow, "lr": NARROW_RATE * em.e_lr})
        self.optimizers = (self.d_optimizer, self.g_optimizer, self.e_optimizer)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
