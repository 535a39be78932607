"""Which rows each GAN learns from: first division, least share, augmentation, index batches."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

__all__ = ["Augment", "ClusterBatches", "equal_division", "reseed"]

Augment = Literal["sampled", "top"]


def equal_division(n: int, n_clusters: int, stream: torch.Generator) -> Tensor:
    """A random cluster of each row, ``(n,)``, of sizes that differ by one at most."""
    order = torch.randperm(n, generator=stream, device=stream.device)
    labels = torch.empty_like(order)
    labels[order] = torch.arange(n, device=order.device) % n_clusters
    return labels


def reseed(labels: Tensor, w: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Fill clusters of fewer than ``least`` rows from the least confident rows of the others.

    Confidence is a row's largest responsibility. A cluster gives rows only as far as ``least``
    remain. Returns the new labels ``(N,)`` and how many clusters were filled.
    """
    K = w.shape[1]
    counts = torch.bincount(labels, minlength=K)
    wanted = (least - counts).clamp_min(0)  # (K,)
    # Rank of each row in its own cluster, the least confident first: 0, 1, ...
    doubt = w.gather(1, labels.unsqueeze(1)).squeeze(1).argsort(stable=True)
    order = doubt[labels[doubt].argsort(stable=True)]  # by cluster, then by confidence
    starts = counts.cumsum(0) - counts
    rank = torch.empty_like(labels)
    rank[order] = torch.arange(len(labels), device=labels.device) - starts[labels[order]]
    spare = (counts - least).clamp_min(0)[labels] > rank
    free = doubt[spare[doubt]]  # the least confident first
    receivers = torch.repeat_interleave(torch.arange(K, device=labels.device), wanted)
    size = min(len(free), len(receivers))
    moved = labels.clone()
    # In turns, so that two empty clusters are not given one stretch of the ranking each.
    turn = torch.arange(len(receivers), device=labels.device)
    turn = turn - (wanted.cumsum(0) - wanted)[receivers]
    moved[free[:size]] = receivers[turn.argsort(stable=True)][:size]
    return moved, (wanted > 0).sum()


class ClusterBatches:
    """Index batches of every cluster's rows, drawn with replacement, on the device.

    Arguments:
        labels: cluster of each row, ``(N,)``. A cluster without rows has its most probable one.
        w: responsibilities, ``(N, K)``.
        epsilon: how much of the other clusters' rows is added (sigma_t): with ``top`` (Algorithm
            1, line 11) each cluster is joined by the ``epsilon N / K`` others of highest
            posterior; with ``sampled`` (the released code) a share ``epsilon`` of every batch is
            drawn from all others in proportion to it.
        augment: which of the two.
        stream: source of every draw, on the same device.
    """

    def __init__(
        self, labels: Tensor, w: Tensor, epsilon: float, augment: Augment, stream: torch.Generator
    ) -> None:
        N, K = w.shape
        self.augment, self.epsilon, self.stream = augment, epsilon, stream
        counts = torch.bincount(labels, minlength=K)
        rows = [labels.argsort(stable=True), w.argmax(dim=0)]
        starts = counts.cumsum(0) - counts
        self.starts = torch.where(counts > 0, starts, N + torch.arange(K, device=w.device))
        self.counts = counts.clamp_min(1)
        self.others = (N - counts).clamp_max(round(epsilon * N / K)) if augment == "top" else None
        if epsilon > 0:
            foreign = w.clamp_min(torch.finfo(w.dtype).tiny)
            foreign[torch.arange(N, device=w.device), labels] = 0.0
            if augment == "top":
                nearest = foreign.T.topk(min(N, round(epsilon * N / K)), dim=1).indices
                self.first_other = N + K + torch.arange(K, device=w.device) * nearest.shape[1]
                rows.append(nearest.flatten())
            else:
                self.cumulative = _exact(foreign).T.cumsum(dim=1)  # (K, N)
        self.rows = torch.cat(rows)

    def draw(self, batches: int, size: int) -> Tensor:
        """Row indices ``(batches, K, size)``."""
        u = torch.rand(
            (len(self.counts), batches * size), generator=self.stream, device=self.rows.device
        )
        counts, starts = self.counts.unsqueeze(1), self.starts.unsqueeze(1)
        if self.epsilon > 0 and self.augment == "top":
            assert self.others is not None
            at = _floor(u, counts + self.others.unsqueeze(1))
            beyond = self.first_other.unsqueeze(1) + at - counts
            found = self.rows[torch.where(at < counts, starts + at, beyond)]
        else:
            found = self.rows[starts + _floor(u, counts)]
        found = found.unflatten(1, (batches, size))
        if self.epsilon > 0 and self.augment == "sampled":
            foreign = round(self.epsilon * size)
            found[:, :, size - foreign :] = self._sampled(found[:, :, size - foreign :])
        return found.transpose(0, 1)

    def _sampled(self, instead: Tensor) -> Tensor:
        """Draws by posterior, ``(K, batches, n)``; own rows where there are no others."""
        total = self.cumulative[:, -1:]
        u = torch.rand(instead.flatten(1).shape, generator=self.stream, device=instead.device)
        found = torch.searchsorted(self.cumulative, u.to(total.device) * total, right=True)
        found = found.clamp_max(self.cumulative.shape[1] - 1).view_as(instead)
        others = (total > 0).unsqueeze(2).to(instead.device)  # (K, 1, 1)
        return torch.where(others, found.to(instead.device), instead)


def _exact(w: Tensor) -> Tensor:
    """In float64, which sums of many rows need and MPS has not: there on the CPU."""
    return (w.cpu() if w.device.type == "mps" else w).double()


def _floor(u: Tensor, n: Tensor) -> Tensor:
    """Integers under n from uniform u; rounding may lift u n to n itself."""
    return torch.minimum((u * n).long(), n - 1)
