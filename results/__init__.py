"""Results: one record per cell, the files that hold them, and one tidy frame of all."""

from deep_em_bench.results.frame import RUNS, frame_of, load, stores
from deep_em_bench.results.record import (
    SCHEMA,
    DatasetUsed,
    Failure,
    MethodUsed,
    Provenance,
    Record,
    Resources,
    Scores,
    Status,
    Timing,
    replace,
)
from deep_em_bench.results.store import Store

__all__ = [
    "RUNS",
    "SCHEMA",
    "DatasetUsed",
    "Failure",
    "MethodUsed",
    "Provenance",
    "Record",
    "Resources",
    "Scores",
    "Status",
    "Store",
    "Timing",
    "frame_of",
    "load",
    "replace",
    "stores",
]
