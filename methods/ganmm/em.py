"""GANMM (EM): the mixture of GANs with the critics as its E-step."""

from __future__ import annotations

import time
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.methods.base import register
from deep_em_bench.methods.ganmm.clusters import ClusterBatches, equal_division
from deep_em_bench.methods.ganmm.mixture import GanMixture
from deep_em_bench.methods.ganmm.parameters import GanmmEmParameters
from deep_em_bench.methods.ganmm.presets import EM_PRESETS
from deep_em_bench.methods.ganmm.steps import Gans
from deep_em_bench.methods.nets.assignment import Standstill, assignment_row, shares
from deep_em_bench.methods.parameters import hyperparameters

__all__ = ["GanmmEm"]

OFFSET_SAMPLES = 1024


@register("ganmm_em", title="GANMM (EM)", version=1, presets=EM_PRESETS)
@hyperparameters
class GanmmEm(GanmmEmParameters, GanMixture):
    r"""GANMM trained by EM, the paper's degraded version (Yu and Zhou, 2018, sections 3 and 4).

    K WGANs as in :class:`Ganmm`, but data are assigned by the critics:
    :math:`w_i(x) \propto \exp f_i(x)`. A critic is trained to be high on its own cluster, so a GAN
    of enough capacity confirms the division that it was trained on, and labels stop changing after
    one iteration ("early convergence", section 3). On a dozen points this happens; on the data and
    budgets of the suites a sixth of the labels still changes in the last of six iterations (median
    of 36 runs).
    """

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Algorithm 1 on ``X`` without its classifier and augmentation; ``y`` is ignored."""
        data = self._begin(X)
        N, K, stream = len(data), self.n_clusters, self._runtime.generator
        self.offset_ = np.zeros(K, dtype=np.float32)
        gans = Gans(self, self.G_, self.D_, data, self._runtime)
        labels = equal_division(N, K, stream)  # line 1
        first = F.one_hot(labels, K).float()
        batches = ClusterBatches(labels, first, 0.0, "top", stream)
        gans.train(batches, self.pretrain_steps, clip=False)  # line 2
        self.trained_ = self.pretrain_steps > 0
        w = self._e_step(gans)
        labels = w.argmax(dim=1)
        self.phi_ = shares(labels, K).cpu().numpy()
        self.history_, self.converged_ = [], False
        standstill = Standstill(self.tol, self.patience)

        for t in range(1, self.max_iter + 1):  # lines 3-5
            started = time.perf_counter()
            batches = ClusterBatches(labels, w, 0.0, "top", stream)
            distances = gans.train(batches, self.m_steps).tolist()  # lines 10, 12
            self.trained_ |= self.m_steps > 0
            between = time.perf_counter()
            w = self._e_step(gans)
            previous, labels = labels, w.argmax(dim=1)  # line 9
            row = {
                "iteration": t,
                "critic_distance": sum(distances) / K,
                "critic_distances": distances,
                **assignment_row(w, previous),
                "m_seconds": between - started,
                "e_seconds": time.perf_counter() - between,
            }
            self.phi_ = shares(labels, K).cpu().numpy()
            self._record(row)  # its callback may sample
            self.converged_ = standstill.reached(row)
            if self.converged_:
                break
        self.n_iter_ = len(self.history_)
        self.labels_ = labels.cpu().numpy()
        return self

    def _e_step(self, gans: Gans) -> Tensor:
        """Responsibilities of all data, with new offsets of the critics where these are used."""
        if self.critic_offset == "fakes":
            x = gans.draw(OFFSET_SAMPLES)
            self.D_.eval()
            with torch.no_grad(), self._runtime.arithmetic():
                self.offset_ = self.D_(x).float().mean(dim=(1, 2)).cpu().numpy()
        return self._responsibilities(gans.data)

    def _responsibilities(self, data: Tensor) -> Tensor:
        """Softmax over the critics' values, ``(N, K)``."""
        values = self._runtime.apply(_Critics(self.D_, self.n_clusters), data)
        return (values - torch.from_numpy(self.offset_).to(values)).softmax(dim=1)


class _Critics(nn.Module):
    """Every critic on the same rows: ``(B, ...)`` to ``(B, K)``."""

    def __init__(self, D: nn.Module, K: int) -> None:
        super().__init__()
        self.D, self.K = D, K

    def forward(self, x: Tensor) -> Tensor:
        return self.D(x.expand(self.K, *x.shape)).squeeze(2).T  # (K, B, 1) -> (B, K)
