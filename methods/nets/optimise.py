"""The optimisers of the papers, and one step of an optimiser."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["adam", "descend", "rmsprop"]


def adam(
    parameters: Iterable[nn.Parameter],
    rate: float | Tensor,
    betas: tuple[float, float] = (0.5, 0.999),
) -> torch.optim.Adam:
    """Adam, by default with a GAN's betas (Radford et al., 2016)."""
    held = list(parameters)
    return torch.optim.Adam(
        held, lr=rate, betas=betas, fused=True, capturable=held[0].device.type == "cuda"
    )


def rmsprop(
    parameters: Iterable[nn.Parameter],
    rate: float,
    decay: float = 0.99,
    *,
    foreach: bool | None = None,
) -> torch.optim.RMSprop:
    """RMSprop, by default with torch's decay of the mean square."""
    held = list(parameters)
    return torch.optim.RMSprop(
        held, lr=rate, alpha=decay, foreach=foreach, capturable=held[0].device.type == "cuda"
    )


def descend(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    parameters: list[nn.Parameter] | None = None,
) -> None:
    """One step down the gradient of ``loss``, by ``parameters`` alone if these are given.

    Without them every parameter that the loss depends on has its gradient computed.
    """
    optimizer.zero_grad()
    loss.backward(inputs=parameters)
    optimizer.step()
