"""Choices of the command line are those of the methods."""

from __future__ import annotations

from typing import get_args

from deep_em_bench.benchmarks.options import PRECISIONS
from deep_em_bench.methods.parameters import Precision


def test_precisions_are_those_of_the_nets() -> None:
    assert get_args(Precision) == PRECISIONS
