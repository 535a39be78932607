"""The first division of GANMM's data (Algorithm 1, line 1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from deep_em_bench.core import derive_seed
from deep_em_bench.methods.ganmm.clusters import equal_division, reseed
from deep_em_bench.methods.gmm import Gmm
from deep_em_bench.methods.nets.projection import components_for
from deep_em_bench.methods.nets.starts import keep_most_informative

if TYPE_CHECKING:
    from deep_em_bench.methods.ganmm.estimator import Ganmm
    from deep_em_bench.methods.ganmm.steps import Classifier

__all__ = ["Start", "first_division"]

Start = Literal["auto", "random", "kmeans", "gmm", "classifier"]


def first_division(method: Ganmm, data: Tensor, h: Classifier, least: int) -> Tensor:
    """Labels of all data, ``(N,)``.

    Arguments:
        method: the estimator, for its hyper-parameters.
        data: all of X in the nets' range, ``(N, *shape)``.
        h: the classifier, which has learnt if the division is its own.
        least: rows that a cluster of posteriors has at least.
    """
    N, K, start = len(data), method.n_clusters, method.start
    if start == "auto":
        start = "classifier" if _is_for_h(method, h) else "gmm"
    if start == "random":
        return equal_division(N, K, method._generator)
    seed = derive_seed(method.random_state, "first division")
    if start == "kmeans":
        found = KMeans(K, n_init=10, random_state=seed).fit(data.flatten(1).cpu().numpy())
        return torch.from_numpy(found.labels_.astype(np.int64)).to(data.device)
    if start == "gmm":
        points = h.given.flatten(1).cpu().numpy()
        w = Gmm(K, random_state=seed).fit(points).predict_proba(points)
        w = torch.from_numpy(w).to(data.device)
    else:
        w = _pretrained(method, data, h)
    return reseed(w.argmax(dim=1), w, least)[0]


def _is_for_h(method: Ganmm, h: Classifier) -> bool:
    """Whether h learns from real data, and these are images or wide."""
    image = len(method.shape_) == 3
    wide = components_for(math.prod(method.shape_), method.e_components) is not None
    return h.regulariser.active and (image or wide)


def _pretrained(method: Ganmm, data: Tensor, h: Classifier) -> Tensor:
    """Posteriors of all data by h, ``(N, K)``, after updates on real data alone."""
    trial = min(method.init_steps, method.e_pretrain_steps)

    def train(start: int) -> Tensor:
        if start > 0:
            h.begin_anew(start)
        h.learn_from_data(trial)
        return method._assign(data)

    keep_most_informative(method.n_init, train, lambda: (h.inner, h.optimizer))
    h.learn_from_data(method.e_pretrain_steps - trial)
    return method._assign(data)
