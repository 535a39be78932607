"""The responsibility GAN: its losses by hand, its nets by count, its prior and interpolations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import Tensor

from deep_em_bench import methods
from deep_em_bench.methods.latent.base import LatentGan
from deep_em_bench.methods.latent.gm_gan import GmGan
from deep_em_bench.methods.latent.losses import adversarial_losses, mutual_information_loss
from deep_em_bench.methods.latent.prior import GaussianMixturePrior
from deep_em_bench.methods.latent.responsibility_gan import ResponsibilityGan
from deep_em_bench.methods.latent.steps import ResponsibilityGanTraining

SMALL: dict[str, Any] = {
    "epochs": 2,
    "steps": 0,
    "batch_size": 16,
    "noise_dim": 4,
    "hidden": (16, 16),
    "device": "cpu",
}
CENTRES = np.array([[0, 0], [8, 0], [0, 8]])
KIND = np.arange(300) % 3
BLOBS = (CENTRES[KIND] + np.random.default_rng(0).normal(size=(300, 2)) / 2).astype(np.float32)


def gan(n_clusters: int = 3, **params: Any) -> ResponsibilityGan:
    return ResponsibilityGan(n_clusters, **{**SMALL, **params})


def prior(K: int = 3, d_z: int = 2, std: float = 0.5) -> GaussianMixturePrior:
    mixture = GaussianMixturePrior(K, d_z, trainable=True)
    mixture.initialise(1.0, std, torch.Generator().manual_seed(0))
    return mixture


class TestLosses:
    real = torch.tensor([0.0, 2.0])
    fake = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    alpha = torch.tensor([[1.0, 0.0], [0.5, 0.5]])

    def test_equation_3_by_hand(self) -> None:
        def log_d(logit: float) -> float:
            return float(-np.log1p(np.exp(-logit)))

        d_loss, g_loss = adversarial_losses(self.real, self.fake, self.alpha, "saturating")
        on_real = (log_d(0) + log_d(2)) / 2
        on_fakes = (log_d(0) + 0.5 * log_d(1) + 0.5 * log_d(0)) / 2  # log(1 - D) = log_d(-logit)
        assert float(d_loss) == pytest.approx(-on_real - on_fakes)
        assert float(g_loss) == pytest.approx(on_fakes)
        _, non_saturating = adversarial_losses(self.real, self.fake, self.alpha, "non_saturating")
        expected = -(log_d(0) + 0.5 * log_d(-1) + 0.5 * log_d(0)) / 2
        assert float(non_saturating) == pytest.approx(expected)

    def test_only_g_s_loss_moves_the_responsibilities(self) -> None:
        alpha = self.alpha.clone().requires_grad_()
        d_loss, g_loss = adversarial_losses(self.real, self.fake, alpha, "saturating")
        assert not d_loss.requires_grad
        (gradient,) = torch.autograd.grad(g_loss, alpha)
        assert gradient.abs().sum() > 0

    def test_equation_4_read_literally_is_least_where_c_answers_alpha_for_every_component(
        self,
    ) -> None:
        alpha = torch.tensor([[0.7, 0.2, 0.1]])
        k = torch.arange(3).expand(1, 3)
        constant = alpha.log().expand(1, 3, 3)
        telling = torch.eye(3).mul(8).unsqueeze(0)

        def loss(logits: Tensor, kind: Any) -> float:
            return float(mutual_information_loss(logits, alpha, alpha, k, kind))

        entropy = float(torch.special.entr(alpha).sum())
        assert loss(constant, "literal") == pytest.approx(entropy)
        assert loss(telling, "literal") > loss(constant, "literal")
        assert loss(telling, "recover") < 0.01 < loss(constant, "recover")


class TestPrior:
    def test_draws_have_the_means_and_covariances_of_their_components(self) -> None:
        mixture = prior()
        with torch.no_grad():
            mixture.factor[1] = torch.tensor([[0.0, 9.0], [2.0, 1.0]])  # 9 is above the diagonal
        stream = torch.Generator().manual_seed(1)
        k = torch.arange(3).repeat(20_000)
        z = mixture(torch.randn(60_000, 2, generator=stream), k).detach()
        for i in range(3):
            A = mixture._A()[i].detach()
            assert A[0, 1] == 0
            torch.testing.assert_close(
                z[k == i].mean(0), mixture.mu[i].detach(), atol=0.05, rtol=0
            )
            torch.testing.assert_close(z[k == i].T.cov(), A @ A.T, atol=0.15, rtol=0.05)

    @pytest.mark.parametrize("std", [1e-3, 0.15, 1.0, 200.0])
    def test_first_factors_are_sigma_times_the_identity(self, std: float) -> None:
        A = prior(std=std)._A().detach()
        torch.testing.assert_close(A, std * torch.eye(2).expand(3, 2, 2), rtol=1e-4, atol=0)

    def test_it_is_trained_only_if_asked(self) -> None:
        assert len(list(GaussianMixturePrior(3, 2, trainable=False).parameters())) == 0
        assert sum(p.numel() for p in prior(10, 100).parameters()) == 101_000  # Table 6


class TestNets:
    @pytest.mark.parametrize(
        ("name", "preset", "params", "count"),
        [
            # Tables 1-3 at 64x64x3, K = 10, D_z = 100; Table 6 prints others, without a reason.
            ("vanilla_gan", "default", {}, 7_948_676),
            ("gm_gan", "static", {}, 7_948_676),
            ("gm_gan", "dynamic", {}, 7_948_676 + 101_000),
            ("responsibility_gan", "paper", {}, 7_948_676 + 101_000 + 327_690),
            ("responsibility_gan", "paper", {"shared": False}, 7_948_676 + 101_000 + 4_220_826),
        ],
    )
    def test_the_numbers_of_parameters(
        self, name: str, preset: str, params: dict[str, Any], count: int
    ) -> None:
        method = methods.create(name, preset, n_clusters=10, device="cpu", **params)
        assert isinstance(method, LatentGan)
        method._begin(np.zeros((10, 3, 64, 64), dtype=np.float32))
        assert method.n_parameters() == count

    @pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 64), (2,)])
    def test_the_nets_take_every_shape(self, shape: tuple[int, ...]) -> None:
        method = gan(network="auto", width=0.1)
        x = method._begin(np.random.default_rng(0).random((12, *shape), dtype=np.float32))
        assert method.nets_.classifier(x).shape == (12, 3)
        assert method.nets_.discriminator(x).shape == (12, 1)
        assert method.nets_.G(torch.zeros(5, 4)).shape == (5, *shape)


class TestTraining:
    def test_drawn_components_estimate_the_full_sum(self) -> None:
        method = gan()
        data = method._begin(BLOBS)
        training = ResponsibilityGanTraining(method, method._runtime, method.nets_, data)
        alpha = torch.tensor([[0.6, 0.3, 0.1]]).expand(4000, 3)
        value = torch.tensor([1.0, 10.0, 100.0])
        method.components_per_image = None
        weight, k = training._fakes_of(alpha)
        exact = (weight * value[k]).sum(1).mean()
        for M in (1, 4):
            method.components_per_image = M
            weight, k = training._fakes_of(alpha)
            assert weight.shape == k.shape == (4000, M)
            drawn = (weight * value[k]).sum(1).mean()
            assert float(drawn) == pytest.approx(float(exact), rel=0.1)

    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("components", [None, 2])
    def test_every_switch_trains_and_stays_finite(
        self, shared: bool, components: int | None
    ) -> None:
        for to_c in (True, False):
            method = gan(
                shared=shared, components_per_image=components, adversarial_to_classifier=to_c
            )
            row = method.fit(BLOBS).history_[-1]
            assert all(np.isfinite(v) for v in row.values() if isinstance(v, float))

    def test_mutual_information_moves_the_prior_only_if_asked(self) -> None:
        weight, moved = 1e3, {}
        for to_prior in (True, False):
            for scale in (1.0, weight):
                method = gan(
                    epochs=1,
                    information_to_generator=to_prior,
                    information_weight=scale,
                    g_lr=1e-2,
                    c_lr=0.0,
                )
                method.fit(BLOBS[:16])
                moved[to_prior, scale] = method.nets_.prior.mu.detach().clone()
        assert torch.equal(moved[False, 1.0], moved[False, weight])
        assert not torch.equal(moved[True, 1.0], moved[True, weight])

    def test_a_shared_encoder_learns_by_eq_3_through_alpha_alone(self) -> None:
        # With so weak an Eq. (4) and one fake drawn, which no alpha weighs, nothing moves C.
        printed: dict[str, Any] = {"shared": True, "adversarial_to_classifier": True, "epochs": 1}
        silent: dict[str, Any] = {
            "consistency": 0.0,
            "marginal_entropy": 0.0,
            "conditional_entropy": 0.0,
        }
        moved = []
        for c_lr in (0.0, 1e-2):
            method = gan(**printed, **silent, d_lr=0.0, c_lr=c_lr, information_weight=0.0)
            method.fit(BLOBS[:16])
            moved.append([p.detach().clone() for p in method.nets_.features.parameters()])
        assert all(torch.equal(one, other) for one, other in zip(*moved, strict=True))

    def test_stable_finds_three_blobs(self) -> None:
        method = gan(epochs=1, steps=300, hidden=(32, 32)).fit(BLOBS)
        table = np.array([np.bincount(method.labels_[i == KIND], minlength=3) for i in range(3)])
        assert table.max(axis=0).sum() >= 0.97 * len(BLOBS)

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_the_printed_equations_collapse(self, seed: int) -> None:
        """The preset as it is, a tenth of its epochs: alpha is sure of one component for all."""
        method = methods.create(
            "responsibility_gan", "paper", n_clusters=3, epochs=20, random_state=seed, device="cpu"
        )
        first, *_, last = method.fit(BLOBS).history_
        assert first["responsibility_entropy"] == pytest.approx(np.log(3), abs=0.02)
        assert last["responsibility_entropy"] < 0.3
        assert max(last["shares"]) == 1

    def test_the_first_epoch_has_no_labels_to_change(self) -> None:
        seen: list[Tensor] = []
        method = gan(epochs=3)

        def look(row: object) -> None:
            seen.append(torch.from_numpy(method.predict(BLOBS)))

        first, *later = method.set_params(callback=look).fit(BLOBS).history_
        assert "churn" not in first
        changed = [float((a != b).float().mean()) for a, b in itertools.pairwise(seen)]
        assert [row["churn"] for row in later] == pytest.approx(changed)


class TestInterpolation:
    def test_ends_are_the_components_themselves(self) -> None:
        method = gan().fit(BLOBS)
        epsilon = np.zeros(4, dtype=np.float32)
        way = method.interpolate([2, 0], np.array([[1, 0], [0.5, 0.5], [0, 1]]), epsilon=epsilon)
        with torch.no_grad():
            ends = method._scaling.from_net(
                method._runtime.apply(method.nets_.G, method.nets_.prior.mu[[2, 0]])
            )
        np.testing.assert_allclose(way[[0, 2]], ends, rtol=1e-4, atol=1e-5)

    def test_three_components_and_a_seed(self) -> None:
        method = gan().fit(BLOBS)
        weights = np.full((4, 3), 1 / 3)
        once = method.interpolate([0, 1, 2], weights, random_state=3)
        assert once.shape == (4, 2)
        assert np.array_equal(once, method.interpolate([0, 1, 2], weights, random_state=3))
        assert not np.array_equal(once, method.interpolate([0, 1, 2], weights, random_state=4))

    def test_three_components_and_one_epsilon(self) -> None:
        method = gan().fit(BLOBS)
        epsilon = np.linspace(-1, 1, 4)
        weights = np.array([[0.2, 0.3, 0.5], [1, 0, 0]])
        way = method.interpolate([1, 2, 0], weights, epsilon=epsilon)
        with torch.no_grad():
            A, mu = method.nets_.prior._A().numpy(), method.nets_.prior.mu.numpy()
        z = weights @ np.stack([A[k] @ epsilon + mu[k] for k in (1, 2, 0)])
        images = method._runtime.apply(method.nets_.G, torch.from_numpy(z.astype(np.float32)))
        np.testing.assert_allclose(way, method._scaling.from_net(images), rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("shape", [(3,), (1, 4), ()])
    def test_an_epsilon_of_another_length_is_refused(self, shape: tuple[int, ...]) -> None:
        method = gan().fit(BLOBS[:40])
        with pytest.raises(ValueError, match=r"epsilon has shape \(.*\); expected \(4,\)"):
            method.interpolate([0, 1], np.array([[0.5, 0.5]]), epsilon=np.zeros(shape))

    def test_interpolation_needs_a_fit(self) -> None:
        with pytest.raises(NotFittedError):
            gan().interpolate([0, 1], np.array([[0.5, 0.5]]))

    @pytest.mark.parametrize(
        ("components", "weights", "message"),
        [
            ([0], [[1.0]], "at least two components"),
            ([0, 1], [[0.5, 0.5, 0.0]], "a column for each"),
            ([0, 3], [[0.5, 0.5]], "expected 0 to 2"),
            ([0, 1], [[0.5, 0.6]], "do not sum to one"),
        ],
    )
    def test_wrong_components_or_weights_are_refused(
        self, components: list[int], weights: list[list[float]], message: str
    ) -> None:
        method = gan().fit(BLOBS[:40])
        with pytest.raises(ValueError, match=message):
            method.interpolate(components, np.array(weights))


def test_gm_gan_assigns_by_a_classifier_of_its_samples() -> None:
    wide = {"mean_range": 3.0, "init_std": None, "g_lr": 1e-3}
    method = GmGan(3, **SMALL, **wide, classifier_steps=300).fit(BLOBS)
    drawn, k = method.sample(300)
    assert (method.predict(drawn) == k).mean() > 0.8
    assert method.cross_entropy_ < np.log(3)
    assert method.phi_.tolist() == pytest.approx([1 / 3] * 3)


def test_vanilla_gan_has_no_clusters() -> None:
    method = methods.create("vanilla_gan", n_clusters=3, **SMALL).fit(BLOBS)
    assert not method.labels_.any()
    assert method.predict_proba(BLOBS[:2]).tolist() == [[pytest.approx(1 / 3)] * 3] * 2
