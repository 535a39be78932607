"""Principal components as the first layer of a net."""

from __future__ import annotations

import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

__all__ = ["Projection", "components_for", "without_projection"]


def components_for(columns: int, n_components: int | None) -> int | None:
    """Principal components that a net is given in place of wide data; None: the data as they are.

    Wide data have more than twice as many columns as components. Components are no image: a net
    that is given them is fully connected.
    """
    return n_components if n_components is not None and 2 * n_components < columns else None


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

    def before(self, net: nn.Module) -> nn.Sequential:
        """This and the layers of ``net`` as one net, which is given the data as they are."""
        return nn.Sequential(self, *net.children())

    def find(self, x: Tensor, seed: int) -> None:
        """Of points ``(N, ...)``; with fewer of them than components the rest stay zero."""
        X = x.flatten(1).cpu().numpy()
        mean = X.mean(axis=0)
        _, _, found = randomized_svd(X - mean, self.axes.shape[1], random_state=seed)
        self.mean.copy_(torch.from_numpy(mean))
        self.axes[:, : len(found)] = torch.from_numpy(found.T)

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.mean) @ self.axes


def without_projection(net: nn.Module) -> nn.Sequential:
    """The layers of a net but for the projection that it may begin with."""
    return nn.Sequential(*(part for part in net.children() if not isinstance(part, Projection)))
