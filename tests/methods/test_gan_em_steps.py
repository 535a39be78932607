"""The M-step, the E-step, and the pretraining and supervision around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deep_em_bench.methods.gan_em import e_net as gan_em_e_net
from deep_em_bench.methods.gan_em import estimator as gan_em
from deep_em_bench.methods.gan_em import steps as gan_em_steps
from deep_em_bench.methods.gan_em.steps import Training
from tests.methods.small import BLOBS, FEW, INFORMED, KIND, e_net, em, parameters, purity, training


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], list[Any]]:
    """Call with a function of a Training, w and phi: the list of its values at every M-step."""

    def install(look: Callable[[Training, Tensor, Tensor], Any]) -> list[Any]:
        seen: list[Any] = []

        class Watched(Training):
            def m_step(self, w: Tensor, phi: Tensor) -> dict[str, float]:
                seen.append(look(self, w.clone(), phi.clone()))
                return super().m_step(w, phi)

        monkeypatch.setattr(gan_em, "Training", Watched)
        return seen

    return install


def optimizers(t: Training) -> tuple[torch.optim.Optimizer, ...]:
    return t.d_optimizer, t.g_optimizer, t.e_net.optimizer


class TestSteps:
    def test_an_iteration_is_d_and_g_in_turn_and_then_e(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moved: list[int] = []
        descend = gan_em_steps.descend

        def watched(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
            moved.append(sum(p.numel() for p in optimizer.param_groups[0]["params"]))
            descend(optimizer, loss)

        for module in (gan_em_steps, gan_em_e_net):
            monkeypatch.setattr(module, "descend", watched)
        method = em(max_iter=2, m_epochs=1, e_steps=3).fit(FEW)  # 40 rows: two batches of 16
        D, G, E = (parameters(net).numel() for net in (method.D_, method.G_, method.E_))
        assert len({D, G, E}) == 3
        assert moved == 2 * [D, G, D, G, E, E, E]

    @pytest.mark.parametrize("name", ["D", "G", "E"])
    @pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
    def test_each_loss_moves_its_own_net_alone(self, name: str, optimizer: str) -> None:
        rates: dict[str, Any] = {"d_lr": 0.0, "g_lr": 0.0, "e_lr": 0.0, f"{name.lower()}_lr": 1e-2}
        method = em(optimizer=optimizer, **rates).fit(FEW)
        build = method._builder()
        first = {"G": build.generator(), "D": build.discriminator(), "E": build.e_net()}
        for other, net in method._nets().items():
            still = torch.equal(parameters(net), parameters(first[other]))
            assert still == (other != name)

    def test_the_first_responsibilities_are_uniform(self, watch: Callable[..., list[Any]]) -> None:
        seen = watch(lambda training, w, phi: (w, phi))
        method = em(max_iter=2).fit(FEW)
        (first, phi), (second, _) = seen
        assert torch.equal(first, torch.full((40, 3), 1 / 3))  # Algorithm 1, line 1
        assert torch.equal(phi, torch.full((3,), 1 / 3))
        assert not torch.equal(second, first)
        assert method.history_[0].keys() >= {
            *("d_loss", "g_loss", "cross_entropy", "responsibility_entropy", "shares"),
            *("m_seconds", "e_seconds"),
        }
        assert sum(method.history_[0]["shares"]) == pytest.approx(1)

    def test_learning_rates_decay_by_the_iteration(self, watch: Callable[..., list[Any]]) -> None:
        seen = watch(lambda t, w, phi: [o.param_groups[0]["lr"] for o in optimizers(t)])
        em(max_iter=3, lr_decay=0.5, d_lr=4e-3, g_lr=8e-3, e_lr=1e-3).fit(FEW)
        assert np.allclose(seen, [[4e-3, 8e-3, 1e-3], [2e-3, 4e-3, 5e-4], [1e-3, 2e-3, 2.5e-4]])

    @pytest.mark.parametrize("reset", [True, False])
    def test_optimizers_are_reset_if_asked(
        self, watch: Callable[..., list[Any]], reset: bool
    ) -> None:
        seen = watch(lambda t, w, phi: [len(o.state) > 0 for o in optimizers(t)])
        em(max_iter=2, reset_optimizers=reset, optimizer="adam").fit(FEW)
        assert seen == [[False] * 3, [not reset] * 3]


class TestComponents:
    @pytest.mark.parametrize("n", [6, 16, 17])
    def test_balanced_batches_hold_equal_counts(self, n: int) -> None:
        t = training(component_sampling="balanced")
        counts = np.array([np.bincount(t._components(n, None), minlength=3) for _ in range(30)])
        assert np.ptp(counts, axis=1).max() <= 1
        assert (counts.mean(axis=0) != counts[0]).any() or n % 3 == 0  # the odd ones change

    def test_random_components_are_uniform(self) -> None:
        counts = np.bincount(training(component_sampling="random")._components(30_000, None))
        assert counts == pytest.approx([10_000] * 3, abs=400)
        assert len(set(counts.tolist())) > 1

    def test_components_follow_phi(self) -> None:
        phi = torch.tensor([0.1, 0.3, 0.6])
        counts = np.bincount(training()._components(30_000, phi))
        assert counts == pytest.approx([3_000, 9_000, 18_000], abs=400)

    @pytest.mark.parametrize("units", ["own", "all"])
    @pytest.mark.parametrize("prior", ["estimated", "uniform"])
    def test_which_step_draws_components_by_phi(
        self, units: str, prior: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        t = training(fake_units=units, prior=prior)
        phi, drawn_by = torch.tensor([0.2, 0.3, 0.5]), []
        draw = t._components

        def watched(n: int, by: Tensor | None) -> Tensor:
            drawn_by.append(by is phi)
            return draw(n, by)

        monkeypatch.setattr(t, "_components", watched)
        t.m_step(torch.full((40, 3), 1 / 3), phi)
        assert drawn_by == 2 * [units == "own"]
        t.e_step(phi)
        assert drawn_by[2:] == 3 * [prior == "estimated"]


class TestPretraining:
    def test_without_information_there_is_nothing_to_pretrain(self) -> None:
        without = em(pretrain_steps=0).fit(FEW)
        method = em(pretrain_steps=5).fit(FEW)
        np.testing.assert_array_equal(method.predict_proba(FEW), without.predict_proba(FEW))

    def test_pretraining_alone_separates_the_blobs(self, watch: Callable[..., list[Any]]) -> None:
        seen = watch(lambda training, w, phi: w)
        method = em(max_iter=1, pretrain_steps=150, e_lr=5e-3, **INFORMED).fit(BLOBS)
        assert purity(seen[0].argmax(dim=1).numpy()) > 0.95
        assert method.history_[0]["divergence"] >= 0


class TestSupervision:
    CLASS = np.array([2, 0, 1])[KIND]
    Y = np.where(np.arange(300) < 9, CLASS, -1)  # three labels a class

    def test_components_carry_the_class_ids(self) -> None:
        learning = {"m_epochs": 2, "e_steps": 30, "e_lr": 5e-3, **INFORMED}
        method = em(max_iter=2, **learning).fit(BLOBS, self.Y)
        assert (method.predict(BLOBS) == self.CLASS).mean() > 0.95
        assert (method.labels_[:9] == self.Y[:9]).all()
        assert method.labels_.dtype == np.int64
        assert method.history_[-1]["labelled_error"] < 0.05

    def test_labelled_rows_keep_their_class(self, watch: Callable[..., list[Any]]) -> None:
        seen = watch(lambda training, w, phi: w)
        method = em(max_iter=1, labelled_steps=0, e_lr=0.0).fit(BLOBS, self.Y)
        expected = np.eye(3)[self.Y[:9]]
        np.testing.assert_array_equal(seen[0][:9], expected)
        assert (method.labels_[:9] == self.Y[:9]).all()

    def test_supervision_ends_after_so_many_updates(self, monkeypatch: pytest.MonkeyPatch) -> None:
        updates: list[Tensor] = []
        monkeypatch.setattr(gan_em_e_net, "descend", lambda optimizer, loss: updates.append(loss))
        t = e_net(labelled_steps=7, labelled_error=0.0)
        t.labelled = torch.arange(9), torch.from_numpy(self.CLASS[:9])
        t.supervise()
        assert len(updates) == 7

    def test_supervision_ends_under_the_error_rate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        updates: list[Tensor] = []
        monkeypatch.setattr(gan_em_e_net, "descend", lambda optimizer, loss: updates.append(loss))
        t = e_net(labelled_steps=25, labelled_error=0.3)
        rows = torch.arange(9)
        known = t.responsibilities()[rows].argmax(dim=1)
        for wrong, done in ((0, 0), (2, 0), (3, 25), (9, 25)):  # of 9: 0, .22, .33 and 1
            updates.clear()
            t.labelled = rows, torch.where(rows < wrong, (known + 1) % 3, known)
            assert t.supervise() == pytest.approx(wrong / 9)
            assert len(updates) == done

    def test_supervision_ends_once_the_error_rate_is_low(self) -> None:
        t = e_net(BLOBS, labelled_steps=1000, labelled_error=0.05, e_lr=5e-3)
        t.labelled = torch.arange(9), torch.from_numpy(self.CLASS[:9])
        assert t.supervise() < 0.05
        (steps,) = {int(state["step"]) for state in t.optimizer.state.values()}
        assert 0 < steps < 1000
        assert steps % gan_em_e_net.SUPERVISION_CHECKS == 0

    def test_the_returned_error_rate_is_that_of_the_final_e(self) -> None:
        t = e_net(labelled_steps=9, labelled_error=0.0, e_lr=0.01)
        rows = torch.arange(9)
        y = (t.responsibilities()[rows].argmax(dim=1) + 1) % 3  # all wrong at the start
        t.labelled = rows, y
        error = t.supervise()
        left = (t.responsibilities()[rows].argmax(dim=1) != y).float().mean()
        assert left < 1
        assert error == pytest.approx(float(left))

    @torch.no_grad()
    def test_labels_join_every_update_of_e_by_their_weight(self) -> None:
        losses = {}
        for weight in (0.0, 1.0, 2.0):
            t = e_net(labelled_weight=weight, e_batch_size=9)
            t.labelled = torch.arange(9), torch.from_numpy(self.CLASS[:9])
            losses[weight] = float(t.labelled_loss())
        t = e_net(e_batch_size=9)
        rows = torch.randint(9, (9,), generator=t.stream)  # the batch that all of them drew
        y = torch.from_numpy(self.CLASS[:9])[rows]
        alone = float(torch.nn.functional.cross_entropy(t.average(t.inputs[rows]), y))
        assert losses == pytest.approx({0.0: 0.0, 1.0: alone, 2.0: 2 * alone})

    def test_pretraining_learns_the_labels(self) -> None:
        t = e_net(BLOBS, **INFORMED, pretrain_steps=60)
        t.labelled = torch.arange(9), torch.from_numpy(self.CLASS[:9])
        t.pretrain()
        assert (t.responsibilities()[:9].argmax(dim=1) == t.labelled[1]).all()
