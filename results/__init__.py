"""What came out: one record a cell, the files that hold them, and one tidy frame of all."""

from results.frame import RUNS, load, stores
from results.record import (
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
)
from results.store import Store

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
    "load",
    "stores",
]
