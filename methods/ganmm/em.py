"""GANMM (EM): the mixture of GANs whose E-step is left to the critics."""

from __future__ import annotations

import time
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.methods.base import Callback, register
from deep_em_bench.methods.ganmm.clusters import ClusterBatches, equal_division
from deep_em_bench.methods.ganmm.mixture import GanMixture
from deep_em_bench.methods.ganmm.networks import CriticNorm
from deep_em_bench.methods.ganmm.presets import EM_PRESETS
from deep_em_bench.methods.ganmm.steps import Gans, PenaltyUnit
from deep_em_bench.methods.nets.assignment import Standstill, assignment_row, shares
from deep_em_bench.methods.nets.ensemble import EnsembleKind
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.neural import Precision
from deep_em_bench.methods.parameters import BatchSize, Count, Fraction, NonNegative, Positive

__all__ = ["GanmmEm"]


@register("ganmm_em", presets=EM_PRESETS)
class GanmmEm(GanMixture):
    r"""GANMM trained by EM, the paper's degraded version (Yu and Zhou, 2018, sections 3 and 4).

    K WGANs as in :class:`Ganmm`, but data are assigned by the critics:
    :math:`w_i(x) \propto \exp f_i(x)`. A critic is trained to be high on its own cluster, so a GAN
    of enough capacity confirms the division that it was given, and labels stop changing after one
    iteration ("early convergence", section 3). On a dozen points this is what happens; on the data
    and budgets of the suites a sixth of the labels still changes in the last of six iterations
    (median of 36 runs).

    Arguments:
        n_clusters: number of clusters K.
        max_iter: budget of EM iterations.
        pretrain_steps: updates of each generator on a random division into equal parts.
        m_steps: updates of each generator in an M-step.
        critic_steps: updates of its critic after each of these.
        batch_size: of real and of generated data, a GAN and update.
        tol: an EM iteration is stationary if at most this share of labels changes.
        patience: stationary iterations in a row after which the fit has converged.
        critic_offset: a critic is determined up to a constant only: its values are taken
            ``as_trained``, or shifted to mean 0 on its own ``fakes``.
        wgan, gradient_penalty, penalty_unit, clip, optimizer, g_lr, d_lr, network, width, hidden,
            noise_dim, critic_norm, scaling, ensemble, random_state, device, precision, compile,
            callback: as of :class:`Ganmm`.
    """

    def __init__(
        self,
        n_clusters: Positive = 10,
        *,
        max_iter: Count = 20,
        pretrain_steps: Count = 500,
        m_steps: Count = 100,
        critic_steps: Positive = 5,
        batch_size: BatchSize = 50,
        tol: Fraction = 0.0,
        patience: Positive = 3,
        critic_offset: Literal["fakes", "as_trained"] = "fakes",
        wgan: Literal["gp", "clip"] = "gp",
        gradient_penalty: NonNegative = 10.0,
        penalty_unit: PenaltyUnit = "fixed",
        clip: NonNegative = 0.01,
        optimizer: Literal["rmsprop", "adam"] = "rmsprop",
        g_lr: NonNegative = 5e-5,
        d_lr: NonNegative = 5e-5,
        network: Kind = "auto",
        width: NonNegative = 1.0,
        hidden: tuple[Positive, ...] = (64,),
        noise_dim: Positive | None = None,
        critic_norm: CriticNorm = "none",
        scaling: Literal["max_abs", "standard"] = "max_abs",
        ensemble: EnsembleKind = "auto",
        random_state: int = 0,
        device: str = "auto",
        precision: Precision = "fp32",
        compile: bool = False,
        callback: Callback | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.max_iter = max_iter
        self.pretrain_steps = pretrain_steps
        self.m_steps = m_steps
        self.critic_steps = critic_steps
        self.batch_size = batch_size
        self.tol = tol
        self.patience = patience
        self.critic_offset: Literal["fakes", "as_trained"] = critic_offset
        self.wgan: Literal["gp", "clip"] = wgan
        self.gradient_penalty = gradient_penalty
        self.penalty_unit: PenaltyUnit = penalty_unit
        self.clip = clip
        self.optimizer: Literal["rmsprop", "adam"] = optimizer
        self.g_lr = g_lr
        self.d_lr = d_lr
        self.network: Kind = network
        self.width = width
        self.hidden = hidden
        self.noise_dim = noise_dim
        self.critic_norm: CriticNorm = critic_norm
        self.scaling: Literal["max_abs", "standard"] = scaling
        self.ensemble: EnsembleKind = ensemble
        self.random_state = random_state
        self.device = device
        self.precision: Precision = precision
        self.compile = compile
        self.callback = callback

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
