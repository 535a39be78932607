"""DEC: an encoder and cluster centres trained on a target made of their own assignment."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans as SklearnKMeans
from torch import Tensor, nn

from deep_em_bench.methods.base import Preset, Reducer, register
from deep_em_bench.methods.nets.assignment import assignment_row
from deep_em_bench.methods.nets.autoencoder import Recipe, StackedAutoencoder
from deep_em_bench.methods.nets.optimise import descend
from deep_em_bench.methods.neural import NeuralMethod
from deep_em_bench.methods.parameters import (
    Count,
    Fraction,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = ["Dec", "target_distribution"]

log = logging.getLogger(__name__)

PRESETS = {
    "embedded": Preset(
        title="DEC, as printed",
        source="Xie et al., Unsupervised deep embedding for clustering analysis, section 4.3",
        params={
            "layer_steps": 50_000,
            "finetune_steps": 100_000,
            "pretrain_optimizer": "sgd",
            "pretrain_lr": 0.1,
            "decay_every": 20_000,
        },
        deviations=(
            "the reconstruction loss is a mean over columns, as in public ports; the printed "
            "squared norm is a sum, so its updates are larger by the number of columns",
            "first weights are He's, not N(0, .01^2)",
            "momentum .9 and 140 updates for each target, as in public ports: the paper gives "
            "neither number",
            "at most 100 targets, 14,000 updates: the paper stops only when .1 % of labels change",
        ),
    ),
    "raw": Preset(
        title="DEC, without the auto-encoder",
        source="GANMM Table 1: DEC without the auto-encoder, from random first weights",
        params={"layer_steps": 0, "finetune_steps": 0},
        deviations=("all other settings are DEC's own: the GANMM paper gives none",),
    ),
    "stable": Preset(
        title="DEC, auto-encoder trained by Adam",
        source="ours: Adam and a fiftieth of the updates for the auto-encoder",
    ),
}


@register("dec", title="DEC", version=1, presets=PRESETS)
@hyperparameters
class Dec(NeuralMethod, Reducer):
    r"""Deep embedded clustering (Xie, Girshick and Farhadi, 2016), the symbols as in the paper.

    An encoder :math:`z = f_\theta(x)` is pretrained as half of a stacked auto-encoder. The centres
    :math:`\mu_j` are those of K-means on z. Then both are trained to bring the soft assignment q
    nearer to a target p, which is made of q. An iteration is one target:

    .. math::
        q_{ij} = \frac{(1 + \|z_i - \mu_j\|^2)^{-1}}{\sum_{j'} (1 + \|z_i - \mu_{j'}\|^2)^{-1}},
        \quad
        p_{ij} = \frac{q_{ij}^2 / f_j}{\sum_{j'} q_{ij'}^2 / f_{j'}}, \quad f_j = \sum_i q_{ij},
        \quad
        L = KL(P \| Q)

    P is computed on all data (Eq. 3), not a batch. Responsibilities are q. ``transform`` gives z.
    """

    max_iter: Count = parameter(100, "maximum number of target distributions")
    update_interval: Positive = parameter(140, "updates with one target distribution")
    batch_size: Positive = parameter(256, "rows of every update, in pretraining too")
    lr: NonNegative = parameter(0.01, "learning rate of the clustering loss; SGD, momentum .9")
    tol: Fraction = parameter(
        1e-3, "an iteration that changes a smaller share of labels ends the fit"
    )
    n_init: Positive = parameter(20, "independent starts of K-means; the best one is kept")
    hidden: tuple[Positive, ...] = parameter(
        (500, 500, 2000), "layer sizes of the encoder; the decoder mirrors them"
    )
    n_components: Positive = parameter(10, "length of the embedding z")
    layer_steps: Count = parameter(600, "updates of each layer as a denoising auto-encoder")
    finetune_steps: Count = parameter(3000, "updates of the whole auto-encoder after that")
    pretrain_optimizer: Literal["sgd", "adam"] = parameter(
        "adam", "optimiser of the auto-encoder; sgd has momentum .9"
    )
    pretrain_lr: NonNegative = parameter(1e-3, "learning rate of the auto-encoder")
    decay_every: Positive = parameter(
        2000, "updates after which the auto-encoder's learning rate falls to a tenth"
    )
    corruption: Fraction = parameter(
        0.2, "share of inputs and codes set to zero in layer-wise training"
    )

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Section 3 of the paper on ``X``; ``y`` is ignored."""
        x = self._begin(X)
        self._pretrain(x)  # section 3.2
        self._place_centers(x)
        parameters = [*self.encoder_.parameters(), *self.centers_.parameters()]
        optimizer = torch.optim.SGD(parameters, lr=self.lr, momentum=0.9)
        batches = self._endless(len(x))
        self.history_, self.converged_ = [], False
        q = self._assign(x)
        labels = q.argmax(dim=1)

        for iteration in range(self.max_iter):
            started = time.perf_counter()
            p = target_distribution(q)  # Eq. (3), of all data
            between = time.perf_counter()
            kl = self._sharpen(x, p, optimizer, itertools.islice(batches, self.update_interval))
            after = time.perf_counter()
            q = self._assign(x)  # Eq. (1)
            previous, labels = labels, q.argmax(dim=1)
            row = {
                "iteration": iteration + 1,
                "kl": kl,
                **assignment_row(q, previous),
                "m_seconds": after - between,
                "e_seconds": time.perf_counter() - after + between - started,
            }
            self._record(row)
            if row["churn"] < self.tol:
                self.converged_ = True
                break
        self.n_iter_ = len(self.history_)
        self.labels_ = labels.cpu().numpy()
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """The soft assignment q, ``(N, K)`` float32."""
        return self._assign(self._incoming(X)).cpu().numpy()

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The embedding z, ``(N, n_components)`` float32."""
        x = self._incoming(X)
        return self._runtime.apply(self.encoder_, x).cpu().numpy()

    def _pretrain(self, x: Tensor) -> None:
        """Train the encoder as half of an auto-encoder; without updates only the data scale."""
        recipe = Recipe(
            layer_steps=self.layer_steps,
            finetune_steps=self.finetune_steps,
            optimizer=self.pretrain_optimizer,
            lr=self.pretrain_lr,
            decay_every=self.decay_every,
            batch_size=self.batch_size,
            corruption=self.corruption,
        )
        runtime = self._runtime
        with runtime.backends():
            self._autoencoder.fit(
                x, recipe, generator=runtime.generator, report=_log, arithmetic=runtime.arithmetic
            )
        with runtime.arithmetic():
            self.reconstruction_error_ = self._autoencoder.reconstruction_error(x)

    def _place_centers(self, x: Tensor) -> None:
        """Move the centres to those of K-means on the embedding."""
        z = self._runtime.apply(self.encoder_, x).cpu().numpy()
        seed = self._runtime.seed("centers")
        k_means = SklearnKMeans(self.n_clusters, n_init=self.n_init, random_state=seed).fit(z)
        self.centers_.place(torch.from_numpy(k_means.cluster_centers_))

    def _sharpen(
        self, x: Tensor, p: Tensor, optimizer: torch.optim.Optimizer, batches: Iterator[Tensor]
    ) -> float:
        """Updates of encoder and centres on KL(P || Q), Eqs. (2), (4), (5); its mean."""
        self.encoder_.train()
        total = torch.zeros((), device=x.device)

        @self._runtime.compile_update
        def update(rows: Tensor) -> None:
            with self._runtime.arithmetic():
                z = self.encoder_(x[rows])
            loss = F.kl_div(self.centers_(z).log_softmax(dim=1), p[rows], reduction="batchmean")
            descend(optimizer, loss)
            total.add_(loss.detach())

        steps = 0
        for rows in batches:
            update(rows)
            steps += 1
        return float(total) / max(1, steps)

    def _assign(self, x: Tensor) -> Tensor:
        """q of all rows, ``(N, K)``, Eq. (1)."""
        return self._runtime.apply(nn.Sequential(self.encoder_, self.centers_), x).softmax(dim=1)

    def _endless(self, n: int) -> Iterator[Tensor]:
        while True:
            yield from self._runtime.batches(n, self.batch_size, 1)

    def _nets(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder_, "centers": self.centers_}

    def _build(self) -> None:
        sizes = (math.prod(self.shape_), *self.hidden, self.n_components)
        stream = self._runtime.stream("weights", torch.device("cpu"))
        device = self._runtime.device
        self._autoencoder = StackedAutoencoder(sizes, generator=stream, device=device)
        self.encoder_ = self._autoencoder.encoder
        self.centers_ = _StudentT(self.n_clusters, self.n_components).to(device)


class _StudentT(nn.Module):
    """Centres, and the kernel of Student's t with one degree of freedom around them."""

    def __init__(self, n_clusters: int, n_components: int) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.zeros(n_clusters, n_components))

    def place(self, mu: Tensor) -> None:
        with torch.no_grad():
            self.mu.copy_(mu)

    def forward(self, z: Tensor) -> Tensor:
        """Logits of q, ``(B, K)``: their softmax is Eq. (1)."""
        squared = (z.float()[:, None] - self.mu).square().sum(dim=2)  # (B, 1, d) - (K, d)
        return -squared.log1p()


def target_distribution(q: Tensor) -> Tensor:
    """P of Eq. (3), ``(N, K)``: q squared, over each cluster's soft size, rows scaled to sum 1.

    >>> target_distribution(torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    weight = q.square() / q.sum(dim=0)
    return weight / weight.sum(dim=1, keepdim=True)


def _log(row: Mapping[str, Any]) -> None:
    log.debug("%(stage)s, update %(step)d of %(steps)d: loss %(loss).4g", row)
