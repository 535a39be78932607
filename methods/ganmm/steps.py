"""The two steps of GANMM: K WGANs on their clusters, and the classifier on what they generate."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.methods.ganmm.clusters import ClusterBatches
from deep_em_bench.methods.ganmm.networks import generate, length_of_noise, make_classifier
from deep_em_bench.methods.ganmm.parameters import (
    GanMixtureParameters,
    GanmmParameters,
    Optimizer,
)
from deep_em_bench.methods.nets.consistency import Regulariser
from deep_em_bench.methods.nets.ensemble import Ensemble
from deep_em_bench.methods.nets.optimise import adam, descend, rmsprop
from deep_em_bench.methods.nets.projection import split_projection, without_projection
from deep_em_bench.methods.nets.runtime import Runtime

__all__ = ["Classifier", "Gans", "critic_loss", "gradient_penalty"]


def critic_loss(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The WGAN's critic loss (section 3), summed over GANs, and its negative for each, ``(K,)``.

    The latter is the critic's estimate of the Wasserstein distance. ``real`` and ``fake`` are
    critic values ``(K, B, 1)``.
    """
    distance = real.mean(dim=(1, 2)) - fake.mean(dim=(1, 2))
    return -distance.sum(), distance.detach()


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, alpha: Tensor) -> Tensor:
    r""":math:`E (\| \nabla_{\hat x} f \| - 1)^2` (Gulrajani et al., 2017), summed over GANs.

    ``real`` and ``fake`` are ``(K, B, ...)``. Each :math:`\hat x` lies between the two, at
    ``alpha``, ``(K, B)``.
    """
    alpha = alpha.reshape(alpha.shape + (1,) * (real.dim() - 2))
    between = torch.lerp(real, fake, alpha).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The norm's own gradient at 0 is undefined; the tiny term makes it 0.
    norm = (gradient.float().square().flatten(2).sum(dim=2) + 1e-12).sqrt()
    return (norm - 1).square().mean(dim=1).sum()


class Gans:
    """K WGANs under training: one update moves all of them, group by group.

    Arguments:
        settings: the hyper-parameters.
        G: the generators.
        D: the critics.
        data: all of X in the range of the nets, ``(N, *shape)``.
        runtime: where and how the nets are trained.
    """

    def __init__(
        self,
        settings: GanMixtureParameters,
        G: Ensemble,
        D: Ensemble,
        data: Tensor,
        runtime: Runtime,
    ) -> None:
        self.settings, self.G, self.D, self.data, self.runtime = settings, G, D, data, runtime
        penalty = _penalty_weight(settings, data)
        pairs = zip(G.groups(), D.groups(), strict=True)
        self.groups = [_Group(settings, g, d, penalty) for g, d in pairs]

    def train(self, batches: ClusterBatches, steps: int, *, clip: bool = True) -> Tensor:
        """``steps`` updates of each G, each followed by those of its D; critic distances ``(K,)``.

        The distances are means over all updates of the critics, 0 without any.
        """
        settings, stream = self.settings, self.runtime.generator
        self.G.train()
        self.D.train()
        total = torch.zeros(settings.n_clusters, device=self.data.device)

        @self.runtime.compile_update
        def update() -> None:
            z = self._noise(settings.batch_size)
            for group, own in self._parts():
                with self.runtime.arithmetic():
                    group.generator_step(z[own])
            for rows in batches.draw(settings.critic_steps, settings.batch_size):  # (K, B)
                z, x = self._noise(settings.batch_size), self.data[rows]
                alpha = torch.rand(rows.shape, generator=stream, device=x.device)
                for group, own in self._parts():
                    with self.runtime.arithmetic():
                        total[own] += group.critic_step(x[own], z[own], alpha[own])
                    if clip and settings.wgan == "clip":
                        group.clip(settings.clip)

        for _ in range(steps):
            update()
        return total / max(1, steps * settings.critic_steps)

    def draw(self, size: int) -> Tensor:
        """``size`` generated rows of each component, ``(K, size, *shape)``, without a graph."""
        return generate(self.G, self._noise(size), self.runtime)

    def _noise(self, size: int) -> Tensor:
        z_size = length_of_noise(self.settings, self.data.shape[1:])
        shape = (self.settings.n_clusters, size, z_size)
        return torch.randn(shape, generator=self.runtime.generator, device=self.data.device)

    def _parts(self) -> Iterator[tuple[_Group, slice]]:
        """The groups, each with its components."""
        size = self.settings.n_clusters // len(self.groups)
        for i, group in enumerate(self.groups):
            yield group, slice(i * size, (i + 1) * size)


class _Group:
    """GANs that are updated together, on the sum of their losses."""

    def __init__(
        self, settings: GanMixtureParameters, G: nn.Module, D: nn.Module, penalty: float
    ) -> None:
        self.G, self.D, self.penalty = G, D, penalty
        self.batch_norm = settings.critic_norm == "batch"
        self.g_parameters, self.d_parameters = list(G.parameters()), list(D.parameters())
        self.g_optimizer = _optimizer(settings.optimizer, self.g_parameters, settings.g_lr)
        self.d_optimizer = _optimizer(settings.optimizer, self.d_parameters, settings.d_lr)

    def generator_step(self, z: Tensor) -> None:
        loss = -self.D(self.G(z)).float().mean(dim=(1, 2)).sum()
        descend(self.g_optimizer, loss, self.g_parameters)

    def critic_step(self, real: Tensor, z: Tensor, alpha: Tensor) -> Tensor:
        """One update; the critic distances before it."""
        with torch.no_grad():
            fake = self.G(z).float()
        if self.batch_norm:  # it would mix real and generated rows
            on_real, on_fake = self.D(real).float(), self.D(fake).float()
        else:
            on_real, on_fake = self.D(torch.cat([real, fake], dim=1)).float().chunk(2, dim=1)
        loss, distance = critic_loss(on_real, on_fake)
        if self.penalty > 0:
            loss = loss + self.penalty * gradient_penalty(self.D, real, fake, alpha)
        descend(self.d_optimizer, loss, self.d_parameters)
        return distance

    def clip(self, bound: float) -> None:
        with torch.no_grad():
            for p in self.d_parameters:
                p.clamp_(-bound, bound)


class Classifier:
    """The classifier h of the epsilon-E-step under training.

    Arguments:
        settings: the hyper-parameters.
        E: the net, which may begin with a projection.
        gans: the GANs whose data it learns from.
        data: all of X in the range of the nets, ``(N, *shape)``.
        runtime: where and how the nets are trained.
    """

    inputs: Tensor
    """What the layers after the projection see of all data, ``(N, ...)``."""

    def __init__(
        self,
        settings: GanmmParameters,
        E: nn.Module,
        gans: Gans,
        data: Tensor,
        runtime: Runtime,
    ) -> None:
        self.settings, self.E, self.gans, self.data, self.runtime = (
            settings,
            E,
            gans,
            data,
            runtime,
        )
        _, self.inner, self.inputs = split_projection(E, data, runtime)
        self.parameters = list(E.parameters())
        self.optimizer = self._new_optimizer()
        noisy = settings.e_noise > 0
        self.regulariser = Regulariser(
            settings, data, self.inputs, runtime.generator, with_unit=noisy
        )
        self.noise = settings.e_noise * self.regulariser.unit

    def train(self, batches: ClusterBatches, phi: Tensor, steps: int) -> dict[str, float]:
        """Lines 6-8 of Algorithm 1 ``steps`` times; the mean cross-entropy.

        Arguments:
            batches: the rows that the GANs are trained on, for ``classifier_data="clusters"``.
            phi: weight of each component, ``(K,)``; all generate equal counts.
            steps: number of updates; of ``single`` batches rounds of K updates.
        """
        settings, K = self.settings, self.settings.n_clusters
        self.E.train()
        total = torch.zeros(2, device=self.data.device)
        c = torch.arange(K, device=self.data.device)
        c = c.unsqueeze(1).expand(K, settings.e_batch_size)
        weight = phi * K

        @self.runtime.compile_update
        def update() -> None:
            x = self._rows_of_each_component(batches)
            if settings.classifier_batches == "mixed":
                total.add_(self._update(x.flatten(0, 1), c.flatten(), weight))
            else:
                for i in range(K):
                    total.add_(self._update(x[i], c[i], weight) / K)

        for _ in range(steps):
            update()
        cross_entropy, divergence = (total / max(1, steps)).tolist()
        row = {"cross_entropy": cross_entropy}
        return {**row, "divergence": divergence} if self.regulariser.active else row

    def learn_from_data(self, steps: int) -> None:
        """Updates on real data alone."""
        self.E.train()

        @self.runtime.compile_update
        def update() -> None:
            descend(self.optimizer, self._information()[0], self.parameters)

        for _ in range(steps):
            update()

    def posteriors(self) -> Tensor:
        """Posteriors of all data, ``(N, K)``; batch norm takes its statistics from these data."""
        if self.settings.e_batch_norm:
            self.runtime.settle_batch_norm(self.E, self.data)
        return self.runtime.apply(self.E, self.data).softmax(dim=1)

    def restart(self, start: int) -> None:
        """Give h the first weights of another start."""
        net = make_classifier(self.settings, self.data.shape[1:], self.runtime, start)
        self.inner.load_state_dict(without_projection(net).state_dict())
        self.optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.Optimizer:
        settings = self.settings
        return _optimizer(settings.e_optimizer, self.parameters, settings.e_lr, settings.e_beta2)

    def _rows_of_each_component(self, batches: ClusterBatches) -> Tensor:
        """Equal counts of generated data, or of the clusters' rows, ``(K, B, ...)``."""
        size = self.settings.e_batch_size
        if self.settings.classifier_data == "clusters":
            x = self.data[batches.draw(1, size)[0]]
        else:
            x = self.gans.draw(size)
        if self.noise > 0:
            stream = self.runtime.generator
            x = x + self.noise * torch.randn(x.shape, generator=stream, device=x.device)
        return x

    def _update(self, x: Tensor, c: Tensor, weight: Tensor) -> Tensor:
        """One update on rows of the components ``c``; cross-entropy and divergence, ``(2,)``."""
        settings = self.settings
        with self.runtime.arithmetic():
            logits = self.E(x).float()
        if settings.double_softmax:
            logits = logits.softmax(dim=1)
        losses = F.cross_entropy(
            logits, c, reduction="none", label_smoothing=settings.label_smoothing
        )
        cross_entropy = (losses * weight[c]).mean()
        loss, divergence = cross_entropy, torch.zeros_like(cross_entropy)
        if self.regulariser.active:
            information, divergence = self._information()
            loss = loss + information
        descend(self.optimizer, loss, self.parameters)
        return torch.stack([cross_entropy.detach(), divergence])

    def _information(self) -> tuple[Tensor, Tensor]:
        """The loss on a batch of real data, and its divergence."""
        n, size = len(self.data), self.settings.real_batch_size
        stream = self.runtime.generator
        rows = torch.randint(n, (size,), generator=stream, device=self.data.device)
        with self.runtime.arithmetic():
            return self.regulariser.loss(self.inner, rows)


def _penalty_weight(settings: GanMixtureParameters, data: Tensor) -> float:
    """Weight of the gradient penalty; 0 for none.

    A Wasserstein distance has the unit of the data, the penalty has none. For data whose spread is
    far below the weight, the penalty outweighs the distance and the critic learns little.
    """
    if settings.wgan == "clip":
        return 0.0
    if settings.penalty_unit == "fixed":
        return settings.gradient_penalty
    spread = data.flatten(1).var(dim=0, unbiased=False).sum().sqrt()
    return settings.gradient_penalty * float(spread)


def _optimizer(
    kind: Optimizer, parameters: list[nn.Parameter], lr: float, beta2: float = 0.9
) -> torch.optim.Adam | torch.optim.RMSprop:
    if kind == "adam":
        return adam(parameters, lr, betas=(0.5, beta2))
    # TensorFlow's RMSProp, which the papers' code ran, has decay .9.
    return rmsprop(parameters, lr, decay=0.9, foreach=True)
