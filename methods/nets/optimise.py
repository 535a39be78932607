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
    listed = list(parameters)
    return torch.optim.Adam(
        listed, lr=rate, betas=betas, fused=True, capturable=listed[0].device.type == "cuda"
    )


def rmsprop(
    parameters: Iterable[nn.Parameter],
    rate: float,
    decay: float = 0.99,
    *,
    foreach: bool | None = None,
) -> torch.optim.RMSprop:
    """RMSprop, by default with torch's decay of the mean square."""
    listed = list(parameters)
    return torch.optim.RMSprop(
        listed, lr=rate, alpha=decay, foreach=foreach, capturable=listed[0].device.type == "cuda"
    )


def descend(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    parameters: list[nn.Parameter] | None = None,
) -> None:
    """One step down the gradient of ``loss``, which is computed for ``parameters`` alone.

    Without ``parameters`` it is computed for all that the loss depends on.
    """
    optimizer.zero_grad()
    loss.backward(inputs=parameters)
    optimizer.step()
