"""The rows that each GAN is trained on: equal division, reseeding, augmentation, batches."""

from __future__ import annotations

import torch
from torch import Tensor

from deep_em_bench.methods.ganmm.parameters import Augment

__all__ = ["ClusterBatches", "equal_division", "reseed"]


def equal_division(n: int, n_clusters: int, stream: torch.Generator) -> Tensor:
    """A random cluster of each row, ``(n,)``, of sizes that differ by one at most."""
    order = torch.randperm(n, generator=stream, device=stream.device)
    labels = torch.empty_like(order)
    labels[order] = torch.arange(n, device=order.device) % n_clusters
    return labels


def reseed(labels: Tensor, w: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Fill clusters of fewer than ``least`` rows from the least confident rows of the others.

    Confidence is a row's largest responsibility. A cluster keeps at least ``least`` rows. Returns
    the new labels ``(N,)`` and the number of clusters that were filled.
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
    # In turns, so that each empty cluster gets rows from the whole ranking.
    turn = torch.arange(len(receivers), device=labels.device)
    turn = turn - (wanted.cumsum(0) - wanted)[receivers]
    moved[free[:size]] = receivers[turn.argsort(stable=True)][:size]
    return moved, (wanted > 0).sum()


class ClusterBatches:
    """Index batches of every cluster's rows, drawn with replacement, on the device.

    Arguments:
        labels: cluster of each row, ``(N,)``. A cluster without rows gets its most probable row.
        w: responsibilities, ``(N, K)``.
        epsilon: amount of augmentation by rows of other clusters (sigma_t).
        augment: ``top`` (Algorithm 1, line 11) adds to each cluster the ``epsilon N / K`` other
            rows of highest posterior; ``sampled`` (the released code) draws a share ``epsilon`` of
            every batch from all other rows, in proportion to their posterior.
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
            rows = self.rows[torch.where(at < counts, starts + at, beyond)]
        else:
            rows = self.rows[starts + _floor(u, counts)]
        rows = rows.unflatten(1, (batches, size))
        if self.epsilon > 0 and self.augment == "sampled":
            foreign = round(self.epsilon * size)
            rows[:, :, size - foreign :] = self._sampled(rows[:, :, size - foreign :])
        return rows.transpose(0, 1)

    def _sampled(self, own: Tensor) -> Tensor:
        """Rows of other clusters by posterior, ``(K, batches, n)``; ``own`` if there are none."""
        total = self.cumulative[:, -1:]
        u = torch.rand(own.flatten(1).shape, generator=self.stream, device=own.device)
        rows = torch.searchsorted(self.cumulative, u.to(total.device) * total, right=True)
        rows = rows.clamp_max(self.cumulative.shape[1] - 1).view_as(own)
        others = (total > 0).unsqueeze(2).to(own.device)  # (K, 1, 1)
        return torch.where(others, rows.to(own.device), own)


def _exact(w: Tensor) -> Tensor:
    """In float64, which sums of many rows need; on the CPU where MPS has none."""
    return (w.cpu() if w.device.type == "mps" else w).double()


def _floor(u: Tensor, n: Tensor) -> Tensor:
    """Integers under n from uniform u; rounding may lift u n to n itself."""
    return torch.minimum((u * n).long(), n - 1)
