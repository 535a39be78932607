"""GAN-EM's E under training: what its updates move, the mean that assigns, what it copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.methods.base import DivergenceError
from deep_em_bench.methods.nets.consistency import Regulariser
from deep_em_bench.methods.nets.optimise import adam, descend, rmsprop
from deep_em_bench.methods.nets.projection import without_projection
from deep_em_bench.methods.nets.starts import keep_most_informative

if TYPE_CHECKING:
    from deep_em_bench.methods.gan_em.estimator import GanEm

__all__ = ["ENet"]

NARROW_RATE = 10
"""Factor on E's learning rate in the layer of section 5.4 and its output where E copies a net
without that layer and has fewer units than clusters: to tell these apart wants large weights."""
SUPERVISION_CHECKS = 10
"""Updates on labelled data between two looks at their error rate."""


class ENet:
    """E and the data that it is given, with all that it learns from.

    Three nets may have a part in it, which without ``e_average`` and ``n_components`` are one:
    ``inner``, E behind its projection, assigns; ``trained``, whose running mean it is, is moved by
    the updates; ``learner`` finds the clusters, without the layer of section 5.4, and ``trained``,
    which has it, copies them.

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
        self.em, self.stream, self.labelled = em, stream, labelled
        self.project, self.inner, self.given = em._given(em.E_, data)
        noisy = bool(em.d_noise or em.e_noise)
        self.regulariser = Regulariser(em, data, self.given, stream, with_unit=noisy)
        self.trained = self.inner
        if em.e_average > 0:
            self.trained = em._compile(without_projection(em._net("E")))
        self.learner, self.copying = self.trained, False
        if em.n_components is not None and self.regulariser.active:
            # Few units do not bear clusters that are not yet found.
            self.learner = without_projection(em._net("E", reduced=False))
        self.updates = torch.zeros((), device=data.device)
        """Those that the mean has seen."""
        self.make_optimizer()

    def make_optimizer(self) -> None:
        """An optimiser without moments."""
        em = self.em
        make = adam if em.optimizer == "adam" else rmsprop
        if self.learner is self.trained:
            self.optimizer = make(self.trained.parameters(), em.e_lr)
            return
        *wide, narrow, last = self.trained.children()
        self.optimizer = make(nn.ModuleList([*wide, self.learner]).parameters(), em.e_lr)
        own = list(nn.ModuleList([narrow, last]).parameters())
        few = em.n_components is not None and em.n_components < em.n_clusters
        rate = NARROW_RATE * em.e_lr if few else em.e_lr
        self.optimizer.add_param_group({"params": own, "lr": rate})

    def learning(self) -> None:
        """Put what learns into training mode."""
        for net in (self.trained, self.learner):
            net.train(self.em.e_batch_norm == "train")

    def learn(self, loss: Tensor) -> None:
        """One update, and with it of the mean."""
        descend(self.optimizer, loss)
        if self.trained is self.inner:
            return
        # Of the first n updates the mean forgets faster: its first weights are soon gone.
        self.updates += 1
        kept = ((1 + self.updates) / (10 + self.updates)).clamp_max(self.em.e_average)
        with torch.no_grad():
            pairs = zip(self.inner.parameters(), self.trained.parameters(), strict=True)
            for mean, weights in pairs:
                mean.lerp_(weights, 1 - kept)

    def responsibilities(self) -> Tensor:
        """Eq. (4) for all data, ``(N, K)``; a mean of E has its batch norm from these data."""
        if self.trained is not self.inner and self.em.e_batch_norm == "train":
            self.em._settle(self.inner, self.given)
        return self.em._apply(self.inner, self.given).softmax(dim=1)

    def classify(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy on points behind the projection; as a loss, with what E copies there."""
        with self.em._arithmetic():
            cross_entropy = F.cross_entropy(self.learner(x).float(), c)
            return cross_entropy.detach(), cross_entropy + self._copying(x)

    def information(self) -> tuple[Tensor, Tensor]:
        """What E learns from a batch of real data: loss and divergence, 0 where it does not."""
        if not self.regulariser.active:
            zero = torch.zeros((), device=self.given.device)
            return zero, zero
        rows = self._rows()
        with self.em._arithmetic():
            loss, divergence = self.regulariser.loss(self.learner, rows)
            return loss + self._copying(self.given[rows]), divergence

    def supervision(self) -> Tensor | float:
        """What labels add to the loss of any update of E; 0 where there are none."""
        if self.labelled is None or self.em.labelled_weight == 0:
            return 0.0
        return self.em.labelled_weight * self._labelled_loss()

    def supervise(self) -> float:
        """Train E on labelled rows until their error rate is low enough (5.3); that rate.

        Only where there are labels.
        """
        em, (rows, y) = self.em, self._known()
        error = 1.0

        @em._compiled
        def update() -> None:
            self.learn(self._labelled_loss())

        for step in range(em.labelled_steps + 1):
            if step % SUPERVISION_CHECKS == 0 or step == em.labelled_steps:
                predicted = em._apply(self.trained, self.given[rows]).argmax(dim=1)
                error = float((predicted != y).float().mean())
                if error < em.labelled_error or step == em.labelled_steps:
                    break
                self.learning()
            update()
        return error

    def pretrain(self) -> bool:
        """Train E on real data, and on labels; whether there was anything of it to do.

        Raises :class:`DivergenceError`.
        """
        em = self.em
        if not self.regulariser.active:
            return False
        a_pass = max(1, len(self.given) // em.e_batch_size)
        steps = max(em.pretrain_epochs * a_pass, em.pretrain_steps)
        n_init = em.n_init if self.labelled is None else 1
        trial = min(em.init_steps, steps) if n_init > 1 else steps

        def find(start: int) -> Tensor:
            if start > 0:
                self._begin_anew(start)
            self._find_clusters(trial)
            return em._apply(self.learner, self.given).softmax(dim=1)

        def copy(start: int) -> Tensor:
            self._take_layers(start)
            self._copy(trial)
            return self.responsibilities()

        if steps > 0:
            keep_most_informative(n_init, find, self._parts)
            self._find_clusters(steps - trial)
        if self.learner is not self.trained:
            self.copying = True
            keep_most_informative(n_init, copy, self._parts)
            self._copy(steps - trial)
        parameters = nn.ModuleList([self.inner, self.learner]).parameters()
        if not all(p.isfinite().all() for p in parameters):
            raise DivergenceError("E's weights are not finite after its pretraining; lower e_lr")
        return steps > 0

    def _parts(self) -> list[nn.Module | torch.optim.Optimizer]:
        """What holds a start once it is trained, each once."""
        return list(dict.fromkeys((self.inner, self.trained, self.learner, self.optimizer)))

    def _begin_anew(self, start: int) -> None:
        """Give what finds the clusters the first weights of another start."""
        net = self.em._net("E", reduced=self.learner is self.trained, start=start)
        self.learner.load_state_dict(without_projection(net).state_dict())
        self._restart()

    def _find_clusters(self, steps: int) -> None:
        """So many updates on real data, and on labels."""
        self.learning()

        @self.em._compiled
        def update() -> None:
            self.learn(self.information()[0] + self.supervision())

        for _ in range(steps):
            update()

    def _take_layers(self, start: int) -> None:
        """Give E the layers of the net that it copies, and first weights of its own behind."""
        net = without_projection(self.em._net("E", start=start))
        copied = list(self.learner.children())[:-1]
        for own, other in zip(net.children(), copied, strict=False):
            own.load_state_dict(other.state_dict())
        self.trained.load_state_dict(net.state_dict())
        self._restart()

    def _copy(self, steps: int) -> None:
        """So many updates on what the other net says of real data."""
        self.learning()

        @self.em._compiled
        def update() -> None:
            with self.em._arithmetic():
                loss = self._copying(self.given[self._rows()])
            self.learn(loss)

        for _ in range(steps):
            update()

    def _restart(self) -> None:
        """The mean, and the moments, from here on."""
        if self.trained is not self.inner:
            self.inner.load_state_dict(self.trained.state_dict())
            self.updates.zero_()
        self.make_optimizer()

    def _copying(self, x: Tensor) -> Tensor:
        """Cross-entropy to what the other net says; 0 where there is none, and before E copies."""
        if not self.copying:
            return torch.zeros((), device=x.device)
        with torch.no_grad():
            p = self.learner(x).float().softmax(dim=1)
        return F.cross_entropy(self.trained(x).float(), p)

    def _labelled_loss(self) -> Tensor:
        """Cross-entropy on a batch of labelled rows."""
        rows, y = self._known()
        size = max(2, min(self.em.e_batch_size, len(rows)))  # batch norm wants two
        part = torch.randint(len(rows), (size,), generator=self.stream, device=y.device)
        return self.classify(self.given[rows[part]], y[part])[1]

    def _known(self) -> tuple[Tensor, Tensor]:
        assert self.labelled is not None
        return self.labelled

    def _rows(self) -> Tensor:
        """A batch of real data."""
        n, device = len(self.given), self.given.device
        return torch.randint(n, (self.em.e_batch_size,), generator=self.stream, device=device)
