"""GAN-EM as an estimator: its loop and when it stops, phi, its nets, what it draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deep_em_bench import methods
from deep_em_bench.methods import DivergenceError
from deep_em_bench.methods.gan_em import steps as gan_em_steps
from deep_em_bench.methods.gan_em.estimator import GanEm
from deep_em_bench.methods.gan_em.nets import generator_input
from deep_em_bench.methods.gan_em.steps import mixing_proportions
from tests.methods.small import BLOBS, FEW, IMAGES, INFORMED, SMALL, em, parameters, purity


class TestStopping:
    def test_still_iterations_in_a_row_end_the_fit(self) -> None:
        method = em(max_iter=9, tol=0.99, patience=3).fit(FEW)
        assert (method.n_iter_, method.converged_) == (4, True)
        method = em(max_iter=9, tol=0.99, patience=3, pretrain_steps=1, **INFORMED).fit(FEW)
        assert (method.n_iter_, method.converged_) == (3, True)  # labels by a pretrained E
        assert "churn" in method.history_[0]
        # A frozen E: the same labels always, and none before the first.
        method = em(max_iter=9, tol=0.0, patience=2, e_lr=0.0, e_batch_norm="none").fit(FEW)
        assert (method.n_iter_, method.converged_) == (3, True)
        assert [row.get("churn") for row in method.history_] == [None, 0.0, 0.0]

    def test_it_ends_at_its_budget(self) -> None:
        method = em(max_iter=4, tol=0.0, patience=5).fit(FEW)
        assert (method.n_iter_, method.converged_) == (4, False)


class TestDivergence:
    @pytest.mark.parametrize("loss", ["discriminator_loss", "generator_loss"])
    def test_an_infinite_loss_ends_the_fit(
        self, loss: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        finite = getattr(gan_em_steps, loss)
        monkeypatch.setattr(gan_em_steps, loss, lambda *inputs: finite(*inputs) * float("inf"))
        with pytest.raises(DivergenceError, match=rf"{loss[0]}_loss .* in EM iteration 1"):
            em().fit(FEW)

    def test_a_huge_learning_rate_ends_the_fit_in_a_later_iteration(self) -> None:
        rows: list[Any] = []
        message = r"became (nan|-?inf) in EM iteration \d+; lower"
        with pytest.raises(DivergenceError, match=message):
            em(max_iter=50, d_lr=1e12, callback=rows.append).fit(FEW)
        assert rows

    def test_a_pretraining_that_diverges_ends_the_fit(self) -> None:
        with pytest.raises(DivergenceError, match="pretraining"):
            em(pretrain_steps=9, e_lr=1e30, **INFORMED).fit(FEW)


class TestMixing:
    def test_phi_by_hand(self) -> None:
        w = torch.tensor([[1.0, 0.0, 0.0], [0.7, 0.2, 0.1]])
        expected = {
            ("uniform", 0.5): [1 / 3, 1 / 3, 1 / 3],
            ("estimated", 0.0): [0.85, 0.1, 0.05],
            ("estimated", 0.6): [0.85 / 1.25, 0.2 / 1.25, 0.2 / 1.25],  # .2 = .6 / K
        }
        for (prior, floor), phi in expected.items():
            mixed = mixing_proportions(em(prior=prior, prior_floor=floor), w)
            assert mixed.tolist() == pytest.approx(phi)

    def test_fitted_phi_is_the_mean_responsibility(self) -> None:
        method = em(prior="estimated", prior_floor=0.0).fit(FEW)
        np.testing.assert_allclose(
            method.phi_, method.predict_proba(FEW).mean(axis=0), rtol=1e-5, atol=1e-6
        )
        method.phi_ = np.array([0.0, 1.0, 0.0], dtype=np.float32)
        assert method.sample(50)[1].tolist() == [1] * 50

    @pytest.mark.parametrize("noise", ["uniform", "gaussian"])
    def test_the_input_of_g_is_component_and_noise(self, noise: str) -> None:
        method = em(noise=noise, noise_dim=1000)
        c = torch.tensor([2, 0])
        latent = generator_input(method, c, torch.Generator().manual_seed(0))
        assert latent[:, :3].tolist() == [[0, 0, 1], [1, 0, 0]]
        z = latent[:, 3:]
        mean, std = (0.5, 12**-0.5) if noise == "uniform" else (0.0, 1.0)
        assert float(z.mean()) == pytest.approx(mean, abs=0.1)
        assert float(z.std()) == pytest.approx(std, abs=0.1)
        assert (z.min() >= 0 and z.max() <= 1) == (noise == "uniform")


class TestNets:
    def test_presets_build_the_papers_nets(self) -> None:
        X = np.zeros((10, 1, 28, 28), dtype=np.float32)
        E = 3_030_346  # Table 4 with 10 units; 1,025 for the eleventh
        for preset, G in (("official", 6_650_433), ("paper", 602_689)):
            method = methods.create("gan_em", preset, n_clusters=10, noise_dim=62, device="cpu")
            assert isinstance(method, GanEm)
            method._begin(X)
            sizes = {name: parameters(net).numel() for name, net in method._nets().items()}
            assert sizes == {"G": G, "D": E + 1025, "E": E}
            assert method.n_parameters() == sum(sizes.values())

    def test_the_released_e_net_never_updates_its_statistics(self) -> None:
        cut = {key: SMALL[key] for key in ("network", "hidden", "device", "e_steps")}
        method = methods.create("gan_em", "official", n_clusters=3, max_iter=2, **cut)
        assert isinstance(method, GanEm)
        method.set_params(m_epochs=1, e_batch_size=15, batch_size=16, e_lr=0.01).fit(FEW)
        norms = [part for part in method.E_.modules() if isinstance(part, nn.BatchNorm1d)]
        assert norms
        for norm in norms:
            assert norm.num_batches_tracked is not None
            assert int(norm.num_batches_tracked) == 0
            assert norm.running_mean is not None
            assert not norm.running_mean.any()
            assert norm.weight.detach().std() > 0  # and yet it learns
        trained = em(e_batch_norm="train").fit(FEW).E_.state_dict()
        assert any(v > 0 for k, v in trained.items() if k.endswith("num_batches_tracked"))
        assert not [k for k in em(e_batch_norm="none").fit(FEW).E_.state_dict() if "running" in k]

    def test_the_generators_weights_are_clipped(self) -> None:
        method = em(generator_clip=0.01).fit(FEW)
        assert parameters(method.G_).abs().max() <= 0.01
        assert parameters(method.D_).abs().max() > 0.01

    @pytest.mark.parametrize("K", [12, 20, 30])
    def test_any_number_of_clusters(self, K: int) -> None:
        method = em(K, prior="estimated", fake_units="own").fit(FEW)
        assert method.predict_proba(BLOBS).shape == (300, K)
        assert len(method.history_[-1]["shares"]) == len(method.phi_) == K
        assert method.sample(3, component=K - 1)[0].shape == (3, 2)
        assert set(method.sample(5000)[1].tolist()) == set(range(K))

    def test_convolutional_nets_have_as_many_units_as_there_are_clusters(self) -> None:
        X = np.random.default_rng(0).random((24, 1, 28, 28), dtype=np.float32)
        method = em(20, network="auto", max_iter=1, extra_unit="weight_1").fit(X)
        assert any(isinstance(part, nn.Conv2d) for part in method.E_.modules())
        x = method._incoming(X)
        assert (method.E_(x).shape, method.D_(x).shape) == ((24, 20), (24, 21))
        assert method.sample(2, component=19)[0].shape == (2, 1, 28, 28)

    @pytest.mark.parametrize("network", ["mlp", "conv"])
    def test_transform_returns_the_input_of_the_output_layer(self, network: str) -> None:
        method = em(network=network, n_components=2).fit(IMAGES)
        features = method.transform(IMAGES)
        assert features.shape == (20, 2)
        last = list(method.E_.children())[-1]
        p = last(torch.from_numpy(features)).softmax(dim=1).detach().numpy()
        np.testing.assert_allclose(p, method.predict_proba(IMAGES), atol=1e-5)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_convolutional_nets_learn_save_and_load(self, channels: int, tmp_path: Path) -> None:
        X = np.repeat(IMAGES, channels, axis=1)
        nets = {"network": "conv", "spectral_norm": ("G", "D", "E")}
        method = em(d_batch_norm=True, **nets).fit(X)
        drawn = method.sample(4)[0]
        assert drawn.shape == (4, channels, 8, 8)
        method.save(tmp_path / "fitted.safetensors")
        loaded = methods.load(tmp_path / "fitted.safetensors")
        assert isinstance(loaded, GanEm)
        np.testing.assert_array_equal(loaded.predict_proba(X), method.predict_proba(X))
        np.testing.assert_array_equal(loaded.sample(4)[0], drawn)


def test_samples_of_a_component_lie_at_its_points() -> None:
    learning = {"m_epochs": 20, "batch_size": 50, "e_steps": 50, "e_batch_size": 60}
    pretraining = {"pretrain_steps": 150, "hidden": (32, 32), "d_noise": 1.0, "e_noise": 1.0}
    method = em(max_iter=3, **learning, **pretraining, **INFORMED).fit(BLOBS)
    assert purity(method.labels_) > 0.95
    for i in range(3):
        centre = np.median(BLOBS[method.labels_ == i], axis=0)
        drawn, _ = method.sample(200, component=i)
        distance = np.linalg.norm(drawn - centre, axis=1)
        assert np.mean(distance < 4) > 0.9  # half the way to the next blob
