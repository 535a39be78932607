"""A GAN-EM small enough for tests, and data it can learn in a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deep_em_bench.methods.gan_em.e_net import ENet
from deep_em_bench.methods.gan_em.estimator import GanEm
from deep_em_bench.methods.gan_em.steps import Training

SMALL: dict[str, Any] = {
    # Every hyper-parameter, so that no default enters.
    "max_iter": 2,
    "m_epochs": 1,
    "e_steps": 3,
    "batch_size": 16,
    "m_steps": 0,
    "e_batch_size": 15,
    "tol": 0.0,
    "patience": 99,
    "optimizer": "adam",
    "d_lr": 1e-3,
    "g_lr": 1e-3,
    "e_lr": 1e-3,
    "lr_decay": 1.0,
    "reset_optimizers": False,
    "extra_unit": "weight_1",
    "fake_units": "all",
    "generator_loss": "non_saturating",
    "logit_clamp": 5.0,
    "prior": "uniform",
    "prior_floor": 0.5,
    "component_sampling": "balanced",
    "network": "mlp",
    "width": 0.1,
    "hidden": (16, 16),
    "generator_hidden": (),
    "generator_activation": "relu",
    "noise": "gaussian",
    "noise_dim": 4,
    "init_std": None,
    "e_activation": "leaky_relu",
    "e_gain": 1.0,
    "e_last_std": None,
    "e_average": 0.0,
    "n_init": 1,
    "init_steps": 1000,
    "d_batch_norm": False,
    "e_components": None,
    "e_batch_norm": "train",
    "generator_clip": None,
    "spectral_norm": (),
    "n_components": None,
    "labelled_error": 0.05,
    "labelled_steps": 100,
    "pretrain_epochs": 0,
    "pretrain_steps": 0,
    "consistency": 0.0,
    "marginal_entropy": 0.0,
    "conditional_entropy": 0.0,
    "consistency_radius": 1.0,
    "d_noise": 0.0,
    "e_noise": 0.0,
    "device": "cpu",
}
INFORMED: dict[str, Any] = {
    "consistency": 1.0,
    "marginal_entropy": 2.0,
    "conditional_entropy": 0.25,
}

CENTRES = np.array([[0, 0], [8, 0], [0, 8]])
KIND = np.arange(300) % 3
BLOBS = (CENTRES[KIND] + np.random.default_rng(0).normal(size=(300, 2)) / 2).astype(np.float32)
FEW = BLOBS[:40]
IMAGES = np.random.default_rng(0).random((20, 1, 8, 8), dtype=np.float32)
COLOUR = np.random.default_rng(1).random((20, 3, 8, 8), dtype=np.float32)
VECTORS = np.random.default_rng(0).normal(size=(20, 4)) * [1, 100, 1e-3, 0] + [0, 1e3, -1, 7.5]
VECTORS = VECTORS.astype(np.float32)
"""Columns of many scales, the last constant."""


def em(n_clusters: int = 3, **params: Any) -> GanEm:
    return GanEm(n_clusters, **{**SMALL, **params})


def training(X: np.ndarray = FEW, n_clusters: int = 3, **params: Any) -> Training:
    method = em(n_clusters, **params)
    data = method._begin(X)
    e_net = ENet(method, method._runtime, method._builder(), method.E_, data)
    return Training(method, method._runtime, method.G_, method.D_, e_net, data)


def e_net(X: np.ndarray = FEW, n_clusters: int = 3, **params: Any) -> ENet:
    return training(X, n_clusters, **params).e_net


def parameters(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])  # a copy


def purity(labels: np.ndarray) -> float:
    """Share of BLOBS that lie in the kind that most of their cluster are of."""
    return sum(np.bincount(KIND[labels == i]).max() for i in set(labels.tolist())) / len(labels)
