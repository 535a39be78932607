"""GANMM as an estimator: its loop, schedule and stop, what it refuses, what it draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deep_em_bench import methods
from deep_em_bench.core import ConfigError
from deep_em_bench.methods.ganmm import estimator as module
from deep_em_bench.methods.ganmm import networks
from deep_em_bench.methods.ganmm.clusters import ClusterBatches
from deep_em_bench.methods.ganmm.estimator import Ganmm
from deep_em_bench.methods.ganmm.steps import Classifier
from deep_em_bench.methods.nets import runtime
from deep_em_bench.methods.nets.ensemble import EnsembleKind
from tests.methods.small import purity
from tests.methods.small_ganmm import BLOBS, FEW, IMAGES, KIND, ganmm

LEARNING: dict[str, Any] = {
    "max_iter": 4,
    "pretrain_steps": 100,
    "m_steps": 60,
    "critic_steps": 4,
    "e_steps": 40,
    "g_lr": 2e-3,
    "d_lr": 2e-3,
    "e_lr": 5e-3,
    "hidden": (32,),
    "batch_size": 32,
    "e_batch_size": 32,
}
INFORMED: dict[str, Any] = {
    "consistency": 1.0,
    "marginal_entropy": 2.0,
    "conditional_entropy": 0.25,
    "consistency_radius": 5.0,
    "e_batch_norm": True,
    "e_hidden": (32, 32),
}


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What every ClusterBatches of a fit is made of."""
    seen: list[dict[str, Any]] = []

    class Watched(ClusterBatches):
        def __init__(
            self, labels: Tensor, w: Tensor, epsilon: float, augment: Any, stream: torch.Generator
        ) -> None:
            seen.append({"labels": labels.clone(), "w": w.clone(), "epsilon": epsilon})
            super().__init__(labels, w, epsilon, augment, stream)

    monkeypatch.setattr(module, "ClusterBatches", Watched)
    return seen


class TestAlgorithm:
    def test_it_starts_from_a_random_equal_division(self, watch: list[dict[str, Any]]) -> None:
        ganmm(max_iter=1).fit(FEW)
        first = watch[0]["labels"]
        assert sorted(torch.bincount(first).tolist()) == [13, 13, 14]
        assert first.tolist() != sorted(first.tolist())
        assert watch[0]["epsilon"] == 0

    def test_each_m_step_has_what_the_classifier_says(self, watch: list[dict[str, Any]]) -> None:
        method = ganmm(max_iter=3).fit(FEW)
        assert len(watch) == 4
        for row, made in zip(method.history_, watch[1:], strict=True):
            assert made["labels"].tolist() == made["w"].argmax(dim=1).tolist()
            shares = (torch.bincount(made["labels"], minlength=3) / 40).tolist()
            assert row["shares"] == pytest.approx(shares)
            entropy = float(torch.special.entr(made["w"]).sum(dim=1).mean())
            assert row["responsibility_entropy"] == pytest.approx(entropy)
        moved = (watch[1]["labels"] != watch[0]["labels"]).float().mean()
        assert method.history_[0]["churn"] == pytest.approx(float(moved))

    def test_epsilon_falls_by_its_schedule(self, watch: list[dict[str, Any]]) -> None:
        method = ganmm(max_iter=5, epsilon=(0.5, 0.2, 0.0), epsilon_ends=(1, 3)).fit(FEW)
        expected = [0.5, 0.2, 0.2, 0.0, 0.0]
        assert [row["epsilon"] for row in method.history_] == expected
        assert [made["epsilon"] for made in watch[1:]] == expected

    def test_history_has_what_the_figures_need(self) -> None:
        row = ganmm().fit(FEW).history_[0]
        assert row.keys() >= {
            *("cross_entropy", "responsibility_entropy", "shares", "churn", "reseeded"),
            *("critic_distance", "critic_distances", "m_seconds", "e_seconds", "epsilon"),
        }
        assert sum(row["shares"]) == pytest.approx(1)
        assert row["critic_distance"] == pytest.approx(np.mean(row["critic_distances"]))

    @pytest.mark.parametrize("prior", ["uniform", "estimated"])
    def test_components_are_weighed_by_their_clusters_where_asked(
        self, prior: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Tensor] = []
        train = Classifier.train
        monkeypatch.setattr(
            Classifier, "train", lambda h, b, phi, n: [seen.append(phi), train(h, b, phi, n)][1]
        )
        method = ganmm(prior=prior, max_iter=3).fit(FEW)
        shares = [row["shares"] for row in method.history_[:2]]
        expected = [[13 / 40] * 3, *shares] if prior == "estimated" else [[1 / 3] * 3] * 3
        assert torch.stack(seen).numpy() == pytest.approx(np.array(expected), abs=0.03)

    @pytest.mark.parametrize("start", ["kmeans", "gmm", "classifier"])
    def test_other_starts(self, start: str, watch: list[dict[str, Any]]) -> None:
        pretraining = {"e_pretrain_steps": 150, "e_lr": 5e-3, **INFORMED}
        ganmm(max_iter=1, start=start, **pretraining).fit(BLOBS)
        assert purity(watch[0]["labels"].numpy()) > 0.95


class TestStopping:
    def test_it_stops_when_labels_stand_still(self) -> None:
        frozen = {"e_lr": 0.0, "max_iter": 9, "epsilon": (0.0,), "epsilon_ends": ()}
        method = ganmm(patience=2, **frozen).fit(FEW)
        assert (method.n_iter_, method.converged_) == (3, True)
        method = ganmm(patience=3, **{**frozen, "max_iter": 2}).fit(FEW)
        assert (method.n_iter_, method.converged_) == (2, False)

    def test_not_before_augmentation_has_come_to_its_end(self) -> None:
        frozen = {"e_lr": 0.0, "max_iter": 9, "epsilon_ends": (5,), "patience": 1}
        assert ganmm(**frozen).fit(FEW).n_iter_ == 6

    def test_what_is_not_finite_ends_the_fit(self) -> None:
        for params in ({"d_lr": 1e30}, {"e_lr": 1e30}):
            with pytest.raises(methods.DivergenceError, match="in EM iteration"):
                ganmm(max_iter=9, **params).fit(FEW)


class TestClusters:
    def test_a_cluster_that_loses_all_its_points_is_filled(
        self, watch: list[dict[str, Any]]
    ) -> None:
        # No classifier, so all rows are one cluster's: the first of equals.
        silent = {"e_steps": 0, "e_last_std": 0.0}
        method = ganmm(min_share=0.3, **silent).fit(FEW)
        assert [row["reseeded"] for row in method.history_] == [2, 2]
        assert method.history_[0]["shares"] == [1.0, 0.0, 0.0]  # as the classifier says
        assert torch.bincount(watch[1]["labels"]).tolist() == [32, 4, 4]  # .3 x 40 / 3
        method = ganmm(min_share=0.0, **silent).fit(FEW)
        assert [row["reseeded"] for row in method.history_] == [0, 0]
        assert np.isfinite(method.sample(9)[0]).all()

    @pytest.mark.parametrize("K", [1, 12, 30])
    @pytest.mark.parametrize("n", [30, 41])
    def test_any_number_of_clusters_and_of_rows(self, K: int, n: int) -> None:
        method = ganmm(K, min_share=0.1).fit(BLOBS[:n])
        assert method.predict_proba(BLOBS).shape == (300, K)
        assert set(method.sample(50)[1].tolist()) <= set(range(K))
        assert method.sample(3, component=K - 1)[0].shape == (3, 2)

    def test_constant_columns_stay_what_they_are(self) -> None:
        X = np.insert(FEW, 1, 7.0, axis=1)
        method = ganmm(max_iter=1).fit(X)
        scaled = method._on_net(X)
        assert not scaled[:, 1].any()
        assert float(scaled.abs().max()) == pytest.approx(1.0)
        assert np.isfinite(method.predict_proba(X)).all()


class TestScaling:
    def test_ganmms_own_is_by_the_largest_value(self) -> None:
        X = np.array([[0, 10], [2, 10], [10, 40]], dtype=np.float32)
        scaled = ganmm(max_iter=0, scaling="max_abs")._begin(X)
        expected = [[-4 / 6, -0.5], [-2 / 6, -0.5], [1.0, 1.0]]  # means 4 and 20
        assert scaled.numpy() == pytest.approx(np.array(expected), abs=1e-6)
        standard = ganmm(scaling="standard")._begin(X)
        assert standard.std(dim=0, correction=0).tolist() == pytest.approx([1, 1])

    def test_images_keep_their_range(self) -> None:
        assert torch.equal(ganmm()._begin(IMAGES), torch.from_numpy(IMAGES))


class TestRefusals:
    def test_batch_norm_in_a_critic_with_gradient_penalty(self) -> None:
        with pytest.raises(ConfigError, match=r"use critic_norm='layer' or 'none'"):
            ganmm(critic_norm="batch").fit(FEW)

    def test_compiled_nets_with_gradient_penalty(self) -> None:
        with pytest.raises(
            ConfigError, match=r"second derivatives .* use compile=False or a CUDA"
        ):
            ganmm(compile=True).fit(FEW)

    @pytest.mark.parametrize("ends", [(), (1, 2)])
    def test_a_schedule_without_its_ends(self, ends: tuple[int, ...]) -> None:
        with pytest.raises(ConfigError, match="expected an end for each amount but the last"):
            ganmm(epsilon_ends=ends).fit(FEW)

    def test_samples_of_untrained_generators(self) -> None:
        method = ganmm(max_iter=0, pretrain_steps=0).fit(FEW)
        assert not method.can_sample()
        with pytest.raises(ValueError, match="the generators are untrained"):
            method.sample(3)
        assert ganmm(max_iter=0, pretrain_steps=1).fit(FEW).can_sample()


class TestSamples:
    def test_a_sample_is_its_components(self) -> None:
        method = ganmm().fit(FEW)
        x, c = method.sample(20, random_state=4)
        stream = torch.Generator().manual_seed(4)
        phi = torch.from_numpy(method.phi_)
        drawn = torch.multinomial(phi, 20, replacement=True, generator=stream)
        assert c.tolist() == drawn.tolist()
        z = torch.randn(20, 4, generator=stream)
        for i in range(20):
            alone = networks.generate(method.G_, z[i].expand(3, 1, 4), method._runtime)[c[i]]
            np.testing.assert_allclose(x[i], method._scaling.from_net(alone)[0], atol=1e-5)

    def test_phi_is_each_clusters_share(self) -> None:
        method = ganmm().fit(FEW)
        assert method.phi_ == pytest.approx(np.bincount(method.labels_, minlength=3) / 40)
        method.phi_ = np.array([0.0, 1.0, 0.0], dtype=np.float32)
        assert method.sample(50)[1].tolist() == [1] * 50

    def test_images_save_and_load_from_one_ensemble_into_the_other(self, tmp_path: Path) -> None:
        for ensemble, other in (("loop", "batched"), ("batched", "loop")):
            method = ganmm(network="conv", ensemble=ensemble, max_iter=1).fit(IMAGES)
            drawn, _ = method.sample(7)
            assert drawn.shape == (7, 1, 8, 8)
            path = tmp_path / f"{ensemble}.safetensors"
            method.save(path)
            described = path.with_suffix(".json")
            text = described.read_text().replace(
                f'"ensemble": "{ensemble}"', f'"ensemble": "{other}"'
            )
            described.write_text(text)
            loaded = methods.load(path)
            assert isinstance(loaded, Ganmm)
            assert loaded.ensemble == other
            np.testing.assert_allclose(loaded.sample(7)[0], drawn, atol=1e-6)
            assert loaded.n_parameters() == method.n_parameters()


class TestPresets:
    def test_every_preset_names_its_source_and_the_nets_of_its_code(self) -> None:
        X = np.zeros((20, 1, 28, 28), dtype=np.float32)
        for preset, norm in (("paper", False), ("official", True)):
            method = methods.create("ganmm", preset, n_clusters=2, device="cpu")
            assert isinstance(method, Ganmm)
            method._begin(X)
            norms = [p for p in method.D_.modules() if isinstance(p, nn.BatchNorm2d)]
            assert bool(norms) == norm
            method._begin(X[:, 0, 0, :19])
            assert networks.length_of_noise(method, (19,)) == 64
        entry = methods.registry.get("ganmm").attributes["presets"]
        assert all(entry[name].deviations for name in ("paper", "official"))
        assert entry["official"].params["double_softmax"]
        assert not entry["paper"].params["double_softmax"]
        assert methods.create("ganmm").get_params()["epsilon"][-1] == 0

    def test_stable_can_be_fitted_by_both_ensembles_alike(self) -> None:
        cut = {"max_iter": 1, "pretrain_steps": 5, "m_steps": 5, "e_steps": 5, "device": "cpu"}
        found = [
            methods.create("ganmm", "stable", n_clusters=3, ensemble=e, **cut).fit(FEW)
            for e in ("loop", "batched")
        ]
        first, second = (method.predict_proba(FEW) for method in found)
        np.testing.assert_allclose(first, second, atol=1e-3)


def test_blobs_are_parted_and_each_component_draws_its_own() -> None:
    method = ganmm(random_state=1, **LEARNING, **INFORMED).fit(BLOBS)
    assert purity(method.labels_) > 0.95
    for i in range(3):
        kind = np.bincount(KIND[method.labels_ == i]).argmax()
        middle = BLOBS[kind == KIND].mean(axis=0)
        drawn, _ = method.sample(200, component=i)
        assert np.mean(np.linalg.norm(drawn - middle, axis=1) < 4) > 0.9


def test_batch_norm_assigns_by_the_statistics_of_the_real_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "STATISTICS_BATCH", len(FEW))
    method = ganmm(e_noise=5.0, **INFORMED).fit(FEW)  # generated data lie elsewhere
    first, norm, *_ = method.E_.children()
    assert isinstance(norm, nn.BatchNorm1d)
    with torch.no_grad():
        seen = first(method._incoming(FEW))
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.running_var, seen.var(dim=0), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(method.predict(FEW), method.labels_)


@pytest.mark.parametrize("batch", [1000, 2 * len(FEW) // 3])
def test_every_row_counts_once_in_these_statistics(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one batch that is not full, and in two that the data do not fill evenly."""
    monkeypatch.setattr(runtime, "STATISTICS_BATCH", batch)
    method = ganmm(e_noise=5.0, **INFORMED).fit(FEW)
    first, norm, *_ = method.E_.children()
    with torch.no_grad():
        seen = first(method._incoming(FEW))
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ensemble", ["loop", "batched"])
def test_it_is_the_trained_nets_that_are_compiled(
    ensemble: EnsembleKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: set[nn.Module] = set()

    def compiled(forward: Any) -> Callable[..., Tensor]:
        def run(*inputs: Tensor) -> Tensor:
            if torch.is_grad_enabled():
                trained.add(forward.__self__)
            return forward(*inputs)

        return run

    monkeypatch.setattr(torch, "compile", compiled)
    method = ganmm(wgan="clip", ensemble=ensemble, compile=True).fit(FEW)
    assert trained >= {*method.G_.groups(), *method.D_.groups()}


def test_one_row_alone_has_no_such_statistics() -> None:
    method = ganmm(n_clusters=1, start="kmeans", **INFORMED).fit(FEW[:1])
    assert method.labels_.tolist() == [0]


def test_parameters_are_checked_before_what_they_say_together() -> None:
    with pytest.raises(ConfigError, match=r"'epsilon' of Ganmm is 0.1; expected tuple"):
        ganmm(epsilon=0.1).fit(FEW)


def test_one_component_needs_no_more_memory_than_all(monkeypatch: pytest.MonkeyPatch) -> None:
    method = ganmm(**INFORMED).fit(FEW)
    sizes: list[int] = []
    monkeypatch.setattr(networks, "GENERATED", 60)
    method.G_.register_forward_pre_hook(lambda net, given: sizes.append(given[0][..., 0].numel()))
    assert method.sample(100, component=1)[0].shape == (100, *FEW.shape[1:])
    assert max(sizes) <= 60
