"""Training of GAN-EM's E-net: on generated images, real data and labels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.methods.base import DivergenceError
from deep_em_bench.methods.gan_em.nets import NetBuilder
from deep_em_bench.methods.gan_em.parameters import GanEmParameters
from deep_em_bench.methods.nets.consistency import Regulariser
from deep_em_bench.methods.nets.optimise import adam, descend, rmsprop
from deep_em_bench.methods.nets.projection import split_projection, without_projection
from deep_em_bench.methods.nets.runtime import Runtime
from deep_em_bench.methods.nets.starts import keep_most_informative

__all__ = ["ENet"]

NARROW_RATE = 10
"""Factor on the learning rate of the layer of section 5.4 and of the output behind it, where E
copies the teacher through fewer units than clusters: to tell these apart takes large weights."""
SUPERVISION_CHECKS = 10
"""Updates on labelled rows between two measurements of their error rate."""


class ENet:
    """E under training, and the data as E sees them.

    There are up to three nets. ``trained`` is what the updates move. ``average``, the E behind
    its projection, assigns the data; it is the running mean of ``trained``, or without
    ``e_average`` the same net. ``teacher`` finds the clusters. It is ``trained`` itself, except
    where E has the narrow layer of section 5.4 and learns from real data: too few units keep
    clusters from forming, so that a net without this layer finds them, and ``trained`` copies it.

    Arguments:
        settings: hyper-parameters.
        runtime: where the nets are trained.
        builder: for nets with other first weights.
        E: the E-net, which this trains.
        data: all of X in the nets' range, ``(N, *shape)``.
        labelled: rows with a known class, and their classes; None: there are none.
    """

    def __init__(
        self,
        settings: GanEmParameters,
        runtime: Runtime,
        builder: NetBuilder,
        E: nn.Module,
        data: Tensor,
        labelled: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.settings, self.runtime, self.builder = settings, runtime, builder
        self.stream, self.labelled = runtime.generator, labelled
        self.projection, self.average, self.inputs = split_projection(E, data, runtime)
        noisy = bool(settings.d_noise or settings.e_noise)
        self.regulariser = Regulariser(settings, data, self.inputs, self.stream, with_unit=noisy)
        self.trained = self.average
        if settings.e_average > 0:
            self.trained = runtime.compile_net(without_projection(builder.e_net()))
        self.teacher, self.copying = self.trained, False
        if settings.n_components is not None and self.regulariser.active:
            self.teacher = without_projection(builder.e_net(reduced=False))
        self.updates = torch.zeros((), device=data.device)
        """Updates that the running mean has seen."""
        self.new_optimizer()

    def new_optimizer(self) -> None:
        """Replace the optimiser by one without moments."""
        settings = self.settings
        make = adam if settings.optimizer == "adam" else rmsprop
        if self.teacher is self.trained:
            self.optimizer = make(self.trained.parameters(), settings.e_lr)
            return
        *wide, narrow, last = self.trained.children()
        self.optimizer = make(nn.ModuleList([*wide, self.teacher]).parameters(), settings.e_lr)
        few = settings.n_components is not None and settings.n_components < settings.n_clusters
        rate = NARROW_RATE * settings.e_lr if few else settings.e_lr
        own = list(nn.ModuleList([narrow, last]).parameters())
        self.optimizer.add_param_group({"params": own, "lr": rate})

    def train_mode(self) -> None:
        """Put the nets that learn into training mode; batch norm may be ``affine`` instead."""
        for net in (self.trained, self.teacher):
            net.train(self.settings.e_batch_norm == "train")

    def descend(self, loss: Tensor) -> None:
        """One update of ``trained`` (and of the teacher), and of the running mean."""
        descend(self.optimizer, loss)
        if self.trained is self.average:
            return
        # Early on the mean forgets faster, so that the first weights are soon gone.
        self.updates += 1
        kept = ((1 + self.updates) / (10 + self.updates)).clamp_max(self.settings.e_average)
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.trained.parameters(), strict=True)
            for mean, weights in pairs:
                mean.lerp_(weights, 1 - kept)

    def assign(self) -> tuple[Tensor, dict[str, Any]]:
        """Eq. (4): responsibilities of all data, ``(N, K)``, after supervision (section 5.3).

        Those of labelled rows are their labels. Also returns a row for the history.
        """
        if self.labelled is None:
            return self.responsibilities(), {}
        error = self.supervise()
        w = self.responsibilities()
        rows, y = self.labelled
        w[rows] = F.one_hot(y, w.shape[1]).to(w)
        return w, {"labelled_error": error}

    def responsibilities(self) -> Tensor:
        """E's responsibilities of all data, ``(N, K)``.

        A running mean of weights first gets its batch norm statistics from these data.
        """
        if self.trained is not self.average and self.settings.e_batch_norm == "train":
            self.runtime.settle_batch_norm(self.average, self.inputs)
        return self.runtime.apply(self.average, self.inputs).softmax(dim=1)

    def classify(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. (5): cross-entropy of projected points and their components.

        Returns its value, and the loss, to which the copying of the teacher adds.
        """
        with self.runtime.arithmetic():
            cross_entropy = F.cross_entropy(self.teacher(x).float(), c)
            return cross_entropy.detach(), cross_entropy + self._copying_loss(x)

    def information_loss(self) -> tuple[Tensor, Tensor]:
        """Loss on a batch of real data, and the divergence in it; both 0 if all weights are."""
        if not self.regulariser.active:
            zero = torch.zeros((), device=self.inputs.device)
            return zero, zero
        rows = self._rows()
        with self.runtime.arithmetic():
            loss, divergence = self.regulariser.loss(self.teacher, rows)
            return loss + self._copying_loss(self.inputs[rows]), divergence

    def labelled_loss(self) -> Tensor | float:
        """What labels add to the loss of every update of E; 0 without labels."""
        if self.labelled is None or self.settings.labelled_weight == 0:
            return 0.0
        return self.settings.labelled_weight * self._supervised_loss()

    def supervise(self) -> float:
        """Train E on labelled rows until their error rate is low enough (5.3); this rate.

        Only if there are labels.
        """
        settings, (rows, y) = self.settings, self._known()
        error = 1.0

        @self.runtime.compile_update
        def update() -> None:
            self.descend(self._supervised_loss())

        for step in range(settings.labelled_steps + 1):
            if step % SUPERVISION_CHECKS == 0 or step == settings.labelled_steps:
                predicted = self.runtime.apply(self.trained, self.inputs[rows]).argmax(dim=1)
                error = float((predicted != y).float().mean())
                if error < settings.labelled_error or step == settings.labelled_steps:
                    break
                self.train_mode()
            update()
        return error

    def pretrain(self) -> bool:
        """Train E on real data and on labels, before any image is generated.

        Returns whether there were any updates. Raises :class:`DivergenceError`.
        """
        settings = self.settings
        if not self.regulariser.active:
            return False
        a_pass = max(1, len(self.inputs) // settings.e_batch_size)
        steps = max(settings.pretrain_epochs * a_pass, settings.pretrain_steps)
        n_init = settings.n_init if self.labelled is None else 1
        trial = min(settings.init_steps, steps) if n_init > 1 else steps

        def find(start: int) -> Tensor:
            if start > 0:
                self._restart_teacher(start)
            self._find_clusters(trial)
            return self.runtime.apply(self.teacher, self.inputs).softmax(dim=1)

        def copy(start: int) -> Tensor:
            self._restart_copy(start)
            self._copy_teacher(trial)
            return self.responsibilities()

        if steps > 0:
            keep_most_informative(n_init, find, self._parts)
            self._find_clusters(steps - trial)
        if self.teacher is not self.trained:
            self.copying = True
            keep_most_informative(n_init, copy, self._parts)
            self._copy_teacher(steps - trial)
        parameters = nn.ModuleList([self.average, self.teacher]).parameters()
        if not all(p.isfinite().all() for p in parameters):
            raise DivergenceError("E's weights are not finite after its pretraining; lower e_lr")
        return steps > 0

    def _parts(self) -> list[nn.Module | torch.optim.Optimizer]:
        """The nets and the optimiser, each once: the state of a start."""
        return list(dict.fromkeys((self.average, self.trained, self.teacher, self.optimizer)))

    def _restart_teacher(self, start: int) -> None:
        """Give the net that finds the clusters the first weights of another start."""
        net = self.builder.e_net(reduced=self.teacher is self.trained, start=start)
        self.teacher.load_state_dict(without_projection(net).state_dict())
        self._restart()

    def _find_clusters(self, steps: int) -> None:
        """Updates on real data and on labels."""
        self.train_mode()

        @self.runtime.compile_update
        def update() -> None:
            self.descend(self.information_loss()[0] + self.labelled_loss())

        for _ in range(steps):
            update()

    def _restart_copy(self, start: int) -> None:
        """Give E the layers of its teacher, and first weights of a start behind them."""
        net = without_projection(self.builder.e_net(start=start))
        shared = list(self.teacher.children())[:-1]
        for own, taught in zip(net.children(), shared, strict=False):
            own.load_state_dict(taught.state_dict())
        self.trained.load_state_dict(net.state_dict())
        self._restart()

    def _copy_teacher(self, steps: int) -> None:
        """Updates of E towards its teacher's responsibilities of real data."""
        self.train_mode()

        @self.runtime.compile_update
        def update() -> None:
            with self.runtime.arithmetic():
                loss = self._copying_loss(self.inputs[self._rows()])
            self.descend(loss)

        for _ in range(steps):
            update()

    def _restart(self) -> None:
        """Begin the running mean and the optimiser's moments anew."""
        if self.trained is not self.average:
            self.average.load_state_dict(self.trained.state_dict())
            self.updates.zero_()
        self.new_optimizer()

    def _copying_loss(self, x: Tensor) -> Tensor:
        """Cross-entropy of E to its teacher's responsibilities; 0 while E does not copy."""
        if not self.copying:
            return torch.zeros((), device=x.device)
        with torch.no_grad():
            p = self.teacher(x).float().softmax(dim=1)
        return F.cross_entropy(self.trained(x).float(), p)

    def _supervised_loss(self) -> Tensor:
        """Cross-entropy on a batch of labelled rows."""
        rows, y = self._known()
        size = max(2, min(self.settings.e_batch_size, len(rows)))  # batch norm wants two
        part = torch.randint(len(rows), (size,), generator=self.stream, device=y.device)
        return self.classify(self.inputs[rows[part]], y[part])[1]

    def _known(self) -> tuple[Tensor, Tensor]:
        assert self.labelled is not None
        return self.labelled

    def _rows(self) -> Tensor:
        """A batch of real data."""
        n, size, device = len(self.inputs), self.settings.e_batch_size, self.inputs.device
        return torch.randint(n, (size,), generator=self.stream, device=device)
