"""Cells are run and their progress is shown: what every command that runs cells calls."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Sequence

from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.engine import Backend
from deep_em_bench.benchmarks.engine.job import Setting
from deep_em_bench.benchmarks.engine.progress import Bars, Lines
from deep_em_bench.benchmarks.engine.schedule import Times, longest_first
from deep_em_bench.benchmarks.plan import Cell

__all__ = ["work"]


def work(
    cells: Sequence[Cell],
    setting: Setting,
    *,
    backend: Backend = "loky",
    scheduler: str | None = None,
    times: Times | None = None,
) -> Counter[str]:
    """Run the cells and show it on standard error; how many ended how.

    ``times`` of earlier cells say which go first where several run at a time.
    """
    counts: Counter[str] = Counter()
    workers = None if backend == "dask" else setting.jobs
    if times is not None and workers != 1:
        cells = longest_first(cells, times)
    view = Bars if sys.stderr.isatty() else Lines
    shown = view(cells, sys.stderr, times=times, workers=workers)
    watched = shown.row if setting.watch else None
    outcomes = engine.run(cells, setting, backend=backend, scheduler=scheduler, on_row=watched)
    with contextlib.closing(outcomes), shown:
        for outcome in outcomes:
            counts[outcome.status] += 1
            shown.finished(outcome)
    return counts
