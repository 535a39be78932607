"""Principal components as the first layer of a net."""

from __future__ import annotations

import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

from deep_em_bench.methods.nets.runtime import Runtime

__all__ = ["Projection", "components_for", "split_projection", "without_projection"]


def components_for(columns: int, n_components: int | None) -> int | None:
    """Number of principal components that a net sees in place of wide data; None: the data.

    Wide data have more than twice as many columns as components. Components are no image: the net
    is then fully connected.
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
        """One net of this projection and the layers of ``net``."""
        return nn.Sequential(self, *net.children())

    def find(self, x: Tensor, seed: int) -> None:
        """Fit to points ``(N, ...)``; with fewer of them than components the rest stay zero."""
        X = x.flatten(1).cpu().numpy()
        mean = X.mean(axis=0)
        _, _, axes = randomized_svd(X - mean, self.axes.shape[1], random_state=seed)
        self.mean.copy_(torch.from_numpy(mean))
        self.axes[:, : len(axes)] = torch.from_numpy(axes.T)

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.mean) @ self.axes


def split_projection(
    net: nn.Module, data: Tensor, runtime: Runtime
) -> tuple[nn.Module, nn.Module, Tensor]:
    """The projection that ``net`` begins with, fitted to ``data``; the other layers; their input.

    For a net without one: the identity, the net itself and the data.
    """
    project, *layers = net.children()
    if not isinstance(project, Projection):
        return nn.Identity(), net, data
    project.find(data, runtime.seed("components"))
    return project, runtime.compile_net(nn.Sequential(*layers)), runtime.apply(project, data)


def without_projection(net: nn.Module) -> nn.Sequential:
    """The layers of a net without the projection that it may begin with."""
    return nn.Sequential(*(part for part in net.children() if not isinstance(part, Projection)))
