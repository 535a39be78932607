"""Several starts of a classifier without labels: the most informative one goes on."""

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
    """Train several starts and restore the one of the largest mutual information.

    Of equal ones the first is kept. A start that diverged is kept only if all did.

    Arguments:
        n_init: number of starts, at least 1.
        train: trains start 0, 1, ...; returns its responsibilities of all data, ``(N, K)``.
        parts: the nets and optimisers of the start that was trained last.
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
