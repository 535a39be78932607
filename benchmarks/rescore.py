"""Recompute the metrics of a suite's records from their stored predictions, without training.

Exit status: 0 all records are scored by the metrics as they are now; 1 one could not be; 2 usage.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deep_em_bench.core import DataError
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.parser import CommandParser
from deep_em_bench.results import RUNS

if TYPE_CHECKING:
    from deep_em_bench.results.record import Record
    from deep_em_bench.results.store import Store

__all__ = ["main", "rescore"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = CommandParser("rescore", description="Recompute metrics without training.")
    parser.add_argument("--suite", required=True, help="the name of a folder of records")
    parser.add_argument("--out", type=Path, default=RUNS, metavar="DIR")
    chosen = parser.parse_args(arguments)
    return guarded(lambda: _rescore(chosen))


def rescore(record: Record, store: Store) -> Literal["changed", "same"]:
    """Score an ``ok`` record's arrays anew, and write it where that changes anything.

    Generation scores, and those of real images beside them, stay what they were: the images that
    they were computed from are not stored. Only the cell run again gives new ones.

    Raises :class:`DataError` for arrays that are missing or damaged.
    """
    from deep_em_bench import metrics
    from deep_em_bench.benchmarks.scoring import score

    arrays = store.arrays(record.key)
    if "labels_train" not in arrays:
        raise DataError(f"record {record.key} has no stored predictions; run its cell again")
    scored = dataclasses.replace(
        score(arrays, record.n_clusters),
        generation=record.metrics.generation,
        real=record.metrics.real,
    )
    origin = dataclasses.replace(record.provenance, metrics_version=metrics.VERSION)
    if (scored, origin) == (record.metrics, record.provenance):
        return "same"
    store.write(dataclasses.replace(record, metrics=scored, provenance=origin), arrays)
    return "changed"


def _rescore(chosen: argparse.Namespace) -> int:
    from deep_em_bench.results.frame import stores

    (store,) = stores(chosen.suite, chosen.out)
    said = {"changed": 0, "same": 0, "without result": 0, "damaged": 0}
    for key in store.keys():  # noqa: SIM118 - a store iterates over its records
        try:
            record = store.read(key)
            said[rescore(record, store) if record.status == "ok" else "without result"] += 1
        except DataError as error:
            print(f"error: {error}", file=sys.stderr)
            said["damaged"] += 1
    print(", ".join(f"{count} {what}" for what, count in said.items()), file=sys.stderr)
    return int(said["damaged"] > 0)


if __name__ == "__main__":
    sys.exit(main())
