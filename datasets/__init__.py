"""What methods run on: one file a family of data sets, found through the registry."""

from datasets.base import (
    Dataset,
    Request,
    Source,
    check_choice,
    check_words,
    data_root,
    load,
    register,
    registry,
)

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
