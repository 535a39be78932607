"""Recompute the metrics of a suite's records from their stored predictions, without training.

Exit status: 0 all records have the scores of today's metrics; 1 one could not be scored; 2 usage.
"""

from __future__ import annotations

import argparse
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
    parser.add_argument("--plugin", type=Path, action="append", default=[], metavar="FILE.py")
    chosen = parser.parse_args(arguments)
    return guarded(lambda: _rescore(chosen))


def rescore(record: Record, store: Store) -> Literal["changed", "same"]:
    """Score an ``ok`` record's arrays anew, and write it where that changes anything.

    Generation scores, and those of real images beside them, stay what they were, since the images
    are not stored. So do metrics that are not registered, as those of a plugin that is not given.

    Raises :class:`DataError` for arrays that are missing, damaged, or no predictions.
    """
    from deep_em_bench import metrics
    from deep_em_bench.benchmarks.scoring import score
    from deep_em_bench.results import replace

    arrays = store.arrays(record.key)
    if "labels_train" not in arrays:
        raise DataError(f"record {record.key} has no stored predictions; run its cell again")
    try:
        scored = score(arrays, record.n_clusters)
    except (DataError, KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(
            f"the arrays of record {record.key} cannot be scored "
            f"({type(error).__name__}: {error}); run its cell again"
        ) from error
    old, known = record.metrics, set(metrics.names())
    scored = replace(
        old,
        train={name: old.train[name] for name in old.train.keys() - known} | dict(scored.train),
        test={name: old.test[name] for name in old.test.keys() - known} | dict(scored.test),
    )
    # The scores that are left as they were keep the version of their plugins.
    version = metrics.version()
    if old.train.keys() - known and "+" not in version:
        version += "".join(record.provenance.metrics_version.partition("+")[1:])
    origin = replace(record.provenance, metrics_version=version)
    if (scored, origin) == (record.metrics, record.provenance):
        return "same"
    store.write(replace(record, metrics=scored, provenance=origin), arrays)
    return "changed"


def _rescore(chosen: argparse.Namespace) -> int:
    from deep_em_bench import metrics
    from deep_em_bench.benchmarks.options import load_plugins
    from deep_em_bench.results.frame import stores

    load_plugins(chosen.plugin)
    (store,) = stores(chosen.suite, chosen.out)
    counts = {"changed": 0, "same": 0, "without result": 0, "damaged": 0}
    unknown: set[str] = set()
    for key in store.keys():  # noqa: SIM118 - a store iterates over its records
        try:
            record = store.read(key)
            counts[rescore(record, store) if record.status == "ok" else "without result"] += 1
            unknown |= record.metrics.train.keys() - set(metrics.names())
        except DataError as error:
            print(f"error: {error}", file=sys.stderr)
            counts["damaged"] += 1
    if unknown:
        print(
            f"left as they were: {', '.join(sorted(unknown))}; give the --plugin of these metrics",
            file=sys.stderr,
        )
    print(", ".join(f"{count} {what}" for what, count in counts.items()), file=sys.stderr)
    return int(counts["damaged"] > 0)


if __name__ == "__main__":
    sys.exit(main())
