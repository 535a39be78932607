"""GANMM: a mixture of GANs whose E-step is an imperfect classifier (the epsilon-E-step)."""

from __future__ import annotations

import math
import time
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.core import ConfigError
from deep_em_bench.methods.base import register
from deep_em_bench.methods.ganmm.clusters import Augment, ClusterBatches, reseed
from deep_em_bench.methods.ganmm.mixture import GanMixture
from deep_em_bench.methods.ganmm.networks import CriticNorm, classifier, initialise
from deep_em_bench.methods.ganmm.presets import PRESETS
from deep_em_bench.methods.ganmm.start import Start, first_division
from deep_em_bench.methods.ganmm.steps import Classifier, Gans, PenaltyUnit
from deep_em_bench.methods.nets.assignment import Standstill, assignment_row, shares
from deep_em_bench.methods.nets.consistency import InformationWeights
from deep_em_bench.methods.nets.ensemble import EnsembleKind
from deep_em_bench.methods.nets.networks import Kind
from deep_em_bench.methods.nets.projection import Projection, components_for
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Decay,
    Fraction,
    NonNegative,
    Positive,
    hyperparameters,
    parameter,
)

__all__ = ["Ganmm"]

"""Most rows of which batch norm takes one mean and variance.

The data are divided at random into as few such batches as there need be, equal in size, and their
means and variances averaged.
"""


@register("ganmm", title="GANMM", version=1, presets=PRESETS)
@hyperparameters
class Ganmm(GanMixture):
    r"""GANMM (Yu and Zhou, 2018), the symbols as in the paper.

    Each of K clusters has a WGAN of its own. An iteration (Algorithm 1): draw the same amount from
    every generator, train a classifier h to tell whose each is, and assign the data by it
    (:math:`\epsilon`-E-step); augment each cluster by rows of the others that h thinks it most
    likely of, and train its WGAN on it (M-step). What h cannot tell, and what is added, is the
    error :math:`\epsilon_t` that keeps EM from converging at once.

    The defaults are the preset ``stable``; :mod:`methods.ganmm.presets` says what it adds and what
    was learnt in making it.
    """

    max_iter: Count = parameter(12, "budget of EM iterations")
    start: Start = parameter(
        "auto",
        "first division of the data: ``random``, into equal parts; by ``kmeans``; by ``gmm``, a "
        "Gaussian mixture of full covariances; by the ``classifier`` h after "
        "``e_pretrain_steps``; ``auto``: by h if it learns from real data and these are images "
        "or wide, else by ``gmm``",
    )
    n_init: Positive = parameter(
        4,
        "number of first weights of h that its pretraining begins with; the one of the largest "
        "mutual information between data and clusters goes on",
        before=1,
    )
    init_steps: Positive = parameter(
        1000,
        "pretraining updates after which that one is chosen, at most all of them",
        before=1000,
    )
    pretrain_steps: Count = parameter(200, "updates of each generator on the first division")
    m_steps: Count = parameter(60, "updates of each generator in an M-step")
    critic_steps: Positive = parameter(5, "updates of its critic after each of these")
    e_steps: Count = parameter(
        80, "updates of h in an E-step; with ``single`` batches, rounds of K updates"
    )
    batch_size: BatchSize = parameter(50, "of real and of generated data, a GAN and update")
    e_batch_size: BatchSize = parameter(20, "of data from each generator, an update of h")
    real_batch_size: BatchSize = parameter(200, "of real data, where h learns from them too")
    tol: Fraction = parameter(
        1e-3, "an EM iteration is stationary if at most this share of labels changes"
    )
    patience: Positive = parameter(
        3,
        "stationary iterations in a row after which the fit has converged, counted from the last "
        "fraction of ``epsilon`` on",
    )
    wgan: Literal["gp", "clip"] = parameter(
        "gp", "``gp``, gradient penalty; ``clip``, weights clipped, except in pretraining"
    )
    gradient_penalty: NonNegative = parameter(1.0, "weight lambda of the penalty")
    penalty_unit: PenaltyUnit = parameter(
        "spread",
        "``fixed`` uses lambda as given; ``spread`` multiplies it by the root mean square "
        "distance of the data from their mean",
    )
    clip: NonNegative = parameter(0.01, "bound on the weights")
    optimizer: Literal["rmsprop", "adam"] = parameter(
        "adam", "of the GANs; ``adam`` has betas (.5, .9)"
    )
    g_lr: NonNegative = parameter(1e-3, "learning rates")
    d_lr: NonNegative = parameter(1e-3, "learning rates")
    e_optimizer: Literal["rmsprop", "adam"] = parameter(
        "adam", "of h; ``adam`` has betas (.5, ``e_beta2``)"
    )
    e_beta2: Decay = parameter(0.999, "decay of the mean square of h's gradients", before=0.9)
    e_lr: NonNegative = parameter(1e-3, "learning rates")
    classifier_data: Literal["generated", "clusters"] = parameter(
        "generated",
        "what h learns from: ``generated`` data, or the rows of the ``clusters`` that the GANs "
        "learn from, which shows what the GANs add",
    )
    classifier_batches: Literal["mixed", "single"] = parameter(
        "mixed", "``mixed``, or of a ``single`` generator each, as released"
    )
    prior: Literal["uniform", "estimated"] = parameter(
        "uniform",
        "by which components are weighed for h: all the same, or ``estimated`` by the size of "
        "their clusters (line 6)",
    )
    label_smoothing: Fraction = parameter(
        0.0, "of h's targets, which makes it a weaker classifier"
    )
    double_softmax: bool = parameter(
        False,
        "softmax before the softmax of h's loss, an oversight of the released code, which bounds "
        "the loss from below by ln(e + K - 1) - 1",
    )
    epsilon: tuple[Fraction, ...] = parameter(
        (0.2, 0.1, 0.0), "amounts of augmentation, first to last"
    )
    epsilon_ends: tuple[Count, ...] = parameter(
        (3, 6), "the EM iteration after which each amount but the last ends"
    )
    augment: Augment = parameter("sampled", "see :class:`ClusterBatches`")
    min_share: Fraction = parameter(
        0.1, "clusters under it, in units of 1 / K, are filled from the least confident rows"
    )
    network: Kind = parameter(
        "auto",
        "convolutional nets, or fully connected ones; ``auto``: convolutional for square images "
        "of side 16 to 64",
    )
    width: NonNegative = parameter(1.0, "factor on the filters of convolutional nets")
    hidden: tuple[Positive, ...] = parameter(
        (64,), "layer sizes of fully connected generators and critics"
    )
    noise_dim: Positive | None = parameter(
        None, "length of z; None: 128 for convolutional nets, else 64"
    )
    critic_norm: CriticNorm = parameter("none", "of convolutional critics")
    e_hidden: tuple[Positive, ...] = parameter((256, 256), "layer sizes of a fully connected h")
    e_conv_hidden: tuple[Positive, ...] = parameter(
        (), "sizes of dense layers between the maps of a convolutional h and its output"
    )
    e_components: Positive | None = parameter(
        50,
        "number of principal components that h, which is then fully connected, and a ``gmm`` are "
        "given in place of wide data, which have more than twice as many columns. None: no data "
        "are wide",
        before=None,
    )
    e_batch_norm: bool = parameter(
        True, "whether h has batch norm; data are assigned with the statistics of all real data"
    )
    e_gain: NonNegative = parameter(
        0.1,
        "factor on the first weights of h's layers but the last. Where batch norm follows, which "
        "takes their scale out again, small weights learn the faster",
        before=1.0,
    )
    e_last_std: NonNegative | None = parameter(
        1e-4, "of the first weights of h's last layer; None: as of all others"
    )
    e_noise: NonNegative = parameter(
        2.0,
        "standard deviation of Gaussian noise on the generated data that h sees, in units of the "
        "median local scale (see ``consistency_radius``)",
    )
    e_pretrain_steps: Count = parameter(
        3000, "updates of h on real data alone, where it makes the first division"
    )
    consistency: NonNegative = parameter(
        1.0,
        "weights of the terms that h learns from real data, see :func:`information_loss`; all 0: "
        "it learns nothing from them",
    )
    marginal_entropy: NonNegative = parameter(
        1.0,
        "weights of the terms that h learns from real data, see :func:`information_loss`; all 0: "
        "it learns nothing from them",
    )
    conditional_entropy: NonNegative = parameter(
        0.25,
        "weights of the terms that h learns from real data, see :func:`information_loss`; all 0: "
        "it learns nothing from them",
    )
    consistency_radius: NonNegative = parameter(
        3.5,
        "length of the perturbation as a multiple of each point's local scale, which is the "
        "distance to its 10th neighbour over the square root of D, among what h is given",
    )
    scaling: Literal["max_abs", "standard"] = parameter(
        "max_abs",
        "of vectors: by the largest absolute value of a column, or its standard deviation",
    )
    ensemble: EnsembleKind = parameter("auto", "see :mod:`methods.nets.ensemble`")

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Algorithm 1 on ``X``; ``y`` is ignored."""
        data = self._begin(X)
        N, K, stream = len(data), self.n_clusters, self._generator
        gans, h = Gans(self, data, stream), Classifier(self, data, stream)
        least = int(self.min_share * N / K)
        labels = first_division(self, data, h, least)  # line 1
        first = F.one_hot(labels, K).float()
        batches = ClusterBatches(labels, first, 0.0, self.augment, stream)
        gans.train(batches, self.pretrain_steps, clip=False)  # line 2
        self.trained_ = self.pretrain_steps > 0
        self.history_, self.converged_ = [], False
        standstill = Standstill(self.tol, self.patience)

        for iteration in range(self.max_iter):
            started = time.perf_counter()
            phi = torch.full((K,), 1 / K, device=self._device)
            if self.prior == "estimated":
                phi = shares(labels, K)
            e_row = h.train(batches, phi, self.e_steps)  # lines 6-8
            w = self._assign(data)
            previous, labels = labels, w.argmax(dim=1)  # line 9
            epsilon = self._epsilon(iteration)
            own, reseeded = reseed(labels, w, least)
            between = time.perf_counter()
            batches = ClusterBatches(own, w, epsilon, self.augment, stream)  # line 11
            distances = gans.train(batches, self.m_steps).tolist()  # line 12
            self.trained_ |= self.m_steps > 0
            row = {
                "iteration": iteration + 1,
                **e_row,
                "epsilon": epsilon,
                "critic_distance": sum(distances) / K,
                "critic_distances": distances,
                **assignment_row(w, previous),
                "reseeded": int(reseeded),
                "m_seconds": time.perf_counter() - between,
                "e_seconds": between - started,
            }
            self.phi_ = shares(labels, K).cpu().numpy()
            self._record(row)  # whose callback may sample
            last_epsilon = iteration >= max(self.epsilon_ends, default=0)
            self.converged_ = standstill.reached(row, counts=last_epsilon)
            if self.converged_:
                break
        labels = self._responsibilities(data).argmax(dim=1)
        self.phi_ = shares(labels, K).cpu().numpy()
        self.n_iter_ = len(self.history_)
        self.labels_ = labels.cpu().numpy()
        return self

    def _epsilon(self, iteration: int) -> float:
        """Amount of augmentation of EM iteration 0, 1, ..."""
        return self.epsilon[sum(iteration >= end for end in self.epsilon_ends)]

    def _assign(self, data: Tensor) -> Tensor:
        """Posteriors of all real data by h, whose batch norm takes its statistics from them."""
        if self.e_batch_norm:
            self._settle(self.E_, data)
        return self._responsibilities(data)

    def _responsibilities(self, data: Tensor) -> Tensor:
        """Posteriors by h, ``(N, K)``."""
        return self._apply(self.E_, data).softmax(dim=1)

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
        self.E_ = self._classifier()

    def _classifier(self, start: int = 0) -> nn.Module:
        """h with its first weights."""
        shape = tuple(self.shape_)
        columns = math.prod(shape)
        k = components_for(columns, self.e_components)
        with torch.device("meta"):
            net = classifier(
                self._network() if k is None else "mlp",
                shape if k is None else (k,),
                self.n_clusters,
                hidden=self.e_hidden,
                conv_hidden=self.e_conv_hidden,
                width=self.width,
                batch_norm=self.e_batch_norm,
            )
        purpose = "weights of E" + (f", start {start}" if start > 0 else "")
        stream = self._stream(purpose, torch.device("cpu"))
        net = initialise(
            net, stream, self._device, hidden_gain=self.e_gain, last_std=self.e_last_std
        )
        return net if k is None else Projection(columns, k).to(self._device).before(net)
