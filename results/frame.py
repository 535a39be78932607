"""All records as one pandas frame: a row per cell, a column per measured number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deep_em_bench.core import UserError
from deep_em_bench.results.record import Record
from deep_em_bench.results.store import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RUNS", "frame_of", "load", "stores"]

RUNS = Path("results/runs")
"""The folder of the records of runs, one folder per suite, below the working folder."""

SPLITS = ("train", "test", "generation", "real")

COLUMNS: Mapping[str, Callable[[Record], Any]] = {
    "suite": lambda record: record.suite,
    "profile": lambda record: record.profile,
    "dataset": lambda record: record.dataset.title,
    "dataset_name": lambda record: record.dataset.name,
    "n_clusters": lambda record: record.n_clusters,
    "label": lambda record: record.label,
    "method": lambda record: record.method.name,
    "preset": lambda record: record.method.preset,
    "seed": lambda record: record.seed,
    "status": lambda record: record.status,
    "params": lambda record: record.method.params,
    "error": lambda r: f"{r.error.type}: {r.error.message}" if r.error else "",
    "fit_s": lambda record: record.timing.fit_s,
    "fit_cpu_s": lambda record: record.timing.fit_cpu_s,
    "cpu_s": lambda record: record.timing.cpu_s,
    "load": lambda record: record.resources.load,
    "peak_rss_mb": lambda record: record.resources.peak_rss_mb,
    "n_parameters": lambda record: record.method.n_parameters,
    "device": lambda record: record.resources.device,
    "precision": lambda record: record.resources.precision,
    "code": lambda record: record.provenance.code,
    "package": lambda record: record.provenance.package,
    "data_digest": lambda record: record.dataset.data_digest,
    "metrics_version": lambda record: record.provenance.metrics_version,
    "git_sha": lambda record: record.provenance.git_sha,
    "dirty": lambda record: record.provenance.dirty,
    "key": lambda record: record.key,
}
NUMBERS = ("fit_s", "fit_cpu_s", "cpu_s", "load", "peak_rss_mb", "n_parameters")


def load(
    suite: str | None = None, root: str | Path = RUNS, *, history: bool = False
) -> pd.DataFrame:
    """The records of ``suite``, or of every suite under ``root``, one row a cell.

    Failed cells are rows too: ``status`` says how a cell ended, its metrics are NaN. Columns:

    - ``suite``, ``profile``, ``dataset`` (name and words, as in "mnist(subset=10000)"),
      ``dataset_name``, ``n_clusters``, ``label``, ``method``, ``preset``, ``seed``
    - ``status`` ("ok", "failed", "timeout", "memory", "diverged"), ``params`` (a mapping)
    - ``error`` ("" or "Type: message")
    - ``fit_s`` (seconds), ``fit_cpu_s`` and ``cpu_s`` (CPU seconds of the fit and of the whole
      cell), ``load`` (of the machine at the start), ``peak_rss_mb`` (2**20 bytes),
      ``n_parameters``: float64
    - ``device``, ``precision``, ``code`` (version of the method, with the digest of its plugin),
      ``package``, ``data_digest``, ``metrics_version``, ``git_sha``, ``dirty``, ``key``
    - ``train/<metric>``, ``test/<metric>``, ``generation/<metric>``, and ``real/<metric>``, the
      generation metrics of real images: float64, NaN where a cell has no such number
    - ``history`` (only with ``history=True``): the tuple of the cell's iteration rows

    Rows come by suite, then by key. Damaged files are warned of by name and left out. Raises
    :class:`UserError` for a suite without a folder under ``root``.
    """
    records = [record for store in stores(suite, root) for record in store.load(history=history)]
    return frame_of(records, history=history)


def frame_of(records: Sequence[Record], *, history: bool = False) -> pd.DataFrame:
    """The frame of :func:`load` of these records, in their order.

    ``accuracy`` of records that were scored before it was a metric is 1 - ``error_rate``.
    """
    import pandas as pd

    columns = {name: [value(record) for record in records] for name, value in COLUMNS.items()}
    if history:
        columns["history"] = [record.history for record in records]
    metrics = {}
    for split in SPLITS:
        scores = [_with_accuracy(getattr(record.metrics, split)) for record in records]
        for name in sorted(set().union(*scores)):
            metrics[f"{split}/{name}"] = [values.get(name) for values in scores]
    frame = pd.DataFrame(columns | metrics)
    return frame.astype(dict.fromkeys((*NUMBERS, *metrics), "float64"))


def _with_accuracy(scores: Mapping[str, float | None]) -> Mapping[str, float | None]:
    error = scores.get("error_rate")
    if error is None or "accuracy" in scores:
        return scores
    return {**scores, "accuracy": 1 - error}


def stores(suite: str | None = None, root: str | Path = RUNS) -> list[Store]:
    """The store of ``suite`` under ``root``, or those of all suites there, by name.

    Raises :class:`UserError` for a suite that has none, and for a folder that is locked.
    """
    root = Path(root)
    try:
        names = sorted(path.name for path in root.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        raise UserError(
            f"cannot list {root}: {error.strerror}; permit it, or name another folder"
        ) from error
    if suite is None:
        return [Store(root / name) for name in names]
    if suite not in names:
        raise UserError(
            f"suite {suite!r} has no records in {root}; "
            f"make them with: python -m benchmarks.run --suite {suite}"
        )
    return [Store(root / suite)]
