"""What a method gives back, checked before anything is made of it."""

from __future__ import annotations

import numpy as np

from deep_em_bench.methods.base import Generative, Reducer

__all__ = ["ContractError", "features", "labels", "responsibilities", "samples"]

MAX_ROW_ERROR = 1e-3
"""How far a row of responsibilities may be from summing to one: float32 over many clusters."""


class ContractError(ValueError):
    """A method gave back something other than what every method must."""


def labels(what: str, found: object, n: int, n_clusters: int) -> np.ndarray:
    """``found`` as int64 ``(n,)``, a cluster each. Raises :class:`ContractError`."""
    found = _array(what, found, (n,))
    if not np.issubdtype(found.dtype, np.integer):
        raise ContractError(f"{what} is {found.dtype}; expected integers, one cluster a row")
    if n and not 0 <= found.min() <= found.max() < n_clusters:
        raise ContractError(
            f"{what} runs from {found.min()} to {found.max()}; expected 0..{n_clusters - 1}"
        )
    return found.astype(np.int64)


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


def _array(what: str, found: object, shape: tuple[int, ...]) -> np.ndarray:
    """``found``, which must be an array of that shape. Raises :class:`ContractError`."""
    if not isinstance(found, np.ndarray):
        kind = type(found).__name__
        raise ContractError(f"{what} is of type {kind}; expected a numpy array of shape {shape}")
    if found.shape != shape:
        raise ContractError(f"{what} has shape {found.shape}; expected {shape}")
    return found


def features(method: Reducer, X: np.ndarray) -> np.ndarray:
    """Of the rows of X, float16 ``(len(X), n_components)``. Raises :class:`ContractError`."""
    found = method.transform(X)
    if not isinstance(found, np.ndarray) or found.ndim != 2 or len(found) != len(X):
        raise ContractError(
            f"transform gave shape {np.shape(found)}; expected ({len(X)}, n_components)"
        )
    if not np.isfinite(found).all():
        raise ContractError("transform gave NaN or infinity; expected finite values")
    most = np.finfo(np.float16).max
    return found.clip(-most, most).astype(np.float16)


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
    found = method.sample(n, component, random_state=random_state)
    if not isinstance(found, tuple) or len(found) != 2:
        raise ContractError(
            f"sample({n}) gave {type(found).__name__}; expected the samples and their components"
        )
    X, components = found
    what = f"sample({n})"
    if np.shape(X) != (n, *shape) or not np.isfinite(X).all():
        ending = " with NaN or infinity" if np.shape(X) == (n, *shape) else ""
        raise ContractError(
            f"{what} gave shape {np.shape(X)}{ending}; expected finite values of shape "
            f"{(n, *shape)}"
        )
    return X, labels(f"the component of {what}", components, n, n_clusters)
