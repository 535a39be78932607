"""The two steps of GANMM: K WGANs on their clusters, and the classifier on what they generate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.methods.ganmm.clusters import ClusterBatches
from deep_em_bench.methods.nets.consistency import Regulariser
from deep_em_bench.methods.nets.optimise import adam, descend, rmsprop
from deep_em_bench.methods.nets.projection import without_projection

if TYPE_CHECKING:
    from deep_em_bench.methods.ganmm.estimator import Ganmm
    from deep_em_bench.methods.ganmm.mixture import GanMixture

__all__ = ["Classifier", "Gans", "PenaltyUnit", "critic_loss", "gradient_penalty"]

PenaltyUnit = Literal["fixed", "spread"]


def critic_loss(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The WGAN's critic loss (section 3), summed over GANs, and minus it for each, ``(K,)``.

    The latter is what the critic takes for the Wasserstein distance. ``real`` and ``fake`` are
    critic values ``(K, B, 1)``.
    """
    distance = real.mean(dim=(1, 2)) - fake.mean(dim=(1, 2))
    return -distance.sum(), distance.detach()


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, alpha: Tensor) -> Tensor:
    r""":math:`E (\| \nabla_{\hat x} f \| - 1)^2` (Gulrajani et al., 2017), summed over GANs.

    ``real`` and ``fake`` are ``(K, B, ...)``; ``alpha`` ``(K, B)`` says where between the two each
    :math:`\hat x` lies.
    """
    alpha = alpha.reshape(alpha.shape + (1,) * (real.dim() - 2))
    between = torch.lerp(real, fake, alpha).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The norm's own gradient at 0 is undefined; the tiny term makes it 0.
    norm = (gradient.float().square().flatten(2).sum(dim=2) + 1e-12).sqrt()
    return (norm - 1).square().mean(dim=1).sum()


class Gans:
    """K WGANs under training: one update moves all of them, in as many groups as there are.

    Arguments:
        method: the estimator, for its nets and hyper-parameters.
        data: all of X in the nets' range, ``(N, *shape)``.
        stream: source of every draw, on the same device.
    """

    def __init__(self, method: GanMixture, data: Tensor, stream: torch.Generator) -> None:
        self.method, self.data, self.stream = method, data, stream
        self.groups = [
            _Group(method, G, D, _penalty(method, data))
            for G, D in zip(method.G_.groups(), method.D_.groups(), strict=True)
        ]

    def train(self, batches: ClusterBatches, steps: int, *, clip: bool = True) -> Tensor:
        """``steps`` updates of each G, each followed by its critic's; critic distances ``(K,)``.

        They are means over all updates of the critics, 0 without any.
        """
        method, K = self.method, self.method.n_clusters
        method.G_.train()
        method.D_.train()
        total = torch.zeros(K, device=self.data.device)

        @method._compiled
        def update() -> None:
            z = self._latent()
            for group, of in self._parts():
                with method._arithmetic():
                    group.generator_step(z[of])
            rows = batches.draw(method.critic_steps, method.batch_size)
            for own in rows:  # (K, B)
                z, x = self._latent(), self.data[own]
                alpha = torch.rand(own.shape, generator=self.stream, device=x.device)
                for group, of in self._parts():
                    with method._arithmetic():
                        total[of] += group.critic_step(x[of], z[of], alpha[of])
                    if clip and method.wgan == "clip":
                        group.clip(method.clip)

        for _ in range(steps):
            update()
        return total / max(1, steps * method.critic_steps)

    def _latent(self) -> Tensor:
        method = self.method
        shape = (method.n_clusters, method.batch_size, method._noise_dim())
        return torch.randn(shape, generator=self.stream, device=self.data.device)

    def _parts(self) -> Iterator[tuple[_Group, slice]]:
        """Groups with the clusters that each stands for."""
        size = self.method.n_clusters // len(self.groups)
        for i, group in enumerate(self.groups):
            yield group, slice(i * size, (i + 1) * size)


class _Group:
    """GANs that are updated together; a sum over them is as good as each one's own loss."""

    def __init__(self, method: GanMixture, G: nn.Module, D: nn.Module, penalty: float) -> None:
        self.G, self.D, self.penalty = G, D, penalty
        self.apart = method.critic_norm == "batch"
        self.g_parameters, self.d_parameters = list(G.parameters()), list(D.parameters())
        self.g_optimizer = _optimizer(method.optimizer, self.g_parameters, method.g_lr)
        self.d_optimizer = _optimizer(method.optimizer, self.d_parameters, method.d_lr)

    def generator_step(self, z: Tensor) -> None:
        loss = -self.D(self.G(z)).float().mean(dim=(1, 2)).sum()
        descend(self.g_optimizer, loss, self.g_parameters)

    def critic_step(self, real: Tensor, z: Tensor, alpha: Tensor) -> Tensor:
        """One update; the critic distances before it."""
        with torch.no_grad():
            fake = self.G(z).float()
        if self.apart:  # batch norm would mix the two
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
        method: the estimator, for its nets and hyper-parameters.
        data: all of X in the nets' range, ``(N, *shape)``.
        stream: source of every draw, on the same device.
    """

    def __init__(self, method: Ganmm, data: Tensor, stream: torch.Generator) -> None:
        self.method, self.data, self.stream = method, data, stream
        _, self.inner, self.given = method._given(method.E_, data)
        self.parameters = list(method.E_.parameters())
        self.optimizer = self._fresh_optimizer()
        noisy = method.e_noise > 0
        self.regulariser = Regulariser(method, data, self.given, stream, with_unit=noisy)
        self.noise = method.e_noise * self.regulariser.unit

    def train(self, batches: ClusterBatches, phi: Tensor, steps: int) -> dict[str, float]:
        """Lines 6-8 of Algorithm 1 ``steps`` times; the mean cross-entropy.

        Arguments:
            batches: what the GANs have learnt from, seen only by ``classifier_data="clusters"``.
            phi: weight of each component, ``(K,)``: its share among equal counts from all.
            steps: updates; of ``single`` batches rounds of K updates.
        """
        method, K = self.method, self.method.n_clusters
        method.E_.train()
        total = torch.zeros(2, device=self.data.device)
        c = torch.arange(K, device=self.data.device)
        c = c.unsqueeze(1).expand(K, method.e_batch_size)
        weight = phi * K

        @method._compiled
        def update() -> None:
            x = self._of_each_cluster(batches)
            if method.classifier_batches == "mixed":
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
        self.method.E_.train()

        @self.method._compiled
        def update() -> None:
            descend(self.optimizer, self._information()[0], self.parameters)

        for _ in range(steps):
            update()

    def begin_anew(self, start: int) -> None:
        """Give h the first weights of another start."""
        net = without_projection(self.method._classifier(start))
        self.inner.load_state_dict(net.state_dict())
        self.optimizer = self._fresh_optimizer()

    def _fresh_optimizer(self) -> torch.optim.Optimizer:
        method = self.method
        return _optimizer(method.e_optimizer, self.parameters, method.e_lr, method.e_beta2)

    def _of_each_cluster(self, batches: ClusterBatches) -> Tensor:
        """Equal counts from all, ``(K, B, ...)``."""
        method, size = self.method, self.method.e_batch_size
        if method.classifier_data == "clusters":
            x = self.data[batches.draw(1, size)[0]]
        else:
            shape = (method.n_clusters, size, method._noise_dim())
            z = torch.randn(shape, generator=self.stream, device=self.data.device)
            x = method._generate(z)
        if self.noise > 0:
            x = x + self.noise * torch.randn(x.shape, generator=self.stream, device=x.device)
        return x

    def _update(self, x: Tensor, c: Tensor, weight: Tensor) -> Tensor:
        method = self.method
        with method._arithmetic():
            logits = method.E_(x).float()
        if method.double_softmax:
            logits = logits.softmax(dim=1)
        losses = F.cross_entropy(
            logits, c, reduction="none", label_smoothing=method.label_smoothing
        )
        cross_entropy = (losses * weight[c]).mean()
        loss, divergence = cross_entropy, torch.zeros_like(cross_entropy)
        if self.regulariser.active:
            information, divergence = self._information()
            loss = loss + information
        descend(self.optimizer, loss, self.parameters)
        return torch.stack([cross_entropy.detach(), divergence])

    def _information(self) -> tuple[Tensor, Tensor]:
        n, size = len(self.data), self.method.real_batch_size
        rows = torch.randint(n, (size,), generator=self.stream, device=self.data.device)
        with self.method._arithmetic():
            return self.regulariser.loss(self.inner, rows)


def _penalty(method: GanMixture, data: Tensor) -> float:
    """Weight of the gradient penalty; 0 for none.

    A Wasserstein distance has the unit of the data and the penalty has none. Weighed by 10, data
    of a spread far under 10 have critics that keep their slope and tell little.
    """
    if method.wgan == "clip":
        return 0.0
    if method.penalty_unit == "fixed":
        return method.gradient_penalty
    spread = data.flatten(1).var(dim=0, unbiased=False).sum().sqrt()
    return method.gradient_penalty * float(spread)


def _optimizer(
    kind: str, parameters: list[nn.Parameter], lr: float, beta2: float = 0.9
) -> torch.optim.Adam | torch.optim.RMSprop:
    if kind == "adam":
        return adam(parameters, lr, betas=(0.5, beta2))
    # TensorFlow's RMSProp, which the papers' code ran, has decay .9.
    return rmsprop(parameters, lr, decay=0.9, foreach=True)
