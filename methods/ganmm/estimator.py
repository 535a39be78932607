"""GANMM: a mixture of GANs whose E-step is an imperfect classifier (the epsilon-E-step)."""

from __future__ import annotations

import time
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.core import ConfigError
from deep_em_bench.methods.base import register
from deep_em_bench.methods.ganmm.clusters import ClusterBatches, reseed
from deep_em_bench.methods.ganmm.mixture import GanMixture
from deep_em_bench.methods.ganmm.networks import make_classifier
from deep_em_bench.methods.ganmm.parameters import GanmmParameters
from deep_em_bench.methods.ganmm.presets import PRESETS
from deep_em_bench.methods.ganmm.start import first_division
from deep_em_bench.methods.ganmm.steps import Classifier, Gans
from deep_em_bench.methods.nets.assignment import Standstill, assignment_row, shares
from deep_em_bench.methods.nets.consistency import InformationWeights
from deep_em_bench.methods.parameters import hyperparameters

__all__ = ["Ganmm"]


@register("ganmm", title="GANMM", version=1, presets=PRESETS)
@hyperparameters
class Ganmm(GanmmParameters, GanMixture):
    r"""GANMM (Yu and Zhou, 2018), the symbols as in the paper, but K clusters of N rows.

    Each cluster has a WGAN of its own. An iteration (Algorithm 1) draws the same amount from every
    generator, trains a classifier h to tell the generators apart, and assigns the data by h
    (:math:`\epsilon`-E-step). It then adds to each cluster the rows of others that h finds most
    likely in it, and trains the cluster's WGAN on all of these (M-step). The errors of h and the
    added rows are the error :math:`\epsilon_t` that keeps EM from converging at once.

    The defaults are the preset ``stable``. Its h also learns from real data, to be smooth, sure
    and balanced (:func:`information_loss`). A point's local scale is the distance to its 10th
    neighbour over the square root of D, among what h sees.
    """

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Algorithm 1 on ``X``; ``y`` is ignored."""
        data = self._begin(X)
        N, K, runtime = len(data), self.n_clusters, self._runtime
        gans = Gans(self, self.G_, self.D_, data, runtime)
        h = Classifier(self, self.E_, gans, data, runtime)
        least = int(self.min_share * N / K)
        labels = first_division(self, data, h, least, runtime)  # line 1
        first = F.one_hot(labels, K).float()
        batches = ClusterBatches(labels, first, 0.0, self.augment, runtime.generator)
        gans.train(batches, self.pretrain_steps, clip=False)  # line 2
        self.trained_ = self.pretrain_steps > 0
        self.history_, self.converged_ = [], False
        standstill = Standstill(self.tol, self.patience)

        for t in range(1, self.max_iter + 1):  # lines 3-5
            started = time.perf_counter()
            phi = torch.full((K,), 1 / K, device=runtime.device)
            if self.prior == "estimated":
                phi = shares(labels, K)
            e_row = h.train(batches, phi, self.e_steps)  # lines 6-8
            w = h.posteriors()
            previous, labels = labels, w.argmax(dim=1)  # line 9
            own, reseeded = reseed(labels, w, least)
            between = time.perf_counter()
            sigma = self._sigma(t)
            batches = ClusterBatches(own, w, sigma, self.augment, runtime.generator)  # line 11
            distances = gans.train(batches, self.m_steps).tolist()  # lines 10, 12
            self.trained_ |= self.m_steps > 0
            row = {
                "iteration": t,
                **e_row,
                "epsilon": sigma,
                "critic_distance": sum(distances) / K,
                "critic_distances": distances,
                **assignment_row(w, previous),
                "reseeded": int(reseeded),
                "m_seconds": time.perf_counter() - between,
                "e_seconds": between - started,
            }
            self.phi_ = shares(labels, K).cpu().numpy()
            self._record(row)  # its callback may sample
            last_sigma = t > max(self.epsilon_ends, default=0)
            self.converged_ = standstill.reached(row, counts=last_sigma)
            if self.converged_:
                break
        labels = self._responsibilities(data).argmax(dim=1)
        self.phi_ = shares(labels, K).cpu().numpy()
        self.n_iter_ = len(self.history_)
        self.labels_ = labels.cpu().numpy()
        return self

    def _sigma(self, t: int) -> float:
        """Share of augmentation of EM iteration t = 1, 2, ..."""
        return self.epsilon[sum(t > end for end in self.epsilon_ends)]

    def _responsibilities(self, data: Tensor) -> Tensor:
        """Posteriors by h, ``(N, K)``."""
        return self._runtime.apply(self.E_, data).softmax(dim=1)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if len(self.epsilon) != len(self.epsilon_ends) + 1:
            raise ConfigError(
                f"epsilon has {len(self.epsilon)} amounts and epsilon_ends {self.epsilon_ends}; "
                f"expected an end for each amount but the last"
            )
        if self.start == "classifier" and not InformationWeights.of(self).any():
            raise ConfigError(
                "start='classifier' was asked for, but consistency, marginal_entropy and "
                "conditional_entropy are 0: h learns nothing from real data; "
                "give them weights or use another start"
            )

    def _nets(self) -> dict[str, nn.Module]:
        return {**super()._nets(), "E": self.E_}

    def _build(self) -> None:
        super()._build()
        self.E_ = make_classifier(self, self.shape_, self._runtime)
