"""The WGAN losses by hand, the loop against the batched model, and what the classifier learns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deep_em_bench.methods.ganmm import steps as ganmm_steps
from deep_em_bench.methods.ganmm.clusters import ClusterBatches
from deep_em_bench.methods.ganmm.estimator import Ganmm
from deep_em_bench.methods.ganmm.steps import Classifier, Gans, critic_loss, gradient_penalty
from tests.methods.small_ganmm import BLOBS, IMAGES, KIND, classifier, clusters, gans


def training(X: np.ndarray = BLOBS, **params: Any) -> tuple[Ganmm, Gans, ClusterBatches]:
    """GANs with clusters to train on: every K-th row."""
    method, wgans = gans(X, **params)
    labels = torch.arange(len(X)) % method.n_clusters
    return method, wgans, clusters(labels, method.n_clusters, method._runtime.generator)


def states(method: Ganmm) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, net in method._nets().items()
        for key, value in net.state_dict().items()
    }


class TestLosses:
    def test_critic_loss_by_hand(self) -> None:
        real = torch.tensor([[[3.0], [5.0]], [[0.0], [1.0]]])
        fake = torch.tensor([[[1.0], [1.0]], [[2.0], [0.0]]])
        loss, distance = critic_loss(real, fake)
        assert distance.tolist() == [3.0, -0.5]
        assert float(loss) == -2.5

    def test_the_penalty_of_a_linear_critic_is_that_of_its_slope(self) -> None:
        slopes = torch.tensor([[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]])  # (K, D)
        real, fake = torch.randn(2, 3, 6, 2).unbind()
        found = gradient_penalty(_Linear(slopes), real, fake, torch.rand(3, 6))
        assert float(found.detach()) == pytest.approx(16 + 0 + 1, abs=1e-4)

    def test_the_penalty_is_taken_between_the_two(self) -> None:
        seen: list[Tensor] = []

        class Watched(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                seen.append(x.detach())
                return x.square().sum(dim=(2, 3, 4)).unsqueeze(2)

        real, fake = torch.full((1, 3, 1, 2, 2), 1.0), torch.full((1, 3, 1, 2, 2), 3.0)
        gradient_penalty(Watched(), real, fake, torch.tensor([[0.0, 0.5, 1.0]]))
        assert seen[0][0, :, 0, 0, 0].tolist() == [1.0, 2.0, 3.0]

    def test_a_critic_without_slope_has_a_finite_gradient(self) -> None:
        critic = _Linear(torch.zeros(1, 2))
        gradient_penalty(critic, *torch.ones(2, 1, 4, 2).unbind(), torch.rand(1, 4)).backward()
        assert critic.slopes.grad is not None
        assert critic.slopes.grad.isfinite().all()


class _Linear(nn.Module):
    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.slopes = nn.Parameter(slopes)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.slopes.unsqueeze(1)).sum(dim=2, keepdim=True)


@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": "adam"},
        {"optimizer": "rmsprop", "hidden": (16, 8), "batch_size": 7},
        {"wgan": "clip", "optimizer": "rmsprop"},
        {"network": "conv", "critic_norm": "layer"},
        {"network": "conv", "critic_norm": "batch", "wgan": "clip", "optimizer": "rmsprop"},
    ],
)
def test_loop_and_batched_give_the_same_parameters(params: dict[str, Any]) -> None:
    X = IMAGES if params.get("network") == "conv" else BLOBS
    fixed: dict[str, Any] = {"n_clusters": 4, "g_lr": 1e-4, "d_lr": 1e-4, **params}
    found = {}
    for ensemble in ("loop", "batched"):
        method, wgans, batches = training(X, ensemble=ensemble, **fixed)
        first = states(method)
        distances = wgans.train(batches, 20)
        found[ensemble] = (states(method), distances)
    loop, batched = found["loop"][0], found["batched"][0]
    assert loop.keys() == batched.keys()
    for key, value in loop.items():
        torch.testing.assert_close(batched[key], value, rtol=0, atol=1e-5)
    moved = max(float((loop[k] - first[k]).abs().max()) for k in loop if k.startswith("D."))
    assert moved > 100 * 1e-5
    torch.testing.assert_close(found["batched"][1], found["loop"][1], rtol=1e-3, atol=1e-5)


class TestGans:
    def test_each_update_moves_its_own_net_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        method, wgans, batches = training(ensemble="batched", critic_steps=2)
        moved: list[str] = []
        descend = ganmm_steps.descend

        def watched(optimizer: Any, loss: Tensor, parameters: list[nn.Parameter]) -> None:
            before = states(method)
            descend(optimizer, loss, parameters)
            after = states(method)
            moved.extend({k[0] for k in before if not torch.equal(before[k], after[k])})

        monkeypatch.setattr(ganmm_steps, "descend", watched)
        wgans.train(batches, 2)
        assert moved == ["G", "D", "D"] * 2

    @pytest.mark.parametrize("ensemble", ["loop", "batched"])
    def test_weights_are_clipped_where_asked(self, ensemble: str) -> None:
        fixed = {"wgan": "clip", "clip": 0.0625, "ensemble": ensemble}  # a float32
        method, wgans, batches = training(**fixed)
        wgans.train(batches, 1, clip=False)
        assert max(float(p.detach().abs().max()) for p in method.D_.parameters()) > 0.0625
        wgans.train(batches, 1)
        assert max(float(p.detach().abs().max()) for p in method.D_.parameters()) <= 0.0625
        assert max(float(p.detach().abs().max()) for p in method.G_.parameters()) > 0.0625

    def test_the_penaltys_unit_is_the_datas_spread(self) -> None:
        X = np.array([[0, 0], [6, 0], [0, 8], [6, 8]], dtype=np.float32)  # 5 from their mean
        fixed: dict[str, Any] = {"n_clusters": 2, "gradient_penalty": 3.0, "scaling": "standard"}
        for unit, expected in (("fixed", 3.0), ("spread", 3 * 2**0.5)):  # two columns of std 1
            _, wgans, _ = training(X, penalty_unit=unit, **fixed)
            assert [g.penalty for g in wgans.groups] == pytest.approx([expected])
        _, wgans, _ = training(X, wgan="clip", **fixed)
        assert wgans.groups[0].penalty == 0

    def test_no_steps_change_nothing(self) -> None:
        method, wgans, batches = training()
        before = states(method)
        assert wgans.train(batches, 0).tolist() == [0.0] * 3
        assert all(torch.equal(before[k], v) for k, v in states(method).items())

    def test_a_gan_learns_its_own_rows(self) -> None:
        learning = {"g_lr": 2e-3, "d_lr": 2e-3, "hidden": (32,), "critic_steps": 5}
        method, wgans = gans(**learning)
        labels = torch.from_numpy(KIND)
        batches = clusters(labels, 3, method._runtime.generator)
        first = wgans.train(batches, 20)
        wgans.train(batches, 200)
        last = wgans.train(batches, 20)
        assert (last < first / 2).all()  # the critics' distance falls as the fakes get better
        x = wgans.draw(200)
        middles = torch.stack([wgans.data[labels == i].mean(dim=0) for i in range(3)])
        nearest = torch.cdist(x, middles).argmin(dim=2)  # (3, 200)
        assert (nearest == torch.arange(3).unsqueeze(1)).float().mean() > 0.95


def _batches(h: Classifier) -> ClusterBatches:
    """Each blob as a cluster."""
    return clusters(torch.from_numpy(KIND), 3, h.runtime.generator)


class TestClassifier:
    def test_only_the_classifier_learns(self) -> None:
        method, h = classifier()
        before = states(method)
        h.train(_batches(h), torch.full((3,), 1 / 3), 2)
        changed = {k[0] for k, v in states(method).items() if not torch.equal(before[k], v)}
        assert changed == {"E"}

    @pytest.mark.parametrize(("batches", "updates"), [("mixed", 2), ("single", 6)])
    def test_how_batches_are_made(
        self, batches: str, updates: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, h = classifier(classifier_batches=batches, e_batch_size=5)
        seen: list[list[int]] = []
        update = h._update

        def watched(x: Tensor, c: Tensor, weight: Tensor) -> Tensor:
            assert len(x) == len(c)
            seen.append(torch.bincount(c, minlength=3).tolist())
            return update(x, c, weight)

        monkeypatch.setattr(h, "_update", watched)
        h.train(_batches(h), torch.full((3,), 1 / 3), 2)
        assert len(seen) == updates
        expected = [[5, 5, 5]] * 2 if batches == "mixed" else [[5, 0, 0], [0, 5, 0], [0, 0, 5]] * 2
        assert seen == expected

    @pytest.mark.parametrize("source", ["generated", "clusters"])
    def test_what_it_learns_from(self, source: str) -> None:
        _, h = classifier(classifier_data=source)
        x = h._rows_of_each_component(_batches(h))
        assert x.shape == (3, 10, 2)
        rows = {tuple(row) for row in h.data.tolist()}
        assert (set(map(tuple, x.flatten(0, 1).tolist())) <= rows) == (source == "clusters")
        h.noise = 0.1
        noisy = h._rows_of_each_component(_batches(h))
        assert not set(map(tuple, noisy.flatten(0, 1).tolist())) & rows

    def test_double_softmax_bounds_the_loss(self) -> None:
        for double in (False, True):
            method, h = classifier(double_softmax=double)
            with torch.no_grad():
                for p in method.E_.parameters():
                    p.zero_()
                method.E_[-1].bias[1] = 100.0  # sure of component 1
            c = torch.ones(4, dtype=torch.long)
            found = float(h._update(torch.zeros(4, 2), c, torch.ones(3))[0])
            assert found == pytest.approx(math.log(math.e + 2) - 1 if double else 0, abs=1e-5)

    def test_phi_weighs_the_components(self) -> None:
        method, h = classifier()
        x, c = torch.randn(6, 2), torch.tensor([0, 0, 1, 1, 2, 2])
        logits = method.E_.train()(x).detach()
        each = nn.functional.cross_entropy(logits, c, reduction="none")
        weight = torch.tensor([3.0, 0.0, 0.0])
        assert float(h._update(x, c, weight)[0]) == pytest.approx(float(each[:2].sum() / 2))

    def test_smoothed_targets(self) -> None:
        method, h = classifier(label_smoothing=0.3)
        x, c = torch.randn(2, 2), torch.tensor([0, 2])
        logs = method.E_.train()(x).detach().log_softmax(dim=1)
        target = 0.7 * torch.eye(3)[c] + 0.1
        expected = float(-(target * logs).sum(dim=1).mean())
        assert float(h._update(x, c, torch.ones(3))[0]) == pytest.approx(expected)

    def test_real_data_alone_part_the_blobs(self) -> None:
        terms = {"consistency": 1.0, "marginal_entropy": 2.0, "conditional_entropy": 0.25}
        _, h = classifier(e_lr=5e-3, e_batch_norm=True, e_hidden=(32, 32), **terms)
        h.learn_from_data(150)
        labels = h.posteriors().argmax(dim=1).numpy()
        counts = [np.bincount(KIND[labels == i], minlength=3).max() for i in range(3)]
        assert sum(counts) > 0.95 * len(KIND)
        assert h.train(_batches(h), torch.full((3,), 1 / 3), 1)["divergence"] >= 0
