"""Several starts: the most informative one goes on, as it was."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deep_em_bench.methods.base import DivergenceError
from deep_em_bench.methods.gan_em.e_net import ENet
from deep_em_bench.methods.gan_em.estimator import GanEm
from deep_em_bench.methods.ganmm.estimator import Ganmm
from deep_em_bench.methods.ganmm.steps import Classifier
from deep_em_bench.methods.nets.optimise import adam, descend
from deep_em_bench.methods.nets.projection import Projection
from deep_em_bench.methods.nets.starts import keep_most_informative, mutual_information
from tests.methods.cases import blobs
from tests.methods.small import INFORMED
from tests.methods.small_ganmm import ganmm

X = blobs(90)
TRUTH = np.arange(90) % 3

GAN_EM: dict[str, Any] = {
    "n_clusters": 3,
    "max_iter": 0,
    "hidden": (16, 16),
    "pretrain_epochs": 0,
    "pretrain_steps": 60,
    "e_batch_size": 30,
    "e_lr": 1e-2,
    "e_average": 0.0,
    "device": "cpu",
}


def h_alone(X: np.ndarray = X, **params: Any) -> Ganmm:
    """GANMM's classifier after what it learns from data alone."""
    alone = {"max_iter": 0, "pretrain_steps": 0, "start": "classifier", "e_lr": 1e-2}
    size = {"e_hidden": (16, 16), "e_batch_norm": True, "e_pretrain_steps": 60}
    return ganmm(**{**alone, **size, **INFORMED, **params}).fit(X)


def information(method: GanEm | Ganmm, X: np.ndarray = X) -> float:
    return mutual_information(torch.from_numpy(method.predict_proba(X)))


class TestMutualInformation:
    def test_sure_and_balanced_clusters_have_log_k(self) -> None:
        assert mutual_information(torch.eye(4).repeat(3, 1)) == pytest.approx(math.log(4))

    @pytest.mark.parametrize("w", [torch.full((6, 3), 1 / 3), torch.eye(3)[[1] * 6]])
    def test_undecided_or_merged_clusters_have_none(self, w: torch.Tensor) -> None:
        assert mutual_information(w) == pytest.approx(0, abs=1e-6)


class TestKeepMostInformative:
    def test_the_best_is_kept_with_its_optimiser(self) -> None:
        net, seen = nn.Linear(2, 2), []
        optimizer = adam(net.parameters(), 0.1)

        def train(start: int) -> torch.Tensor:
            nonlocal optimizer
            optimizer = adam(net.parameters(), 0.1)
            for _ in range(2):
                descend(optimizer, net(torch.ones(1, 2)).square().sum())
            moment = optimizer.state[net.weight]["exp_avg"].clone()
            seen.append((net.weight.detach().clone(), moment))
            sure = [0.6, 0.9, 0.7][start]
            return torch.tensor([[sure, 1 - sure], [1 - sure, sure]])

        keep_most_informative(3, train, lambda: (net, optimizer))
        assert len(seen) == 3
        assert torch.equal(net.weight, seen[1][0])
        assert torch.equal(optimizer.state[net.weight]["exp_avg"], seen[1][1])

    @pytest.mark.parametrize(
        ("starts", "kept"),
        [
            ([1.0], 0),
            ([1.0, 1.0], 0),  # of equal ones the first
            ([math.nan, 1.0, math.nan], 1),  # one that diverged gives way
            ([math.nan, 0.5, 1.0], 2),
            ([math.nan, math.nan], 0),
        ],
    )
    def test_which_of_them(self, starts: list[float], kept: int) -> None:
        net = nn.Linear(1, 1)

        def train(start: int) -> torch.Tensor:
            nn.init.constant_(net.weight, start)
            return starts[start] * torch.eye(2)

        keep_most_informative(len(starts), train, lambda: (net,))
        assert net.weight.item() == kept


class TestGanEm:
    def test_starts_are_never_less_informative_than_the_first_alone(self) -> None:
        gains = []
        for seed in range(6):
            one, many = (GanEm(**GAN_EM, n_init=n, random_state=seed).fit(X) for n in (1, 4))
            gains.append(information(many) - information(one))
        assert min(gains) > -1e-4  # sums of the same numbers in another order
        assert max(gains) > 0.1

    def test_a_seed_repeats_all_starts(self) -> None:
        fits = [GanEm(**GAN_EM, n_init=3, random_state=0).fit(X) for _ in range(2)]
        assert np.array_equal(*(fit.predict_proba(X) for fit in fits))

    def test_a_start_that_diverged_gives_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        learn, starts = ENet._find_clusters, 0

        def diverge_at_first(self: ENet, steps: int) -> None:
            nonlocal starts
            learn(self, steps)
            if starts == 0:
                for p in self.teacher.parameters():
                    nn.init.constant_(p, math.nan)
            starts += 1

        monkeypatch.setattr(ENet, "_find_clusters", diverge_at_first)
        method = GanEm(**GAN_EM, n_init=2).fit(X)
        assert np.isfinite(method.predict_proba(X)).all()
        starts = 0
        with pytest.raises(DivergenceError, match="lower e_lr"):
            GanEm(**GAN_EM, n_init=1).fit(X)

    def test_without_pretraining_nothing_is_chosen(self) -> None:
        one, many = (GanEm(**{**GAN_EM, "pretrain_steps": 0, "n_init": n}).fit(X) for n in (1, 3))
        assert np.array_equal(one.predict_proba(X), many.predict_proba(X))

    def test_after_init_steps_the_best_alone_goes_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps: list[int] = []
        learn = ENet._find_clusters
        monkeypatch.setattr(
            ENet, "_find_clusters", lambda self, n: (steps.append(n), learn(self, n))[1]
        )
        GanEm(**{**GAN_EM, "n_init": 3, "init_steps": 4}).fit(X)
        assert steps == [4, 4, 4, 56]

    def test_the_net_that_is_copied_starts_anew_as_well(self) -> None:
        one, many = (
            GanEm(**{**GAN_EM, "n_init": n, "n_components": 2, "random_state": 2}).fit(X)
            for n in (1, 4)
        )
        assert not np.array_equal(one.predict_proba(X), many.predict_proba(X))

    def test_labels_need_no_starts(self) -> None:
        y = np.where(np.arange(90) < 6, TRUTH, -1)
        one, many = (GanEm(**{**GAN_EM, "n_init": n}).fit(X, y) for n in (1, 4))
        assert np.array_equal(one.predict_proba(X), many.predict_proba(X))

    def test_wide_data_start_anew_behind_their_projection(self) -> None:
        wide = np.hstack([X, np.zeros((90, 8), np.float32)])
        one, many = (
            GanEm(**{**GAN_EM, "n_init": n, "e_components": 2, "random_state": 1}).fit(wide)
            for n in (1, 4)
        )
        projections = [next(fit.E_.children()) for fit in (one, many)]
        assert all(isinstance(layer, Projection) for layer in projections)
        assert torch.equal(*(layer.axes for layer in projections))
        assert not np.array_equal(one.predict_proba(wide), many.predict_proba(wide))


class TestGanmm:
    def test_starts_are_never_less_informative_than_the_first_alone(self) -> None:
        gains = []
        for seed in range(6):
            one, many = (h_alone(n_init=n, init_steps=60, random_state=seed) for n in (1, 4))
            gains.append(information(many) - information(one))
        assert min(gains) > -1e-4  # sums of the same numbers in another order
        assert max(gains) > 0.01

    def test_a_seed_repeats_all_starts(self) -> None:
        fits = [h_alone(n_init=3, init_steps=20) for _ in range(2)]
        assert np.array_equal(*(fit.predict_proba(X) for fit in fits))

    def test_after_init_steps_the_best_alone_goes_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps: list[int] = []
        learn = Classifier.learn_from_data
        monkeypatch.setattr(
            Classifier, "learn_from_data", lambda h, n: (steps.append(n), learn(h, n))[1]
        )
        h_alone(n_init=3, init_steps=4)
        assert steps == [4, 4, 4, 56]

    def test_wide_data_start_anew_behind_their_projection(self) -> None:
        wide = np.hstack([X, np.zeros((90, 8), np.float32)])
        one, many = (h_alone(wide, n_init=n, init_steps=60, e_components=2) for n in (1, 4))
        projections = [next(fit.E_.children()) for fit in (one, many)]
        assert all(isinstance(layer, Projection) for layer in projections)
        assert torch.equal(*(layer.axes for layer in projections))
        assert information(many, wide) >= information(one, wide) - 1e-4
