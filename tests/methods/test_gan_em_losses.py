"""GAN-EM's losses: hand-computed values, the released code as oracle, gradients, optima."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from deep_em_bench.methods.gan_em.losses import (
    ExtraUnit,
    FakeUnits,
    GeneratorLoss,
    discriminator_loss,
    generator_loss,
)

LN3 = math.log(3)  # sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, exp(ln 3) = 3

REAL = torch.tensor([[0.0, LN3], [-LN3, 0.0]])  # D = 1/2 3/4; 1/4 1/2
FAKE = torch.tensor([[-LN3, 0.0], [LN3, LN3]])  # D = 1/4 1/2; 3/4 3/4
W = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
C = torch.tensor([1, 0])
EXTRA_REAL = torch.tensor([[LN3], [0.0]])  # D = 3/4; 1/2
EXTRA_FAKE = torch.tensor([[0.0], [LN3]])  # D = 1/2; 3/4

log = math.log
REAL_SUM = 0.25 * log(1 / 2) + 0.75 * log(3 / 4) + 1.0 * log(1 / 4)
FAKE_SUM_ALL = log(3 / 4) + log(1 / 2) + log(1 / 4) + log(1 / 4)
FAKE_SUM_OWN = log(1 / 2) + log(1 / 4)  # unit 1 of the first image, unit 0 of the second


def test_discriminator_loss_is_equation_2_negated() -> None:
    loss = discriminator_loss(REAL, FAKE, W, C, "none", "all")
    assert float(loss) == pytest.approx(-(REAL_SUM + FAKE_SUM_ALL) / 4)


def test_own_units_make_it_equations_13_and_18() -> None:
    loss = discriminator_loss(REAL, FAKE, W, C, "none", "own")
    assert float(loss) == pytest.approx(-(REAL_SUM + FAKE_SUM_OWN) / 4)


@pytest.mark.parametrize(("extra", "weight"), [("weight_1", 1), ("official", 2)])
@pytest.mark.parametrize(("units", "fake_sum"), [("all", FAKE_SUM_ALL), ("own", FAKE_SUM_OWN)])
def test_the_extra_unit_says_is_fake(
    extra: ExtraUnit, weight: int, units: FakeUnits, fake_sum: float
) -> None:
    real, fake = torch.cat([REAL, EXTRA_REAL], dim=1), torch.cat([FAKE, EXTRA_FAKE], dim=1)
    loss = discriminator_loss(real, fake, W, C, extra, units)
    extra_sum = weight * (log(1 / 4) + log(1 / 2)) + log(1 / 2) + log(3 / 4)
    assert float(loss) == pytest.approx(-(REAL_SUM + fake_sum + extra_sum) / 6)


def random_batch(K: int = 4, B: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    stream = torch.Generator().manual_seed(0)
    real, fake = (3 * torch.randn(B, K + 1, generator=stream) for _ in range(2))
    w = torch.rand(B, K, generator=stream).softmax(dim=1)
    return real, fake, w, torch.randint(K, (B,), generator=stream)


def test_official_discriminator_loss_is_the_released_codes() -> None:
    real, fake, w, c = random_batch()
    B, K = w.shape
    real_weight = torch.cat([w, torch.full((B, 1), 2.0)], dim=1)
    real_target = torch.cat([torch.ones(B, K), torch.zeros(B, 1)], dim=1)
    fake_target = torch.cat([torch.zeros(B, K), torch.ones(B, 1)], dim=1)
    released = F.binary_cross_entropy_with_logits(
        real, real_target, weight=real_weight
    ) + F.binary_cross_entropy_with_logits(fake, fake_target, weight=torch.ones(B, K + 1))
    ours = discriminator_loss(real, fake, w, c, "official", "all")
    assert float(ours) == pytest.approx(float(released), rel=1e-6)


def test_official_generator_loss_is_the_released_codes() -> None:
    _, fake, _, c = random_batch()
    target = torch.zeros_like(fake)
    for row, component in enumerate(c.tolist()):
        target[row, component] = 1
    released = F.binary_cross_entropy_with_logits(fake, target)
    assert float(generator_loss(fake, c, "official")) == pytest.approx(float(released), rel=1e-6)


def test_maximum_likelihood_is_equation_1() -> None:
    # Own logits: 0 of the first image, ln 3 of the second.
    expected = -0.5 * (1 + 3) / 2
    assert float(generator_loss(FAKE, C, "maximum_likelihood")) == pytest.approx(expected)


def test_the_logit_is_clamped_from_above_alone() -> None:
    fake, c = torch.tensor([[9.0], [-9.0]]), torch.tensor([0, 0])
    expected = -0.5 * (math.exp(2) + math.exp(-9)) / 2
    loss = generator_loss(fake, c, "maximum_likelihood", logit_clamp=2.0)
    assert float(loss) == pytest.approx(expected)


def test_non_saturating_is_minus_log_d() -> None:
    loss = generator_loss(FAKE, C, "non_saturating")
    assert float(loss) == pytest.approx(-(log(1 / 2) + log(3 / 4)) / 2)


@pytest.mark.parametrize("extra", ["none", "weight_1", "official"])
@pytest.mark.parametrize("units", ["all", "own"])
def test_descent_on_d_accepts_the_real_and_rejects_the_fake(
    extra: ExtraUnit, units: FakeUnits
) -> None:
    real, fake, w, c = random_batch()
    K = w.shape[1]
    w = w * (torch.arange(K) != 2)  # nobody belongs to component 2
    width = K if extra == "none" else K + 1
    real, fake = (part[:, :width].clone().requires_grad_() for part in (real, fake))
    discriminator_loss(real, fake, w, c, extra, units).backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert (real.grad[:, [0, 1, 3]] < 0).all()
    assert not real.grad[:, 2].any()
    met = F.one_hot(c, K).bool() if units == "own" else torch.ones_like(w, dtype=torch.bool)
    assert (fake.grad[:, :K][met] > 0).all()
    assert not fake.grad[:, :K][~met].any()
    assert (real.grad[:, K:] > 0).all()
    assert (fake.grad[:, K:] < 0).all()


@pytest.mark.parametrize("kind", ["official", "maximum_likelihood", "non_saturating"])
def test_descent_on_g_lifts_the_own_unit(kind: GeneratorLoss) -> None:
    _, fake, _, c = random_batch()
    fake.requires_grad_()
    generator_loss(fake, c, kind, logit_clamp=math.inf).backward()
    assert fake.grad is not None
    own = F.one_hot(c, fake.shape[1]).bool()
    assert (fake.grad[own] < 0).all()
    others = fake.grad[~own]
    # Only the released loss also pushes the other units down.
    assert (others > 0).all() if kind == "official" else not others.any()


def test_a_clamped_logit_has_no_gradient() -> None:
    fake = torch.tensor([[6.0], [4.0]], requires_grad=True)
    generator_loss(fake, torch.tensor([0, 0]), "maximum_likelihood", 5.0).backward()
    assert fake.grad is not None
    assert float(fake.grad[0]) == 0
    assert float(fake.grad[1]) == pytest.approx(-math.exp(4) / 4)


@pytest.mark.parametrize("kind", ["official", "non_saturating", "maximum_likelihood"])
def test_losses_stay_finite_for_huge_logits(kind: GeneratorLoss) -> None:
    real, fake, w, c = random_batch()
    for scale in (1e4, -1e4):
        d_loss = discriminator_loss(scale * real, scale * fake, w, c, "official", "all")
        assert math.isfinite(float(d_loss))
        assert math.isfinite(float(generator_loss(scale * fake, c, kind, logit_clamp=5.0)))


class TestOptimum:
    """A discriminator with a free logit at each of three points, against the closed form.

    Batches hold the points in proportion to the distributions, so that means over them are exact.
    """

    P_R = torch.tensor([5, 3, 2]) / 10  # of real data over the points
    W = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], dtype=torch.float64)  # w_i(x)
    PHI = P_R.double() @ W  # (.64, .36): Z of Eq. (10), and N_i / N
    P_F = torch.tensor([[1, 2, 1], [2, 1, 1]]) / 4  # of fakes of each component over the points
    N = 400

    def optimum(self, units: FakeUnits, extra: ExtraUnit) -> Tensor:
        real = torch.repeat_interleave(torch.arange(3), (self.N * self.P_R).round().int())
        # How many fakes of component i lie at point x: N phi_i P_fi(x), all of them whole numbers.
        counts = (self.N * self.PHI[:, None] * self.P_F).round().int()
        c = torch.repeat_interleave(torch.arange(2), counts.sum(dim=1))
        fake = torch.repeat_interleave(torch.arange(3).repeat(2), counts.flatten())
        width = 2 + (extra != "none")
        logits = torch.zeros(3, width, dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            solver.zero_grad()
            value = discriminator_loss(logits[real], logits[fake], self.W[real], c, extra, units)
            value.backward()
            return value

        solver.step(loss)  # pyright: ignore[reportArgumentType]
        return logits.detach().sigmoid()

    def test_own_units_reach_equation_15(self) -> None:
        P_ri = self.W * self.P_R[:, None] / self.PHI  # Eq. (10)
        expected = P_ri / (P_ri + self.P_F.T)  # Eq. (15)
        torch.testing.assert_close(self.optimum("own", "none"), expected, atol=1e-4, rtol=0)

    def test_all_units_do_not(self) -> None:
        mine = self.W * self.P_R[:, None]
        fakes = (self.PHI[:, None] * self.P_F).sum(dim=0)  # of any component
        expected = mine / (mine + fakes[:, None])
        torch.testing.assert_close(self.optimum("all", "none"), expected, atol=1e-4, rtol=0)

    @pytest.mark.parametrize(("extra", "weight"), [("weight_1", 1), ("official", 2)])
    def test_the_extra_unit_weighs_fake_against_real(self, extra: ExtraUnit, weight: int) -> None:
        fakes = (self.PHI[:, None] * self.P_F).sum(dim=0)
        expected = fakes / (fakes + weight * self.P_R)
        extra_unit = self.optimum("own", extra)[:, 2]
        torch.testing.assert_close(extra_unit, expected, atol=1e-4, rtol=0)
