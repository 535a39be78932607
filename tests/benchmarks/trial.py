"""A trial suite for tests that run cells, and waiting for what its processes do."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from deep_em_bench.benchmarks.engine.job import Outcome, Setting
from deep_em_bench.benchmarks.plan import Cell, plan
from deep_em_bench.benchmarks.suite import DatasetRow, MethodRow, Suite
from deep_em_bench.results.record import Record
from deep_em_bench.results.store import Store

__all__ = ["Ended", "by_method", "cells_of", "is_running", "setting_for", "wait_for"]

Ended = dict[str, tuple[Outcome, Record]]


def cells_of(*methods: str, **params: object) -> tuple[Cell, ...]:
    suite = Suite(
        name="trial",
        path=Path("trial.toml"),
        title="trial",
        reproduces="-",
        seeds=(0,),
        datasets=(DatasetRow(name="moons", words={"n_samples": 40}),),
        methods=tuple(MethodRow(name=name, params=params) for name in methods),
        profiles={},
    )
    return plan(suite)


def setting_for(folder: Path, plugin: Path, **more: object) -> Setting:
    made = Setting(suite="trial", folder=folder, threads=1, plugins=(plugin,))
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def by_method(outcomes: Sequence[Outcome], store: Store) -> Ended:
    return {o.cell.method: (o, store.read(o.cell.key)) for o in outcomes}


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
