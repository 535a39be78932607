"""Several starts of a classifier that learns without labels: the most informative one goes on."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["keep_most_informative", "mutual_information"]


class Stateful(Protocol):
    """A net or an optimiser."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> object: ...


def keep_most_informative(
    n_init: int, train: Callable[[int], Tensor], parts: Callable[[], Sequence[Stateful]]
) -> None:
    """Train several starts and leave the state of the one of the largest mutual information.

    Of equal ones it is the first. A start that diverged gives way to any that did not.

    Arguments:
        n_init: number of starts, at least 1.
        train: given the start 0, 1, ..., trains it; its responsibilities of all data, ``(N, K)``.
        parts: nets and optimisers that hold a start once it is trained.
    """
    most, states = -math.inf, None
    for start in range(n_init):
        information = mutual_information(train(start))
        if states is None or information > most:
            states = [copy.deepcopy(part.state_dict()) for part in parts()]
            most = -math.inf if math.isnan(information) else information
    assert states is not None
    for part, state in zip(parts(), states, strict=True):
        part.load_state_dict(state)


def mutual_information(w: Tensor) -> float:
    """I(X; Y) = H(Y) - H(Y | X) of responsibilities ``w``, ``(N, K)``, in nats."""
    marginal = torch.special.entr(w.mean(dim=0)).sum()
    return float(marginal - torch.special.entr(w).sum(dim=1).mean())
