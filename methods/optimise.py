"""Adam as GANs are trained by it, and one step of an optimiser."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["adam", "descend"]


def adam(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Adam:
    """Adam with a GAN's betas, (.5, .999) (Radford et al., 2016)."""
    return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999), fused=True)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down the gradient of ``loss``."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
