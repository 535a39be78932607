"""Statistics of an assignment for the history, and the rule that ends an iterative fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["Standstill", "assignment_row", "shares"]


def assignment_row(w: Tensor, previous: Tensor | None) -> dict[str, Any]:
    """Entropy, churn and shares of responsibilities ``w``, ``(N, K)``, for a row of a history.

    ``responsibility_entropy`` is the mean over rows, in nats; ``churn`` the share of labels that
    differ from the ``previous`` ones, ``(N,)``, left out if these are None; ``shares`` the sizes
    of the K clusters over N.
    """
    labels = w.argmax(dim=1)
    row: dict[str, Any] = {
        "responsibility_entropy": float(torch.special.entr(w).sum(dim=1).mean())
    }
    if previous is not None:
        row["churn"] = float((labels != previous).float().mean())
    row["shares"] = shares(labels, w.shape[1]).tolist()
    return row


def shares(labels: Tensor, K: int) -> Tensor:
    """Share of each cluster, ``(K,)`` float32, of labels ``(N,)``."""
    return torch.bincount(labels, minlength=K) / len(labels)


class Standstill:
    """The stopping rule: ``patience`` iterations in a row that change almost no label.

    Arguments:
        tol: largest share of labels that an iteration may change.
        patience: number of such iterations in a row.
    """

    def __init__(self, tol: float, patience: int) -> None:
        self.tol, self.patience = tol, patience
        self.still = 0

    def reached(self, row: Mapping[str, Any], *, counts: bool = True) -> bool:
        """Whether the iterations in a row are complete with that of this row of a history.

        An iteration without ``churn``, or one that does not count, sets their number back to 0.
        """
        settled = counts and row.get("churn", float("inf")) <= self.tol
        self.still = self.still + 1 if settled else 0
        return self.still >= self.patience
