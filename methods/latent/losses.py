"""The losses of the responsibility GAN: Eqs. (3) and (4), as printed and as ours."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "GeneratorLoss",
    "MutualInformation",
    "adversarial_losses",
    "mutual_information_loss",
]

GeneratorLoss = Literal["saturating", "non_saturating"]
MutualInformation = Literal["literal", "recover"]


def adversarial_losses(
    real: Tensor, fake: Tensor, alpha: Tensor, kind: GeneratorLoss
) -> tuple[Tensor, Tensor]:
    r"""Eq. (3): what D minimises, and what G (and C, through alpha) minimises.

    .. math:: E_x \sum_k \alpha_k(x) \left[\log D(x) + \log(1 - D(x_k))\right]

    The factor 1/K is left out: it only scales the losses of D and G. In the loss of C, where
    Eq. (3) trains it, Eq. (3) then has K times the weight against Eq. (4).

    Arguments:
        real: logits of real images, ``(B,)``.
        fake: logits of their fakes, ``(B, M)``: of all K components, or of M drawn ones.
        alpha: weights of the fakes, ``(B, M)``; rows sum to one.
        kind: ``saturating`` is Eq. (3), ``non_saturating`` has -log D(x_k) in the loss of G.
    """
    # softplus(-l) = -log sigmoid(l), softplus(l) = -log(1 - sigmoid(l))
    d_loss = F.softplus(-real).mean() + (alpha.detach() * F.softplus(fake)).sum(dim=1).mean()
    if kind == "non_saturating":
        return d_loss, (alpha * F.softplus(-fake)).sum(dim=1).mean()
    return d_loss, -(alpha * F.softplus(fake)).sum(dim=1).mean()


def mutual_information_loss(
    logits: Tensor, alpha: Tensor, weight: Tensor, k: Tensor, kind: MutualInformation
) -> Tensor:
    r"""Eq. (4), negated.

    ``literal``: :math:`-E_x \frac1M \sum_k \sum_j \alpha_j(x) \log C(x_k)_j`, which asks C for
    the same answer, alpha(x), to the image of every component. ``recover``: :math:`-E_x \sum_k
    \alpha_k(x) \log C(x_k)_k`, InfoGAN's bound, which asks for the component.

    Arguments:
        logits: of C for the fakes, ``(B, M, K)``.
        alpha: responsibilities of the real images, ``(B, K)``.
        weight: weights of the fakes, ``(B, M)``; rows sum to one.
        k: components of the fakes, ``(B, M)``.
        kind: ``literal`` or ``recover``.
    """
    log_c = logits.log_softmax(dim=2)
    if kind == "literal":
        return -torch.einsum("bj,bmj->bm", alpha, log_c).mean()
    own = log_c.gather(2, k.unsqueeze(2)).squeeze(2)  # (B, M)
    return -(weight.detach() * own).sum(dim=1).mean()
