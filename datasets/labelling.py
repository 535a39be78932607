"""The rows whose classes semi-supervised methods see: a few of every class, by seed."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from deep_em_bench.core import ConfigError, derive_seed

__all__ = ["draw_labelled"]


def draw_labelled(y: np.ndarray, count: int, *, n_classes: int, seed: int) -> np.ndarray:
    """Sorted indices of ``count`` rows, equally many of each class, or one more of some.

    No other draw depends on labels; semi-supervised methods see those of these rows (GAN-EM,
    section 5.3). At one seed all methods get the same rows, and the rows of a smaller count are
    among those of a larger one. Raises ``ConfigError`` for fewer rows than classes, for more than
    a class has, and for anything but a whole number.
    """
    if isinstance(count, bool) or not isinstance(count, Integral) or count < n_classes:
        raise ConfigError(
            f"labelled is {count!r}; expected a whole number of rows from {n_classes}, one for "
            f"each class"
        )
    count = int(count)
    rng = np.random.default_rng(derive_seed(seed, "data", "labelled"))
    rows = [rng.permutation(np.flatnonzero(y == c)) for c in range(n_classes)]
    shares = np.full(n_classes, count // n_classes)
    shares[rng.permutation(n_classes)[: count % n_classes]] += 1
    for c, (of_class, share) in enumerate(zip(rows, shares, strict=True)):
        if len(of_class) < share:
            raise ConfigError(
                f"labelled is {count}, {share} of class {c}, which has {len(of_class)} rows; "
                f"label fewer, or take a larger subset"
            )
    return np.sort(np.concatenate([r[:s] for r, s in zip(rows, shares, strict=True)]))
