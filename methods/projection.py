"""Principal components as the first layer of a net."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

__all__ = ["Projection"]


class Projection(nn.Module):
    """Points ``(B, ...)`` onto the first principal components of data, not whitened: ``(B, k)``.

    Arguments:
        columns: numbers a point has, D.
        n_components: k, at most D.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, columns: int, n_components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("axes", torch.zeros(columns, n_components))

    def find(self, X: np.ndarray, seed: int) -> None:
        """Of the data ``(N, D)``; with fewer rows than components the rest stay zero."""
        mean = X.mean(axis=0)
        _, _, found = randomized_svd(X - mean, self.axes.shape[1], random_state=seed)
        self.mean.copy_(torch.from_numpy(mean))
        self.axes[:, : len(found)] = torch.from_numpy(found.T)

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.mean) @ self.axes
