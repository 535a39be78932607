"""Whether the cells of one data set and seed had the same data: only then are they paired."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from deep_em_bench.core import DataError, UserError

if TYPE_CHECKING:
    from pathlib import Path

    from deep_em_bench.benchmarks.plan import Cell
    from deep_em_bench.datasets.base import Dataset
    from deep_em_bench.results.record import Record
    from deep_em_bench.results.store import Store

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


def refuse_other_data(store: Store, todo: Sequence[Cell], **where: Any) -> None:
    """Raise :class:`UserError` for records beside the cells to run whose data are not today's.

    Looked at are all records of the same data set and profile, of any method and seed: these
    would stand in one table with the new ones. ``where`` says where the data are, as for
    :func:`load_cell_data`.
    """
    running = {cell.key for cell in todo}
    finished: dict[str, list[Record]] = {}
    for key in store.keys():  # noqa: SIM118 - a store iterates over its records
        if key not in running:
            with contextlib.suppress(DataError):  # whoever needs the record is warned
                record = store.read(key, history=False)
                finished.setdefault(record.dataset.name, []).append(record)
    specs = {(_group(cell)[0], cell.profile): cell for cell in todo}
    other: dict[str, None] = {}
    for cell in specs.values():
        if cell.dataset.name in finished:
            other |= dict.fromkeys(_of_other_data(finished[cell.dataset.name], cell, **where))
    if other:
        raise UserError(
            f"the data have changed since these cells were run: {_listed([*other])}; run them "
            f"again with --force, or write to another --out"
        )


def _of_other_data(records: Iterable[Record], cell: Cell, **where: Any) -> Iterator[str]:
    """Names of the records of the cell's data set whose data are not today's."""
    words = msgspec.json.encode(load_cell_data(cell, **where).words, order="sorted")
    today: dict[int, str] = {}
    for record in records:
        known, seed = record.dataset.data_digest, record.seed
        same = msgspec.json.encode(record.dataset.words, order="sorted") == words
        if known is None or record.profile != cell.profile or not same:
            continue
        if seed not in today:
            today[seed] = data_digest(load_cell_data(replace(cell, seed=seed), **where))
        if known != today[seed]:
            yield f"{cell.dataset.name} · {record.label} · seed {seed}"


def unpaired(digests: Digests, cells: Iterable[Cell]) -> str | None:
    """A sentence on cells of one data set and seed with different data; None if there are none."""
    groups: dict[Any, set[str]] = {}
    names: dict[Any, str] = {}
    for cell in cells:
        if digest := digests.get(cell.key):
            groups.setdefault(_group(cell), set()).add(digest)
            names[_group(cell)] = f"{cell.dataset.name}, seed {cell.seed}"
    mixed = [names[group] for group, digests in groups.items() if len(digests) > 1]
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
