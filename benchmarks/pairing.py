"""Whether the cells of one data set and seed had the same data: only then are they paired."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from deep_em_bench.core import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from deep_em_bench.benchmarks.plan import Cell
    from deep_em_bench.datasets.base import Dataset

__all__ = ["data_digest", "load_cell_data", "refuse_other_data", "unpaired"]

MOST_NAMES = 5

Digests = Mapping[str, str | None]
"""Of the data of finished cells, by key; None is unknown."""


def data_digest(data: Dataset) -> str:
    """sha256 over type, shape and bytes of X, y, X_test and y_test."""
    digest = hashlib.sha256()
    for array in (data.X, data.y, data.X_test, data.y_test):
        if array is None:
            digest.update(b"none\n")
        else:
            digest.update(f"{array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def load_cell_data(cell: Cell, *, device: str, data_dir: Path | None) -> Dataset:
    """The data of a cell, the same in every process."""
    from deep_em_bench import datasets
    from deep_em_bench.benchmarks.seeding import seed_globals

    seed_globals(cell.seed, "data")
    return datasets.load(
        cell.dataset.name, seed=cell.seed, device=device, data_dir=data_dir, **cell.dataset.words
    )


def refuse_other_data(
    done: Digests, cells: Iterable[Cell], todo: Iterable[Cell], **where: Any
) -> None:
    """Raise :class:`UserError` for finished cells whose data are not today's.

    Looked at are the data sets and seeds that also have cells to run: these would stand in one
    table with them. ``where`` says where the data are, as for :func:`load_cell_data`.
    """
    running = {_group(cell): cell for cell in todo}
    finished: dict[Any, list[Cell]] = {}
    for cell in cells:
        if done.get(cell.key) and _group(cell) in running:
            finished.setdefault(_group(cell), []).append(cell)
    other = []
    for group, group_cells in finished.items():
        today = data_digest(load_cell_data(running[group], **where))
        other += [
            f"{cell.dataset.name} · {cell.label} · seed {cell.seed}"
            for cell in group_cells
            if done[cell.key] != today
        ]
    if other:
        raise UserError(
            f"the data have changed since these cells were run: {_listed(other)}; run them again "
            f"with --force, or write to another --out"
        )


def unpaired(digests: Digests, cells: Iterable[Cell]) -> str | None:
    """A sentence on cells of one data set and seed with different data; None if there are none."""
    groups: dict[Any, set[str]] = {}
    names: dict[Any, str] = {}
    for cell in cells:
        if digest := digests.get(cell.key):
            groups.setdefault(_group(cell), set()).add(digest)
            names[_group(cell)] = f"{cell.dataset.name}, seed {cell.seed}"
    mixed = [names[group] for group, found in groups.items() if len(found) > 1]
    if not mixed:
        return None
    return (
        f"not paired, for the methods had different data: {_listed(mixed)}; "
        f"see that the loader draws from its seed, and run again with --force"
    )


def _group(cell: Cell) -> tuple[str, int]:
    return repr((cell.dataset.name, sorted(cell.dataset.words.items()))), cell.seed


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return "; ".join(names[:MOST_NAMES]) + (f"; and {more} more" if more > 0 else "")
