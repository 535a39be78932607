"""Pictures of a generative method: samples by component, and interpolations between these."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np

from deep_em_bench.benchmarks import contract
from deep_em_bench.methods.base import Generative

__all__ = ["Interpolating", "grid", "ways"]

SAMPLES = 10
"""Drawn from each component for the stored grid."""

STEPS = 9
"""Weights on the way from one component to another, and along a side of the triangle."""

PAIRS = 6
"""Of components, at the most, between which the way is stored."""


@runtime_checkable
class Interpolating(Protocol):
    """A method with images on the way between its components."""

    def interpolate(
        self, components: Sequence[int], weights: np.ndarray, *, random_state: int = 0
    ) -> np.ndarray:
        """``(len(weights), *shape)``, weights of the components ``(n, len(components))``."""
        ...


def grid(
    method: Generative, shape: tuple[int, ...], n_clusters: int, random_state: int
) -> np.ndarray:
    """``(K, 10, *shape)``, ten samples of each component: uint8 for images, else float32.

    Raises :class:`ContractError` for samples that are none.
    """
    drawn = [
        contract.samples(
            method, SAMPLES, shape, n_clusters, component=k, random_state=random_state
        )[0]
        for k in range(n_clusters)
    ]
    return _stored(np.stack(drawn), shape)


def ways(
    method: Interpolating, shape: tuple[int, ...], n_clusters: int, random_state: int
) -> dict[str, np.ndarray]:
    """Images between components, all by the same noise: uint8 for images, else float32.

    - ``interpolation`` ``(R, 9, *shape)``: from component k to k + 1, of the first six pairs at
      the most, with nine weights from 0 to 1; where there are two components or more.
    - ``triangle`` ``(9, 9, *shape)``: entry [i, j] with i + j <= 8 has the weights
      1 - (i + j) / 8, i / 8 and j / 8 of the components 0, 1 and 2, the others are zeros; for
      three or more.

    Raises :class:`ContractError` for images that are none.
    """
    stored = {}
    if n_clusters >= 2:
        to = np.linspace(0, 1, STEPS, dtype=np.float32)
        weights = np.column_stack([1 - to, to])
        pairs = list(pairwise(range(n_clusters)))[:PAIRS]
        rows = [_between(method, pair, weights, shape, random_state) for pair in pairs]
        stored["interpolation"] = _stored(np.stack(rows), shape)
    if n_clusters >= 3:
        i, j = np.nonzero(np.add.outer(np.arange(STEPS), np.arange(STEPS)) < STEPS)
        weights = np.column_stack([STEPS - 1 - i - j, i, j]).astype(np.float32) / (STEPS - 1)
        filled = _stored(_between(method, (0, 1, 2), weights, shape, random_state), shape)
        stored["triangle"] = np.zeros((STEPS, STEPS, *shape), filled.dtype)
        stored["triangle"][i, j] = filled
    return stored


def _between(
    method: Interpolating,
    components: tuple[int, ...],
    weights: np.ndarray,
    shape: tuple[int, ...],
    random_state: int,
) -> np.ndarray:
    images = method.interpolate(components, weights, random_state=random_state)
    if np.shape(images) != (len(weights), *shape) or not np.isfinite(images).all():
        raise contract.ContractError(
            f"interpolate gave shape {np.shape(images)}; expected finite values of shape "
            f"{(len(weights), *shape)}"
        )
    return images


def _stored(X: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 3:
        return np.rint(X.clip(0, 1) * 255).astype(np.uint8)
    return X.astype(np.float32)
