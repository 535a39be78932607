"""A GANMM small enough for tests, and data it can learn in a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from deep_em_bench.methods.ganmm.clusters import ClusterBatches
from deep_em_bench.methods.ganmm.em import GanmmEm
from deep_em_bench.methods.ganmm.estimator import Ganmm
from deep_em_bench.methods.ganmm.steps import Classifier, Gans
from tests.methods.small import BLOBS, KIND

__all__ = ["BLOBS", "FEW", "IMAGES", "KIND", "classifier", "clusters", "ganmm", "ganmm_em", "gans"]

GANS: dict[str, Any] = {
    # Every hyper-parameter, so that no default enters.
    "max_iter": 2,
    "pretrain_steps": 2,
    "m_steps": 2,
    "critic_steps": 2,
    "batch_size": 16,
    "tol": 0.0,
    "patience": 99,
    "wgan": "gp",
    "gradient_penalty": 1.0,
    "penalty_unit": "fixed",
    "clip": 0.01,
    "optimizer": "adam",
    "g_lr": 1e-3,
    "d_lr": 1e-3,
    "network": "mlp",
    "width": 0.05,
    "hidden": (16,),
    "noise_dim": 4,
    "critic_norm": "none",
    "scaling": "max_abs",
    "ensemble": "auto",
    "device": "cpu",
}
CLASSIFIER: dict[str, Any] = {
    "start": "random",
    "n_init": 1,
    "init_steps": 1000,
    "e_steps": 3,
    "e_batch_size": 10,
    "real_batch_size": 30,
    "e_optimizer": "adam",
    "e_beta2": 0.9,
    "e_lr": 1e-3,
    "classifier_data": "generated",
    "classifier_batches": "mixed",
    "prior": "uniform",
    "label_smoothing": 0.0,
    "double_softmax": False,
    "epsilon": (0.5, 0.0),
    "epsilon_ends": (1,),
    "augment": "sampled",
    "min_share": 0.0,
    "e_hidden": (16,),
    "e_conv_hidden": (),
    "e_components": None,
    "e_batch_norm": False,
    "e_gain": 1.0,
    "e_last_std": None,
    "e_noise": 0.0,
    "e_pretrain_steps": 0,
    "consistency": 0.0,
    "marginal_entropy": 0.0,
    "conditional_entropy": 0.0,
    "consistency_radius": 1.0,
}

FEW = BLOBS[:40]
IMAGES = np.random.default_rng(0).random((40, 1, 8, 8), dtype=np.float32)


def ganmm(n_clusters: int = 3, **params: Any) -> Ganmm:
    return Ganmm(n_clusters, **{**GANS, **CLASSIFIER, **params})


def ganmm_em(n_clusters: int = 3, **params: Any) -> GanmmEm:
    return GanmmEm(n_clusters, **{**GANS, **params})


def gans(X: np.ndarray = BLOBS, **params: Any) -> tuple[Ganmm, Gans]:
    """The WGANs before training, and their method."""
    method = ganmm(**params)
    data = method._begin(X)
    return method, Gans(method, method.G_, method.D_, data, method._runtime)


def classifier(X: np.ndarray = BLOBS, **params: Any) -> tuple[Ganmm, Classifier]:
    """The classifier before training, and its method."""
    method, training = gans(X, **params)
    return method, Classifier(method, method.E_, training, training.data, method._runtime)


def clusters(labels: torch.Tensor, K: int, stream: torch.Generator) -> ClusterBatches:
    """Batches of the clusters without augmentation."""
    w = torch.nn.functional.one_hot(labels, K).float()
    return ClusterBatches(labels, w, 0.0, "top", stream)
