"""A mixture of Gaussians in the latent space of a generator, trainable or fixed."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["GaussianMixturePrior"]


class GaussianMixturePrior(nn.Module):
    r"""K Gaussians :math:`N(\mu_k, A_k A_k^\top)` (responsibility GAN, Eq. 1 and section 2.4).

    :math:`A_k` is lower triangular with a positive diagonal: every covariance has exactly one such
    factor. The paper prints a full :math:`D_z \times D_z` matrix.

    Arguments:
        n_components: K.
        d_z: length of z.
        trainable: whether the generator's loss moves means and factors ("dynamic" in GM-GAN).
    """

    mu: Tensor
    """Means, ``(K, D_z)``."""
    factor: Tensor
    """A, with the inverse softplus of its diagonal on the diagonal, ``(K, D_z, D_z)``."""

    def __init__(self, n_components: int, d_z: int, *, trainable: bool) -> None:
        super().__init__()
        mu = torch.empty(n_components, d_z)
        factor = torch.empty(n_components, d_z, d_z)
        if trainable:
            self.mu, self.factor = nn.Parameter(mu), nn.Parameter(factor)
        else:
            self.register_buffer("mu", mu)
            self.register_buffer("factor", factor)

    @torch.no_grad()
    def initialise(self, mean_range: float, std: float, stream: torch.Generator) -> None:
        """Draw means from U(-c, c) and set covariances to ``std**2`` I, as in GM-GAN."""
        self.mu.copy_((2 * torch.rand(self.mu.shape, generator=stream) - 1) * mean_range)
        inverse = std + math.log(-math.expm1(-std))  # softplus(inverse) = std
        self.factor.copy_(torch.eye(self.mu.shape[1]) * inverse)

    def forward(self, epsilon: Tensor, k: Tensor) -> Tensor:
        """:math:`z = A_k \\epsilon + \\mu_k` for each row: ``(B, D_z)`` of ``(B, D_z)``, ``(B,)``.

        All K products for each row: gathering a matrix for each would take B D_z^2 numbers.
        """
        every = torch.einsum("kij,bj->bki", self._A(), epsilon) + self.mu  # (B, K, D_z)
        return every.gather(1, k.view(-1, 1, 1).expand(-1, 1, every.shape[2])).squeeze(1)

    def blend(self, epsilon: Tensor, components: Tensor, weights: Tensor) -> Tensor:
        """Weighted means of one epsilon's z: ``(B, D_z)`` of ``(D_z,)``, ``(J,)``, ``(B, J)``."""
        each = torch.einsum("jmn,n->jm", self._A()[components], epsilon) + self.mu[components]
        return weights @ each

    def _A(self) -> Tensor:
        diagonal = F.softplus(self.factor.diagonal(dim1=1, dim2=2))  # (K, D_z)
        return self.factor.tril(-1) + torch.diag_embed(diagonal)
