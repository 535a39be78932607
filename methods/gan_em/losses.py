"""The losses of GAN-EM's M-step, as in the paper and as in the released code."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["ExtraUnit", "FakeUnits", "GeneratorLoss", "discriminator_loss", "generator_loss"]

ExtraUnit = Literal["official", "weight_1", "none"]
FakeUnits = Literal["all", "own"]
GeneratorLoss = Literal["official", "maximum_likelihood", "non_saturating"]

EXTRA_UNIT_WEIGHT = {"official": 2.0, "weight_1": 1.0}


def discriminator_loss(
    real: Tensor,
    fake: Tensor,
    w: Tensor,
    c: Tensor,
    extra_unit: ExtraUnit,
    fake_units: FakeUnits,
) -> Tensor:
    r"""Eq. (2), negated: the paper prints a log-likelihood to maximise as a loss to minimise.

    .. math:: -E_x \sum_i w_i \log D_i(x) - E_{z,c} \sum_i \log(1 - D_i(G(z, c)))

    It is the mean over batch and units, as in the released code. ``extra_unit`` (section 4.3.2)
    adds unit K+1, which says "is fake"; on real images it has weight 2 in the released code. With
    ``fake_units="own"`` the second sum has only i = c (Eqs. 13 and 18), and the optimum is
    Eq. (15); with "all" unit i sees the fakes of every component.

    Arguments:
        real: logits of the real batch, ``(B, K [+ 1])``.
        fake: logits of the generated batch, the same shape.
        w: responsibilities of the real batch, ``(B, K)``.
        c: component of each generated image, ``(B,)``.
    """
    K = w.shape[1]
    w_real, w_fake = w, torch.ones_like(w)
    if fake_units == "own":
        w_fake = F.one_hot(c, K).to(w)
    # softplus(-l) = -log sigmoid(l), softplus(l) = -log(1 - sigmoid(l))
    loss = (w_real * F.softplus(-real[:, :K])).sum() + (w_fake * F.softplus(fake[:, :K])).sum()
    if extra_unit != "none":
        weight = EXTRA_UNIT_WEIGHT[extra_unit]
        loss = loss + weight * F.softplus(real[:, K]).sum() + F.softplus(-fake[:, K]).sum()
    return loss / real.numel()


def generator_loss(
    fake: Tensor,
    c: Tensor,
    kind: GeneratorLoss,
    logit_clamp: float = 5.0,
) -> Tensor:
    r"""The loss of G.

    - ``maximum_likelihood``: Eq. (1), :math:`-\frac12 E \exp(\sigma^{-1}(D_c))`; the logit is
      clamped from above, since its exponential has a heavy tail.
    - ``non_saturating``: :math:`-E \log D_c`.
    - ``official``: the released code's cross-entropy of all units against [onehot(c), 0], which
      also pushes the other K - 1 units down.

    Arguments:
        fake: logits of the generated batch, ``(B, K [+ 1])``.
        c: component of each generated image, ``(B,)``.
        kind: one of these.
        logit_clamp: upper bound on the logit in Eq. (1).
    """
    if kind == "official":
        target = F.one_hot(c, fake.shape[1]).to(fake)
        return F.binary_cross_entropy_with_logits(fake, target)
    own = fake.gather(1, c.unsqueeze(1))  # (B, 1)
    if kind == "non_saturating":
        return F.softplus(-own).mean()
    return -0.5 * own.clamp(max=logit_clamp).exp().mean()
