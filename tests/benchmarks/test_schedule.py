"""What is expected of cells, from what others took, and their order."""

from __future__ import annotations

import dataclasses
from collections import Counter
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_em_bench.benchmarks.engine.schedule import (
    Times,
    kind_of,
    kinds,
    longest_first,
    seconds_of,
)
from deep_em_bench.benchmarks.plan import Cell, DatasetSpec
from deep_em_bench.results.record import (
    DatasetUsed,
    Failure,
    MethodUsed,
    Provenance,
    Record,
    Status,
    Timing,
)

CELL = Cell(
    dataset=DatasetSpec(name="digits"),
    n_clusters=10,
    method="gmm",
    preset="full",
    label="gmm[full]",
    params={},
    seed=0,
    profile="quick",
)


def like(**changes: object) -> Cell:
    return dataclasses.replace(CELL, **changes)  # type: ignore[arg-type]


def record_of(cell: Cell, fit_s: float | None, status: Status = "ok") -> Record:
    return Record(
        key=cell.key,
        suite="s",
        profile=cell.profile,
        label=cell.label,
        dataset=DatasetUsed(name=cell.dataset.name),
        n_clusters=cell.n_clusters or 10,
        method=MethodUsed(name=cell.method, preset=cell.preset),
        seed=cell.seed,
        status=status,
        error=None if status == "ok" else Failure(type="E", message=""),
        timing=Timing(fit_s=fit_s, predict_s=1.0),
        provenance=Provenance(metrics_version=""),
    )


def test_the_nearest_kind_counts() -> None:
    times = Times()
    assert times.expected(kind_of(CELL)) is None
    for cell, seconds in [
        (like(profile="full"), 1000.0),
        (like(label="gmm[other]"), 100.0),
        (like(n_clusters=20), 10.0),
        (like(seed=1), 1.0),
        (like(seed=2), 2.0),
        (like(seed=3), 4.0),
    ]:
        times.learn(kind_of(cell), seconds)
    times.learn(kind_of(CELL), None)
    assert times.expected(kind_of(CELL)) == 2.0
    assert times.expected(kind_of(like(n_clusters=30))) == 3.0  # of 1, 2, 4, 10
    assert times.expected(kind_of(like(dataset=DatasetSpec(name="moons")))) == 4.0  # and 100
    assert times.expected(kind_of(like(profile="tiny"))) == 7.0  # and 1000
    assert times.expected(kind_of(like(method="kmeans"))) is None


def test_records_that_ended_well_are_learnt_from() -> None:
    well, ill = record_of(CELL, 3.0), record_of(CELL, 3.0, "diverged")
    assert (seconds_of(well), seconds_of(ill)) == (4.0, None)
    assert seconds_of(record_of(CELL, None)) is None
    times = Times()
    for record in (well, ill):
        times.learn_from(record)
    assert times.expected(kind_of(CELL)) == 4.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=9))
def test_medians_are_medians(seconds: list[float]) -> None:
    times = Times()
    for value in seconds:
        times.learn(kind_of(CELL), value)
    assert times.expected(kind_of(CELL)) == pytest.approx(median(seconds))


def test_the_time_left_is_shared_by_the_workers_and_as_long_as_the_longest() -> None:
    other, unknown = like(method="kmeans", label="k"), like(method="new", label="n")
    times = Times()
    assert times.left(kinds([CELL]), 2) is None
    assert times.left(Counter(), 2) == 0.0
    times.learn(kind_of(CELL), 90.0)
    times.learn(kind_of(other), 10.0)
    assert times.work(kinds([CELL, CELL, other])) == 190.0
    assert times.left(kinds([CELL, CELL, other]), 2) == 95.0
    assert times.left(kinds([CELL, other]), 2) == 90.0
    assert times.left(kinds([CELL, other, unknown]), 1) == 150.0  # unknown: the mean of the others
    done = kinds([CELL, other])
    done[kind_of(CELL)] -= 1
    assert times.left(done, 2) == 10.0


def test_longest_first_and_the_unknown_before_them() -> None:
    short, unknown = like(method="kmeans", label="k"), like(method="new", label="n")
    times = Times()
    times.learn(kind_of(CELL), 9.0)
    times.learn(kind_of(short), 1.0)
    twin = like(seed=5)
    order = longest_first([short, CELL, unknown, twin], times)
    assert order == [unknown, CELL, twin, short]
    assert longest_first([short, CELL], Times()) == [short, CELL]
