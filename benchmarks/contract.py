"""Checks of what a method returns, before it is used."""

from __future__ import annotations

import numpy as np

from deep_em_bench.methods.base import Generative, Reducer

__all__ = ["ContractError", "features", "labels", "responsibilities", "samples"]

MAX_ROW_ERROR = 1e-3
"""How far a row of responsibilities may be from summing to one: float32 over many clusters."""


class ContractError(ValueError):
    """A method gave back something other than what every method must."""


def labels(what: str, labels: object, n: int, n_clusters: int) -> np.ndarray:
    """``labels`` as int64 ``(n,)``, a cluster each. Raises :class:`ContractError`."""
    labels = _array(what, labels, (n,))
    if not np.issubdtype(labels.dtype, np.integer):
        raise ContractError(f"{what} is {labels.dtype}; expected integers, one cluster a row")
    if n and not 0 <= labels.min() <= labels.max() < n_clusters:
        raise ContractError(
            f"{what} runs from {labels.min()} to {labels.max()}; expected 0..{n_clusters - 1}"
        )
    return labels.astype(np.int64)


def responsibilities(what: str, proba: object, n: int, n_clusters: int) -> np.ndarray:
    """``proba`` ``(n, n_clusters)``, rows that sum to one. Raises :class:`ContractError`."""
    proba = _array(f"predict_proba({what})", proba, (n, n_clusters))
    if not np.issubdtype(proba.dtype, np.floating):
        raise ContractError(f"predict_proba({what}) is {proba.dtype}; expected floats")
    bad = int((~np.isfinite(proba)).any(axis=1).sum())
    if bad:
        raise ContractError(f"predict_proba({what}) has {bad} rows with NaN or infinity")
    error = float(np.abs(proba.sum(axis=1, dtype=np.float64) - 1).max(initial=0))
    if error > MAX_ROW_ERROR or proba.min(initial=0) < -MAX_ROW_ERROR:
        raise ContractError(
            f"predict_proba({what}) has a smallest value of {proba.min():.3g} and a row sum "
            f"{error:.3g} off; expected values of at least 0 in rows that sum to 1"
        )
    return proba


def _array(what: str, value: object, shape: tuple[int, ...]) -> np.ndarray:
    """``value``, which must be an array of that shape. Raises :class:`ContractError`."""
    if not isinstance(value, np.ndarray):
        kind = type(value).__name__
        raise ContractError(f"{what} is of type {kind}; expected a numpy array of shape {shape}")
    if value.shape != shape:
        raise ContractError(f"{what} has shape {value.shape}; expected {shape}")
    return value


def features(method: Reducer, X: np.ndarray) -> np.ndarray:
    """Of the rows of X, float16 ``(len(X), n_components)``. Raises :class:`ContractError`."""
    Z = method.transform(X)
    if not isinstance(Z, np.ndarray) or Z.ndim != 2 or len(Z) != len(X):
        raise ContractError(
            f"transform gave shape {np.shape(Z)}; expected ({len(X)}, n_components)"
        )
    if not np.isfinite(Z).all():
        raise ContractError("transform gave NaN or infinity; expected finite values")
    most = np.finfo(np.float16).max
    return Z.clip(-most, most).astype(np.float16)


def samples(
    method: Generative,
    n: int,
    shape: tuple[int, ...],
    n_clusters: int,
    *,
    component: int | None = None,
    random_state: int,
) -> tuple[np.ndarray, np.ndarray]:
    """``method.sample``'s ``(n, *shape)``, finite, and ``(n,)``. Raises :class:`ContractError`."""
    drawn = method.sample(n, component, random_state=random_state)
    if not isinstance(drawn, tuple) or len(drawn) != 2:
        raise ContractError(
            f"sample({n}) gave {type(drawn).__name__}; expected the samples and their components"
        )
    X, components = drawn
    what = f"sample({n})"
    if np.shape(X) != (n, *shape) or not np.isfinite(X).all():
        ending = " with NaN or infinity" if np.shape(X) == (n, *shape) else ""
        raise ContractError(
            f"{what} gave shape {np.shape(X)}{ending}; expected finite values of shape "
            f"{(n, *shape)}"
        )
    return X, labels(f"the component of {what}", components, n, n_clusters)
