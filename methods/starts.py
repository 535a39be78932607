"""Several starts of a classifier that learns without labels: the most informative one goes on."""

from __future__ import annotations

import copy
import math
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["BestStart", "mutual_information"]


class Stateful(Protocol):
    """A net or an optimiser."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> object: ...


class BestStart:
    """What the start of the largest mutual information left behind; of equal ones the first.

    A start that diverged, whose information is NaN, gives way to any that did not.
    """

    information: list[float]
    """I(X; Y) of each start in nats, first to last."""

    def __init__(self) -> None:
        self.information = []
        self._states: list[dict[str, Any]] = []

    def offer(self, w: Tensor, *parts: Stateful) -> None:
        """A start's responsibilities of all data, ``(N, K)``, and nets and optimisers moved."""
        information = mutual_information(w)
        others = (each for each in self.information if not math.isnan(each))
        if not self.information or information > max(others, default=-math.inf):
            self._states = [copy.deepcopy(part.state_dict()) for part in parts]
        self.information.append(information)

    def restore(self, *parts: Stateful) -> None:
        """Leave the best start's state in ``parts``, in the order of :meth:`offer`."""
        for part, state in zip(parts, self._states, strict=True):
            part.load_state_dict(state)


def mutual_information(w: Tensor) -> float:
    """I(X; Y) = H(Y) - H(Y | X) of responsibilities ``w``, ``(N, K)``, in nats."""
    marginal = torch.special.entr(w.mean(dim=0)).sum()
    return float(marginal - torch.special.entr(w).sum(dim=1).mean())
