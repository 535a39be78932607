"""Choices of the command line are those of the methods."""

from __future__ import annotations

from typing import get_args

from benchmarks.options import PRECISIONS
from methods.neural import Precision


def test_precisions_are_those_of_the_nets() -> None:
    assert get_args(Precision) == PRECISIONS
