"""The kernel distance between two sets of features: unbiased, at any number of rows."""

from __future__ import annotations

import numpy as np

from deep_em_bench.metrics.moments import checked_features

__all__ = ["kernel_distance", "kernel_distance_spread"]

BLOCK = 2048
"""Rows of a kernel matrix that are held at a time."""


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    r"""Unbiased squared maximum mean discrepancy under :math:`k(x, y) = (x'y / d + 1)^3`.

    .. math:: \frac{\sum_{i \ne j} k(x_i, x_j)}{m (m - 1)}
              + \frac{\sum_{i \ne j} k(y_i, y_j)}{n (n - 1)}
              - \frac{2}{m n} \sum_{ij} k(x_i, y_j)

    (Gretton et al. 2012, Eq. 3; the kernel of Bińkowski et al. 2018, section 4). All pairs count,
    in float64, block by block: memory grows with neither m nor n. Being unbiased, it is below 0
    for about half of the equal pairs of distributions.

    Arguments: ``real`` ``(m, d)`` and ``fake`` ``(n, d)``. Raises ``ValueError`` for fewer than
    two rows on a side, unequal d, and what :class:`Moments` refuses.
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
    """Standard deviation (ddof 1) of :func:`kernel_distance` over random subsets of both sides.

    A subset has ``subset_size`` rows, or half of the smaller side where that is less, so that
    subsets differ. It shows how far one value at that size is to be trusted. Raises ``ValueError``
    as :func:`kernel_distance`, for fewer than four rows on a side and fewer than two subsets.
    """
    real, fake = _checked(real, fake)
    smaller = min(len(real), len(fake))
    size = min(subset_size, smaller // 2)
    if size < 2 or subsets < 2:
        raise ValueError(
            f"{subsets} subsets of {subset_size} out of {smaller} rows were asked for; expected "
            f"at least two subsets of two rows, and twice as many rows as a subset has"
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
    largest = float(np.abs(drawn).max())  # of huge features; squaring that would overflow
    return float(np.std(drawn / largest, ddof=1)) * largest if largest > 0 else 0.0


def _checked(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    real = checked_features("real features", real)
    fake = checked_features("fake features", fake, real.shape[1])
    if min(len(real), len(fake)) < 2:
        raise ValueError(
            f"{len(real)} real and {len(fake)} fake rows were given; expected two of each"
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
    """The sum of the kernel's values; ``products`` is overwritten."""
    products /= d
    products += 1
    return float(np.einsum("i,i,i->", *[products.ravel()] * 3))
