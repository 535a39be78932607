"""Data sets: one file for each family, and a registry of all."""

from deep_em_bench.datasets.base import (
    Dataset,
    Request,
    Source,
    check_choice,
    data_root,
    register,
    registry,
)
from deep_em_bench.datasets.load import check_words, load

__all__ = [
    "Dataset",
    "Request",
    "Source",
    "check_choice",
    "check_words",
    "data_root",
    "load",
    "register",
    "registry",
]
