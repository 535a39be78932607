"""What several clusterings of the same data agree on, found without labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

__all__ = ["aligned", "consensus"]

MAX_ROUNDS = 20


def aligned(w: Tensor, reference: Tensor) -> Tensor:
    """``w`` with its clusters renumbered to overlap ``reference`` most, one to one; ``(N, K)``."""
    overlap = (reference.T @ w).cpu().numpy()  # (K of reference, K of w)
    _, columns = linear_sum_assignment(overlap, maximize=True)
    return w[:, torch.from_numpy(columns).to(w.device)]


def consensus(votes: Sequence[Tensor]) -> tuple[Tensor, int]:
    """Mean of the responsibilities ``(N, K)`` after alignment, and the vote that is closest to it.

    Alternates between aligning the votes to their mean and taking the mean (soft voting;
    Dimitriadou, Weingessel and Hornik, 2002), from each vote in turn, and keeps the mean that the
    votes overlap most. Cost O(R^2 N K^2) for R votes.
    """
    best, closest, most = votes[0], 0, -1.0
    for first in votes:
        mean = first
        for _ in range(MAX_ROUNDS):
            previous, mean = mean, torch.stack([aligned(w, mean) for w in votes]).mean(dim=0)
            if torch.equal(previous, mean):
                break
        agreement = torch.stack([(mean * aligned(w, mean)).sum() for w in votes])
        if float(agreement.sum()) > most:
            best, closest, most = mean, int(agreement.argmax()), float(agreement.sum())
    return best, closest
