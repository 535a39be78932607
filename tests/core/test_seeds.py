"""Derived seeds: known answers, range, and independence of purposes and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from deep_em_bench.core import derive_seed


@pytest.mark.parametrize(
    ("seed", "purpose", "expected"),
    [
        # The first eight digits that `printf '7\x1fdata\x1fsubset' | sha256sum` prints.
        (0, (), 0x5FECEB66),
        (0, ("data",), 0xF35A24BE),
        (7, ("data", "subset"), 0x1E635020),
        (-1, ("fit",), 0x80049178),
    ],
)
def test_known_answers(seed: int, purpose: tuple[str, ...], expected: int) -> None:
    assert derive_seed(seed, *purpose) == expected


def test_numpy_seeds_count_as_their_value() -> None:
    assert derive_seed(int(np.int64(3)), "fit") == derive_seed(np.int64(3), "fit")  # type: ignore[arg-type]


def test_seeds_and_purposes_never_meet() -> None:
    asked = [
        (seed, purpose)
        for seed in range(1000)
        for purpose in [(), ("data",), ("fit",), ("data", "fit"), ("fit", "data"), ("datafit",)]
    ]
    given = [derive_seed(seed, *purpose) for seed, purpose in asked]
    assert len(set(given)) == len(given)
    assert all(0 <= s < 2**32 for s in given)


def test_streams_of_neighbouring_seeds_are_unrelated() -> None:
    seeds = [derive_seed(s, purpose) for s in range(20) for purpose in ("data", "fit")]
    draws = np.stack([np.random.default_rng(seed).random(50) for seed in seeds])
    pairs = np.triu_indices(40, k=1)
    assert abs(np.asarray(np.corrcoef(draws))[pairs]).max() < 0.6  # 4.2 standard deviations
    bits = np.array(
        [[derive_seed(s, "fit") >> b & 1 for b in range(32)] for s in range(2000)], dtype=float
    )
    assert abs(bits.mean(axis=0) - 0.5).max() < 0.05
