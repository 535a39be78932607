"""The unbiased kernel distance (KID) of two sets of features."""

from __future__ import annotations

import numpy as np

from deep_em_bench.metrics.moments import checked_features

__all__ = ["kernel_distance", "kernel_distance_spread"]

BLOCK = 2048
"""Rows of a block of the kernel matrix."""


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    r"""Unbiased squared maximum mean discrepancy under :math:`k(x, y) = (x'y / d + 1)^3`.

    .. math:: \frac{\sum_{i \ne j} k(x_i, x_j)}{m (m - 1)}
              + \frac{\sum_{i \ne j} k(y_i, y_j)}{n (n - 1)}
              - \frac{2}{m n} \sum_{ij} k(x_i, y_j)

    (Gretton et al. 2012, Eq. 3; the kernel of Bińkowski et al. 2018, section 4). All pairs count,
    in float64, block by block, so that memory does not grow with m and n. It is unbiased: for two
    equal distributions it is below 0 about half of the time.

    ``real`` is ``(m, d)``, ``fake`` is ``(n, d)``. Raises ``ValueError`` for fewer than two rows
    of either, for unequal d, and as :class:`Moments`.
    """
    real, fake = _checked(real, fake)
    return _distance(real, fake)


def kernel_distance_spread(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    subsets: int = 20,
    subset_size: int = 1000,
    seed: int = 0,
) -> float:
    """Standard deviation (ddof 1) of :func:`kernel_distance` over random subsets of both sets.

    A subset has ``subset_size`` rows, but at most half of the smaller set, so that subsets differ.
    Raises ``ValueError`` as :func:`kernel_distance`, for fewer than four rows of either set, and
    for fewer than two subsets.
    """
    real, fake = _checked(real, fake)
    smaller = min(len(real), len(fake))
    size = min(subset_size, smaller // 2)
    if size < 2 or subsets < 2:
        raise ValueError(
            f"{subsets} subsets of {subset_size} from {smaller} rows; expected at least two "
            f"subsets of two rows, and at least twice as many rows as in a subset"
        )
    rng = np.random.default_rng(seed)
    drawn = np.array(
        [
            _distance(
                real[rng.choice(len(real), size, replace=False)],
                fake[rng.choice(len(fake), size, replace=False)],
            )
            for _ in range(subsets)
        ]
    )
    largest = float(np.abs(drawn).max())  # the squares of huge distances would overflow
    return float(np.std(drawn / largest, ddof=1)) * largest if largest > 0 else 0.0


def _checked(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    real = checked_features("real features", real)
    fake = checked_features("fake features", fake, real.shape[1])
    if min(len(real), len(fake)) < 2:
        raise ValueError(
            f"{len(real)} real and {len(fake)} fake rows; expected at least two of each"
        )
    return real, fake


def _distance(real: np.ndarray, fake: np.ndarray) -> float:
    m, n = len(real), len(fake)
    within_real = _kernel_sum(real, real) - _diagonal_sum(real)
    within_fake = _kernel_sum(fake, fake) - _diagonal_sum(fake)
    between = _kernel_sum(real, fake) / (m * n)
    return within_real / (m * (m - 1)) + within_fake / (n * (n - 1)) - 2 * between


def _kernel_sum(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for i in range(0, len(a), BLOCK):
        left = a[i : i + BLOCK].astype(np.float64)
        for j in range(0, len(b), BLOCK):
            total += float(_cubed(left @ b[j : j + BLOCK].astype(np.float64).T, a.shape[1]))
    return total


def _diagonal_sum(a: np.ndarray) -> float:
    return sum(
        float(_cubed(np.square(a[i : i + BLOCK].astype(np.float64)).sum(axis=1), a.shape[1]))
        for i in range(0, len(a), BLOCK)
    )


def _cubed(products: np.ndarray, d: int) -> float:
    """Sum of the kernel's values; overwrites ``products``."""
    products /= d
    products += 1
    return float(np.einsum("i,i,i->", *[products.ravel()] * 3))
