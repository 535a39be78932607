"""Regularised information maximisation: a classifier learns to be smooth, sure and balanced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "InformationTerms",
    "InformationWeights",
    "Regularised",
    "Regulariser",
    "coordinate_scale",
    "information_loss",
    "information_terms",
    "neighbour_distance",
    "virtual_adversarial_divergence",
]

CHUNK = 1024
REFERENCE_ROWS = 10_000


@dataclass(frozen=True, kw_only=True)
class InformationWeights:
    """Weights of the terms of :func:`information_loss`."""

    consistency: float
    marginal_entropy: float
    conditional_entropy: float

    @classmethod
    def of(cls, settings: Regularised) -> InformationWeights:
        """Those among a method's hyper-parameters."""
        return cls(
            consistency=settings.consistency,
            marginal_entropy=settings.marginal_entropy,
            conditional_entropy=settings.conditional_entropy,
        )

    def any(self) -> bool:
        """Whether one of them is above 0."""
        return any((self.consistency, self.marginal_entropy, self.conditional_entropy))


class Regularised(Protocol):
    """The hyper-parameters of a :class:`Regulariser`."""

    consistency: float
    marginal_entropy: float
    conditional_entropy: float
    consistency_radius: float


class Regulariser:
    """:func:`information_loss` on rows of one data set, each with a radius of its own.

    Arguments:
        settings: weights of the terms, and the radius in units of a point's own scale.
        data: the data in the range of the nets, ``(N, ...)``.
        inputs: what the classifier sees of them, ``(N, ...)``; may be ``data`` itself.
        stream: source of every draw, on the same device.
        with_unit: whether ``unit`` is needed even if all weights are 0.
    """

    active: bool
    """Whether any weight is above 0; otherwise there is no loss."""
    unit: float
    """Median :func:`coordinate_scale` of the data; 0 if it is not needed."""

    def __init__(
        self,
        settings: Regularised,
        data: Tensor,
        inputs: Tensor,
        stream: torch.Generator,
        *,
        with_unit: bool,
    ) -> None:
        self.inputs, self.stream = inputs, stream
        self.weights = InformationWeights.of(settings)
        self.active = self.weights.any()
        self.unit = 0.0
        if self.active or with_unit:
            scale = coordinate_scale(data, stream)
            self.unit = float(scale.median())
            own = scale if inputs is data else coordinate_scale(inputs, stream)
            self.radius = settings.consistency_radius * own  # (N,)

    def loss(self, net: Callable[[Tensor], Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
        """:func:`information_loss` of these rows, ``(B,)``."""
        x, radius = self.inputs[rows], self.radius[rows]
        return information_loss(net, x, radius, self.weights, self.stream)


def information_loss(
    net: Callable[[Tensor], Tensor],
    x: Tensor,
    radius: Tensor,
    weights: InformationWeights,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    r"""Regularised information maximisation (IMSAT; Hu et al., 2017, Eq. 7) on real data.

    .. math:: \lambda_v \, KL(p(x) \,\|\, p(x + r)) - \lambda_m H(E_x p(x)) + \lambda_c E_x H(p(x))

    Arguments:
        net: the classifier, ``(B, ...)`` to logits ``(B, K)``.
        x: points ``(B, ...)``.
        radius: length of the perturbation r of each point, ``(B,)``, in the units of x.
        weights: the three lambdas.
        generator: source of randomness, on the device of x.

    Returns the loss, and the divergence for the history.
    """
    terms = information_terms(net, x, radius, generator)
    loss = (
        weights.consistency * terms.divergence
        - weights.marginal_entropy * terms.marginal_entropy
        + weights.conditional_entropy * terms.conditional_entropy
    )
    return loss, terms.divergence.detach()


@dataclass(frozen=True, kw_only=True)
class InformationTerms:
    """The parts of :func:`information_loss`, scalars in nats, with their graphs."""

    divergence: Tensor
    r"""Mean :math:`KL(p(x) \,\|\, p(x + r))`."""
    marginal_entropy: Tensor
    conditional_entropy: Tensor


def information_terms(
    net: Callable[[Tensor], Tensor],
    x: Tensor,
    radius: Tensor,
    generator: torch.Generator,
    *,
    perturbed: Callable[[Tensor], Tensor] | None = None,
    probe: float | None = None,
) -> InformationTerms:
    """The terms of :func:`information_loss`, for losses that combine them in another way.

    ``perturbed`` is the net for perturbed points, for example ``net`` with other batch norm; by
    default ``net`` itself. ``probe`` is that of :func:`virtual_adversarial_divergence`.
    """
    logits = net(x).float()
    divergence = virtual_adversarial_divergence(
        perturbed or net, x, logits, radius, generator, probe=probe
    )
    p = logits.softmax(dim=1)
    return InformationTerms(
        divergence=divergence,
        marginal_entropy=_entropy(p.mean(dim=0)),
        conditional_entropy=_entropy(p).mean(),
    )


def virtual_adversarial_divergence(
    net: Callable[[Tensor], Tensor],
    x: Tensor,
    logits: Tensor,
    radius: Tensor,
    generator: torch.Generator,
    *,
    probe: float | None = None,
) -> Tensor:
    r"""Mean :math:`KL(p(x) \,\|\, p(x + r))` with r of length ``radius`` in the worst direction.

    The direction comes from one power iteration with a random start (Miyato et al., 2018, "Virtual
    Adversarial Training", Algorithm 1). The start has length ``probe`` (xi), in the units of x; by
    default the radius, so that the scale of the data plays no part. ``logits`` is ``net(x)``; p(x)
    is a target without gradient.
    """
    length = radius.reshape((-1,) + (1,) * (x.dim() - 1))
    target = logits.detach().softmax(dim=1)
    start = torch.randn(x.shape, generator=generator, device=x.device)
    start = ((length if probe is None else probe) * _unit(start)).requires_grad_()
    (gradient,) = torch.autograd.grad(_divergence(target, net(x + start)), start)
    return _divergence(target, net(x + length * _unit(gradient)))


def neighbour_distance(data: Tensor, generator: torch.Generator, k: int = 10) -> Tensor:
    """Euclidean distance of each row to its ``k``-th nearest other row, ``(N,)``.

    IMSAT's local scale of the data. Above 10,000 rows the neighbours are sought among a random
    10,000 of them, at the rank that keeps the expected distance; the cost then grows with N, not
    with N squared.
    """
    flat = data.flatten(1)  # (N, D)
    n = len(flat)
    reference, rank = flat, min(k, n - 1)
    ranks = torch.full((n, 1), rank, device=flat.device)  # a row's own distance, 0, is rank 0
    if n > REFERENCE_ROWS:
        rows = torch.randperm(n, generator=generator, device=flat.device)[:REFERENCE_ROWS]
        reference, rank = flat[rows], max(1, round(k * REFERENCE_ROWS / n))
        ranks.fill_(rank - 1)  # rows outside the reference are not their own neighbours
        ranks[rows] = rank
    near = [
        torch.cdist(part, reference).topk(rank + 1, largest=False).values.gather(1, at)
        for part, at in zip(flat.split(CHUNK), ranks.split(CHUNK), strict=True)
    ]
    return torch.cat(near).squeeze(1)


def coordinate_scale(data: Tensor, generator: torch.Generator) -> Tensor:
    """Local scale of each point, ``(N,)``: distance to its 10th neighbour over sqrt(D)."""
    return neighbour_distance(data, generator) / data[0].numel() ** 0.5


def _divergence(target: Tensor, logits: Tensor) -> Tensor:
    return F.kl_div(logits.float().log_softmax(dim=1), target, reduction="batchmean")


def _entropy(p: Tensor) -> Tensor:
    """Entropy in nats over the last axis; the floor keeps the gradient finite at p = 0."""
    return -(p * p.clamp_min(torch.finfo(p.dtype).tiny).log()).sum(dim=-1)


def _unit(x: Tensor) -> Tensor:
    norm = x.flatten(1).norm(dim=1).clamp_min(torch.finfo(x.dtype).tiny ** 0.5)
    return x / norm.reshape((-1,) + (1,) * (x.dim() - 1))
