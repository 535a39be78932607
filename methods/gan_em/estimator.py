"""GAN-EM: a conditional GAN is the M-step, a net trained on its samples is the E-step."""

from __future__ import annotations

import time
from typing import Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from deep_em_bench.methods.base import (
    Generative,
    Reducer,
    SemiSupervised,
    check_draw,
    check_labels,
    register,
)
from deep_em_bench.methods.gan_em.e_net import ENet
from deep_em_bench.methods.gan_em.nets import NetBuilder, generator_input
from deep_em_bench.methods.gan_em.parameters import GanEmParameters
from deep_em_bench.methods.gan_em.presets import PRESETS
from deep_em_bench.methods.gan_em.steps import Training, mixing_proportions
from deep_em_bench.methods.nets.assignment import Standstill, assignment_row
from deep_em_bench.methods.neural import NeuralMethod

__all__ = ["GanEm"]


@register("gan_em", title="GAN-EM", version=1, presets=PRESETS)
class GanEm(GanEmParameters, NeuralMethod, Generative, Reducer, SemiSupervised):
    r"""GAN-EM (Zhao, Wang, Xie, Shi and Xu), with the symbols of the paper.

    A generator G(z, c) stands for K generators, a discriminator D has K units (and one that says
    "is fake"), and an E-net E gives :math:`w = P(c \mid x)`. An EM iteration (Algorithm 1): with w
    fixed, train G and D on Eqs. (1) and (2) (M-step); with G fixed, train E to tell components of
    generated images apart, Eq. (5), and assign the data, Eq. (4) (E-step).
    """

    labelled_ = False
    """Whether any rows were labelled in the fit."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Algorithm 1 on ``X``; ``y`` has class ids of labelled rows and -1 elsewhere, or is None.

        With labels the components carry the class ids: ``predict`` gives classes. ``labels_`` of
        labelled rows are the given ones.
        """
        known = check_labels(
            y,
            len(self._fitting(X)),
            self.n_clusters,
            semi_supervised=self.semi_supervised,
        )
        self.labelled_ = known is not None
        data = self._begin(X)
        runtime, N, K = self._runtime, len(data), self.n_clusters
        labelled = None
        if known is not None:
            rows, classes = (torch.from_numpy(part).to(runtime.device) for part in known)
            labelled = rows, classes
        e_net = ENet(self, runtime, self._builder(), self.E_, data, labelled)
        training = Training(self, runtime, self.G_, self.D_, e_net, data)
        self.history_, self.converged_ = [], False
        standstill = Standstill(self.tol, self.patience)
        w = torch.full((N, K), 1 / K, device=runtime.device)  # Algorithm 1, line 1
        labels = None
        if e_net.pretrain() or self.labelled_ or self.max_iter == 0:
            w, _ = e_net.assign()
            labels = w.argmax(dim=1)
        self.phi_, self.n_iter_ = mixing_proportions(self, w).cpu().numpy(), 0

        for iteration in range(self.max_iter):
            training.begin(iteration)
            started = time.perf_counter()
            phi = mixing_proportions(self, w)  # phi_i = N_i / N, lines 3-4
            m_row = training.m_step(w, phi)  # lines 5-9
            between = time.perf_counter()
            e_row = training.e_step(phi)  # lines 10-13
            w, supervision = e_net.assign()  # Eq. (4)
            previous, labels = labels, w.argmax(dim=1)
            row = {
                "iteration": iteration + 1,
                **m_row,
                **e_row,
                **supervision,
                **assignment_row(w, previous),
                "m_seconds": between - started,
                "e_seconds": time.perf_counter() - between,
            }
            self.phi_ = mixing_proportions(self, w).cpu().numpy()
            self._record(row)  # whose callback may sample
            self.converged_ = standstill.reached(row)
            if self.converged_:
                break
        self.labels_ = w.argmax(dim=1).cpu().numpy()
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Responsibilities of the E-net, ``(N, K)`` float32."""
        x = self._incoming(X)
        return self._runtime.apply(self.E_, x).softmax(dim=1).cpu().numpy()

    def can_sample(self) -> bool:
        """Whether an EM iteration has trained G."""
        check_is_fitted(self)
        return self.n_iter_ > 0

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """``n`` draws from G, components by phi (or all of one); scaled back to X's own scale."""
        check_draw(n, component, self.n_clusters)
        if not self.can_sample():
            raise ValueError("G is untrained: no EM iteration was run; fit with max_iter >= 1")
        c, stream = self._runtime.components(n, component, self.phi_, random_state)
        x = self._runtime.apply(self.G_, generator_input(self, c, stream))
        return self._scaling.from_net(x), c.cpu().numpy()

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The input of E's output layer; with ``n_components=k`` the k features of section 5.4."""
        x = self._incoming(X)
        features = nn.Sequential(*list(self.E_.children())[:-1])
        return self._runtime.apply(features, x).cpu().numpy()

    def _nets(self) -> dict[str, nn.Module]:
        return {"G": self.G_, "D": self.D_, "E": self.E_}

    def _build(self) -> None:
        builder = self._builder()
        self.G_, self.D_, self.E_ = builder.generator(), builder.discriminator(), builder.e_net()

    def _builder(self) -> NetBuilder:
        shape = tuple(self.shape_)
        output = self._scaling.output(shape)
        return NetBuilder(self, self._runtime, shape, output=output, labelled=self.labelled_)
