"""GANMM (EM): the mixture of GANs whose E-step is left to the critics."""

from __future__ import annotations

import time
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.methods.base import register
from deep_em_bench.methods.ganmm.clusters import ClusterBatches, equal_division
from deep_em_bench.methods.ganmm.mixture import GanMixture
from deep_em_bench.methods.ganmm.networks import CriticNorm
from deep_em_bench.methods.ganmm.presets import EM_PRESETS
from deep_em_bench.methods.ganmm.steps import Gans, PenaltyUnit
from deep_em_bench.methods.nets.assignment import Standstill, assignment_row, shares
from deep_em_bench.methods.nets.ensemble import EnsembleKind
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Fraction,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = ["GanmmEm"]


@register("ganmm_em", title="GANMM (EM)", version=1, presets=EM_PRESETS)
@hyperparameters
class GanmmEm(GanMixture):
    r"""GANMM trained by EM, the paper's degraded version (Yu and Zhou, 2018, sections 3 and 4).

    K WGANs as in :class:`Ganmm`, but data are assigned by the critics:
    :math:`w_i(x) \propto \exp f_i(x)`. A critic is trained to be high on its own cluster, so a GAN
    of enough capacity confirms the division that it was given, and labels stop changing after one
    iteration ("early convergence", section 3). On a dozen points this is what happens; on the data
    and budgets of the suites a sixth of the labels still changes in the last of six iterations
    (median of 36 runs).
    """

    max_iter: Count = parameter(20, "budget of EM iterations")
    pretrain_steps: Count = parameter(
        500, "updates of each generator on a random division into equal parts"
    )
    m_steps: Count = parameter(100, "updates of each generator in an M-step")
    critic_steps: Positive = parameter(5, "updates of its critic after each of these")
    batch_size: BatchSize = parameter(50, "of real and of generated data, a GAN and update")
    tol: Fraction = parameter(
        0.0, "an EM iteration is stationary if at most this share of labels changes"
    )
    patience: Positive = parameter(
        3, "stationary iterations in a row after which the fit has converged"
    )
    critic_offset: Literal["fakes", "as_trained"] = parameter(
        "fakes",
        "a critic is determined up to a constant only: its values are taken ``as_trained``, or "
        "shifted to mean 0 on its own ``fakes``. wgan, gradient_penalty, penalty_unit, clip, "
        "optimizer, g_lr, d_lr, network, width, hidden, noise_dim, critic_norm, scaling, "
        "ensemble, random_state, device, precision, compile, callback: as of :class:`Ganmm`",
    )
    wgan: Literal["gp", "clip"] = parameter("gp", "TODO")
    gradient_penalty: NonNegative = parameter(10.0, "TODO")
    penalty_unit: PenaltyUnit = parameter("fixed", "TODO")
    clip: NonNegative = parameter(0.01, "TODO")
    optimizer: Literal["rmsprop", "adam"] = parameter("rmsprop", "TODO")
    g_lr: NonNegative = parameter(5e-5, "TODO")
    d_lr: NonNegative = parameter(5e-5, "TODO")
    network: Kind = parameter("auto", "TODO")
    width: NonNegative = parameter(1.0, "TODO")
    hidden: tuple[Positive, ...] = parameter((64,), "TODO")
    noise_dim: Positive | None = parameter(None, "TODO")
    critic_norm: CriticNorm = parameter("none", "TODO")
    scaling: Literal["max_abs", "standard"] = parameter("max_abs", "TODO")
    ensemble: EnsembleKind = parameter("auto", "TODO")

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Algorithm 1 on ``X`` without its epsilon; ``y`` is ignored."""
        data = self._begin(X)
        N, K, stream = len(data), self.n_clusters, self._generator
        self.offset_ = np.zeros(K, dtype=np.float32)
        gans = Gans(self, data, stream)
        labels = equal_division(N, K, stream)  # line 1
        first = F.one_hot(labels, K).float()
        batches = ClusterBatches(labels, first, 0.0, "top", stream)
        gans.train(batches, self.pretrain_steps, clip=False)  # line 2
        self.trained_ = self.pretrain_steps > 0
        w = self._e_step(data, stream)
        labels = w.argmax(dim=1)
        self.phi_ = shares(labels, K).cpu().numpy()
        self.history_, self.converged_ = [], False
        standstill = Standstill(self.tol, self.patience)

        for iteration in range(self.max_iter):
            started = time.perf_counter()
            batches = ClusterBatches(labels, w, 0.0, "top", stream)
            distances = gans.train(batches, self.m_steps).tolist()
            self.trained_ |= self.m_steps > 0
            between = time.perf_counter()
            w = self._e_step(data, stream)
            previous, labels = labels, w.argmax(dim=1)
            row = {
                "iteration": iteration + 1,
                "critic_distance": sum(distances) / K,
                "critic_distances": distances,
                **assignment_row(w, previous),
                "m_seconds": between - started,
                "e_seconds": time.perf_counter() - between,
            }
            self.phi_ = shares(labels, K).cpu().numpy()
            self._record(row)  # whose callback may sample
            self.converged_ = standstill.reached(row)
            if self.converged_:
                break
        self.n_iter_ = len(self.history_)
        self.labels_ = labels.cpu().numpy()
        return self

    def _e_step(self, data: Tensor, stream: torch.Generator) -> Tensor:
        """The critics' offsets, where they are wanted, and responsibilities of all data."""
        if self.critic_offset == "fakes":
            shape = (self.n_clusters, OFFSET_SAMPLES, self._noise_dim())
            x = self._generate(torch.randn(shape, generator=stream, device=self._device))
            self.D_.eval()
            with torch.no_grad(), self._arithmetic():
                self.offset_ = self.D_(x).float().mean(dim=(1, 2)).cpu().numpy()
        return self._responsibilities(data)

    def _responsibilities(self, data: Tensor) -> Tensor:
        """Softmax over the critics' values, ``(N, K)``."""
        values = self._apply(_Critics(self.D_, self.n_clusters), data)
        return (values - torch.from_numpy(self.offset_).to(values)).softmax(dim=1)


OFFSET_SAMPLES = 1024


class _Critics(nn.Module):
    """Every critic on the same rows: ``(B, ...)`` to ``(B, K)``."""

    def __init__(self, D: nn.Module, K: int) -> None:
        super().__init__()
        self.D, self.K = D, K

    def forward(self, x: Tensor) -> Tensor:
        return self.D(x.expand(self.K, *x.shape)).squeeze(2).T  # (K, B, 1) -> (B, K)
