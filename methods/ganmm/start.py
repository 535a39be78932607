"""The first division of GANMM's data (Algorithm 1, line 1)."""

from __future__ import annotations

import math

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from deep_em_bench.methods.ganmm.clusters import equal_division, reseed
from deep_em_bench.methods.ganmm.parameters import GanmmParameters
from deep_em_bench.methods.ganmm.steps import Classifier
from deep_em_bench.methods.gmm import Gmm
from deep_em_bench.methods.nets.projection import components_for
from deep_em_bench.methods.nets.runtime import Runtime
from deep_em_bench.methods.nets.starts import keep_most_informative

__all__ = ["first_division"]


def first_division(
    settings: GanmmParameters, data: Tensor, h: Classifier, least: int, runtime: Runtime
) -> Tensor:
    """Labels of all data, ``(N,)``.

    Arguments:
        settings: the hyper-parameters.
        data: all of X in the range of the nets, ``(N, *shape)``.
        h: the classifier, which is pretrained here if it makes the division.
        least: smallest size of a cluster, where posteriors make the division.
        runtime: source of the draws.
    """
    N, K, start = len(data), settings.n_clusters, settings.start
    if start == "auto":
        start = "classifier" if _suits_h(settings, data, h) else "gmm"
    if start == "random":
        return equal_division(N, K, runtime.generator)
    seed = runtime.seed("first division")
    if start == "kmeans":
        k_means = KMeans(K, n_init=10, random_state=seed).fit(data.flatten(1).cpu().numpy())
        return torch.from_numpy(k_means.labels_.astype(np.int64)).to(data.device)
    if start == "gmm":
        points = h.inputs.flatten(1).cpu().numpy()
        w = Gmm(K, standardise=False, random_state=seed).fit(points).predict_proba(points)
        w = torch.from_numpy(w).to(data.device)
    else:
        w = _pretrained(settings, h)
    return reseed(w.argmax(dim=1), w, least)[0]


def _suits_h(settings: GanmmParameters, data: Tensor, h: Classifier) -> bool:
    """Whether h learns from real data, and these are images or wide."""
    wide = components_for(math.prod(data.shape[1:]), settings.e_components) is not None
    return h.regulariser.active and (data.dim() == 4 or wide)


def _pretrained(settings: GanmmParameters, h: Classifier) -> Tensor:
    """Posteriors of all data by h, ``(N, K)``, after updates on real data alone."""
    trial = min(settings.init_steps, settings.e_pretrain_steps)

    def train(start: int) -> Tensor:
        if start > 0:
            h.restart(start)
        h.learn_from_data(trial)
        return h.posteriors()

    keep_most_informative(settings.n_init, train, lambda: (h.inner, h.optimizer))
    h.learn_from_data(settings.e_pretrain_steps - trial)
    return h.posteriors()
