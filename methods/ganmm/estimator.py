"""GANMM: a mixture of GANs whose E-step is an imperfect classifier (the epsilon-E-step)."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_em_bench.core import ConfigError
from deep_em_bench.methods.base import Callback, register
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
from deep_em_bench.methods.neural import Precision
from deep_em_bench.methods.parameters import (
    BatchSize,
    Count,
    Decay,
    Fraction,
    NonNegative,
    Positive,
)

__all__ = ["Ganmm"]

"""Most rows of which batch norm takes one mean and variance.

The data are divided at random into as few such batches as there need be, equal in size, and their
means and variances averaged.
"""


@register("ganmm", presets=PRESETS)
class Ganmm(GanMixture):
    r"""GANMM (Yu and Zhou, 2018), the symbols as in the paper.

    Each of K clusters has a WGAN of its own. An iteration (Algorithm 1): draw the same amount from
    every generator, train a classifier h to tell whose each is, and assign the data by it
    (:math:`\epsilon`-E-step); augment each cluster by rows of the others that h thinks it most
    likely of, and train its WGAN on it (M-step). What h cannot tell, and what is added, is the
    error :math:`\epsilon_t` that keeps EM from converging at once.

    The defaults are the preset ``stable``; :mod:`methods.ganmm.presets` says what it adds and what
    was learnt in making it.

    Arguments:
        n_clusters: number of clusters K.
        max_iter: budget of EM iterations.
        start: first division of the data: ``random``, into equal parts; by ``kmeans``; by ``gmm``,
            a Gaussian mixture of full covariances; by the ``classifier`` h after
            ``e_pretrain_steps``; ``auto``: by h if it learns from real data and these are images
            or wide, else by ``gmm``.
        n_init: number of first weights of h that its pretraining begins with; the one of the
            largest mutual information between data and clusters goes on.
        init_steps: pretraining updates after which that one is chosen, at most all of them.
        pretrain_steps: updates of each generator on the first division.
        m_steps: updates of each generator in an M-step.
        critic_steps: updates of its critic after each of these.
        e_steps: updates of h in an E-step; with ``single`` batches, rounds of K updates.
        batch_size: of real and of generated data, a GAN and update.
        e_batch_size: of data from each generator, an update of h.
        real_batch_size: of real data, where h learns from them too.
        tol: an EM iteration is stationary if at most this share of labels changes.
        patience: stationary iterations in a row after which the fit has converged, counted from
            the last fraction of ``epsilon`` on.
        wgan: ``gp``, gradient penalty; ``clip``, weights clipped, except in pretraining.
        gradient_penalty: weight lambda of the penalty.
        penalty_unit: ``fixed`` uses lambda as given; ``spread`` multiplies it by the root mean
            square distance of the data from their mean.
        clip: bound on the weights.
        optimizer: of the GANs; ``adam`` has betas (.5, .9).
        g_lr, d_lr, e_lr: learning rates.
        e_optimizer: of h; ``adam`` has betas (.5, ``e_beta2``).
        e_beta2: decay of the mean square of h's gradients.
        classifier_data: what h learns from: ``generated`` data, or the rows of the ``clusters``
            that the GANs learn from, which shows what the GANs add.
        classifier_batches: ``mixed``, or of a ``single`` generator each, as released.
        prior: by which components are weighed for h: all the same, or ``estimated`` by the size of
            their clusters (line 6).
        label_smoothing: of h's targets, which makes it a weaker classifier.
        double_softmax: softmax before the softmax of h's loss, an oversight of the released code,
            which bounds the loss from below by ln(e + K - 1) - 1.
        epsilon: amounts of augmentation, first to last.
        epsilon_ends: the EM iteration after which each amount but the last ends.
        augment: see :class:`ClusterBatches`.
        min_share: clusters under it, in units of 1 / K, are filled from the least confident rows.
        network: convolutional nets, or fully connected ones; ``auto``: convolutional for square
            images of side 16 to 64.
        width: factor on the filters of convolutional nets.
        hidden: layer sizes of fully connected generators and critics.
        noise_dim: length of z; None: 128 for convolutional nets, else 64.
        critic_norm: of convolutional critics.
        e_hidden: layer sizes of a fully connected h.
        e_conv_hidden: sizes of dense layers between the maps of a convolutional h and its output.
        e_components: number of principal components that h, which is then fully connected, and a
            ``gmm`` are given in place of wide data, which have more than twice as many columns.
            None: no data are wide.
        e_batch_norm: whether h has batch norm; data are assigned with the statistics of all real
            data.
        e_gain: factor on the first weights of h's layers but the last. Where batch norm follows,
            which takes their scale out again, small weights learn the faster.
        e_last_std: of the first weights of h's last layer; None: as of all others.
        e_noise: standard deviation of Gaussian noise on the generated data that h sees, in units
            of the median local scale (see ``consistency_radius``).
        e_pretrain_steps: updates of h on real data alone, where it makes the first division.
        consistency, marginal_entropy, conditional_entropy: weights of the terms that h learns from
            real data, see :func:`information_loss`; all 0: it learns nothing
            from them.
        consistency_radius: length of the perturbation as a multiple of each point's local scale,
            which is the distance to its 10th neighbour over the square root of D, among what h is
            given.
        scaling: of vectors: by the largest absolute value of a column, or its standard deviation.
        ensemble: see :mod:`methods.nets.ensemble`.
        random_state: seed of every draw.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        precision: ``fp32``; ``tf32`` matrix products; ``bf16`` autocast.
        compile: updates as CUDA graphs on a GPU, elsewhere nets by
            torch.compile, which cannot with ``gp``.
        callback: called with every row of ``history_``.
    """

    added: ClassVar[Mapping[str, Any]] = {
        "e_components": None,
        "n_init": 1,
        "init_steps": 1000,
        "e_gain": 1.0,
        "e_beta2": 0.9,
    }

    def __init__(
        self,
        n_clusters: Positive = 10,
        *,
        max_iter: Count = 12,
        start: Start = "auto",
        n_init: Positive = 4,
        init_steps: Positive = 1000,
        pretrain_steps: Count = 200,
        m_steps: Count = 60,
        critic_steps: Positive = 5,
        e_steps: Count = 80,
        batch_size: BatchSize = 50,
        e_batch_size: BatchSize = 20,
        real_batch_size: BatchSize = 200,
        tol: Fraction = 1e-3,
        patience: Positive = 3,
        wgan: Literal["gp", "clip"] = "gp",
        gradient_penalty: NonNegative = 1.0,
        penalty_unit: PenaltyUnit = "spread",
        clip: NonNegative = 0.01,
        optimizer: Literal["rmsprop", "adam"] = "adam",
        g_lr: NonNegative = 1e-3,
        d_lr: NonNegative = 1e-3,
        e_optimizer: Literal["rmsprop", "adam"] = "adam",
        e_beta2: Decay = 0.999,
        e_lr: NonNegative = 1e-3,
        classifier_data: Literal["generated", "clusters"] = "generated",
        classifier_batches: Literal["mixed", "single"] = "mixed",
        prior: Literal["uniform", "estimated"] = "uniform",
        label_smoothing: Fraction = 0.0,
        double_softmax: bool = False,
        epsilon: tuple[Fraction, ...] = (0.2, 0.1, 0.0),
        epsilon_ends: tuple[Count, ...] = (3, 6),
        augment: Augment = "sampled",
        min_share: Fraction = 0.1,
        network: Kind = "auto",
        width: NonNegative = 1.0,
        hidden: tuple[Positive, ...] = (64,),
        noise_dim: Positive | None = None,
        critic_norm: CriticNorm = "none",
        e_hidden: tuple[Positive, ...] = (256, 256),
        e_conv_hidden: tuple[Positive, ...] = (),
        e_components: Positive | None = 50,
        e_batch_norm: bool = True,
        e_gain: NonNegative = 0.1,
        e_last_std: NonNegative | None = 1e-4,
        e_noise: NonNegative = 2.0,
        e_pretrain_steps: Count = 3000,
        consistency: NonNegative = 1.0,
        marginal_entropy: NonNegative = 1.0,
        conditional_entropy: NonNegative = 0.25,
        consistency_radius: NonNegative = 3.5,
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
        self.start: Start = start
        self.n_init = n_init
        self.init_steps = init_steps
        self.pretrain_steps = pretrain_steps
        self.m_steps = m_steps
        self.critic_steps = critic_steps
        self.e_steps = e_steps
        self.batch_size = batch_size
        self.e_batch_size = e_batch_size
        self.real_batch_size = real_batch_size
        self.tol = tol
        self.patience = patience
        self.wgan: Literal["gp", "clip"] = wgan
        self.gradient_penalty = gradient_penalty
        self.penalty_unit: PenaltyUnit = penalty_unit
        self.clip = clip
        self.optimizer: Literal["rmsprop", "adam"] = optimizer
        self.g_lr = g_lr
        self.d_lr = d_lr
        self.e_optimizer: Literal["rmsprop", "adam"] = e_optimizer
        self.e_beta2 = e_beta2
        self.e_lr = e_lr
        self.classifier_data: Literal["generated", "clusters"] = classifier_data
        self.classifier_batches: Literal["mixed", "single"] = classifier_batches
        self.prior: Literal["uniform", "estimated"] = prior
        self.label_smoothing = label_smoothing
        self.double_softmax = double_softmax
        self.epsilon = epsilon
        self.epsilon_ends = epsilon_ends
        self.augment: Augment = augment
        self.min_share = min_share
        self.network: Kind = network
        self.width = width
        self.hidden = hidden
        self.noise_dim = noise_dim
        self.critic_norm: CriticNorm = critic_norm
        self.e_hidden = e_hidden
        self.e_conv_hidden = e_conv_hidden
        self.e_components = e_components
        self.e_batch_norm = e_batch_norm
        self.e_gain = e_gain
        self.e_last_std = e_last_std
        self.e_noise = e_noise
        self.e_pretrain_steps = e_pretrain_steps
        self.consistency = consistency
        self.marginal_entropy = marginal_entropy
        self.conditional_entropy = conditional_entropy
        self.consistency_radius = consistency_radius
        self.scaling: Literal["max_abs", "standard"] = scaling
        self.ensemble: EnsembleKind = ensemble
        self.random_state = random_state
        self.device = device
        self.precision: Precision = precision
        self.compile = compile
        self.callback = callback

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
