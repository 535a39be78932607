"""Cells are run and their progress is shown: bars on a terminal, elsewhere one line a cell."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from deep_em_bench.benchmarks.engine import engine
from deep_em_bench.benchmarks.engine.engine import Backend
from deep_em_bench.benchmarks.engine.job import Outcome, Setting
from deep_em_bench.benchmarks.engine.schedule import Times, kind_of, kinds, longest_first
from deep_em_bench.benchmarks.plan import Cell

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Bars", "Lines", "name_of", "seconds", "span", "work"]

ROW_KEYS = ("churn", "cross_entropy", "responsibility_entropy", "d_loss", "g_loss")
"""Values of a history row that the bar of a running fit shows."""


SUITE_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
"""tqdm's own format without its estimate of the time left, which takes all cells for equal."""


def work(
    cells: Sequence[Cell],
    setting: Setting,
    *,
    backend: Backend = "loky",
    scheduler: str | None = None,
    times: Times | None = None,
) -> Counter[str]:
    """Run the cells and show it on standard error; how many ended with each status.

    Where several run at a time, ``times`` of earlier cells say which go first.
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


class Lines:
    """One line a cell when it ends, with the expected time of the cells that are left.

    ``times`` are those of earlier cells, ``workers`` how many run at a time (None: unknown).
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        stream: TextIO,
        *,
        times: Times | None = None,
        workers: int | None = 1,
    ) -> None:
        self._cells = cells
        self._stream = stream
        self._ended = 0
        self._name = name_of(cells)
        self._times = Times() if times is None else times
        self._workers = workers
        self._waiting = kinds(cells)
        self._started = time.perf_counter()
        self._seconds = 0.0

    def __enter__(self) -> Lines:
        left = self._left()
        if left:
            self._write(f"{len(self._cells)} cells, {left}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def finished(self, outcome: Outcome) -> None:
        """A cell has its record."""
        self._learn(outcome)
        total = len(self._cells)
        count = f"[{self._ended:{len(str(total))}}/{total}]"
        error = outcome.message
        if outcome.status == "ok":
            error = "error -" if outcome.error_rate is None else f"error {outcome.error_rate:.3f}"
        parts = [self._name(outcome.cell), outcome.status, error, seconds(outcome.seconds)]
        self._report(f"{count} {' · '.join(parts)}", self._left())

    def row(self, row: Mapping[str, Any]) -> None:
        """The running fit has finished an iteration."""

    def _report(self, line: str, left: str) -> None:
        self._write(f"{line} · {left}" if left else line)

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def _learn(self, outcome: Outcome) -> None:
        kind = kind_of(outcome.cell)
        self._ended += 1
        self._waiting[kind] -= 1
        self._seconds += outcome.seconds
        if outcome.status == "ok":
            self._times.learn(kind, outcome.seconds)

    def _left(self) -> str:
        """As in "about 12 min left"; empty where no cell is left or nothing is known."""
        workers = self._workers
        if workers is None:  # as many as kept the machines busy so far
            passed = time.perf_counter() - self._started
            workers = max(1, round(self._seconds / passed)) if passed > 0 else 1
        left = self._times.left(self._waiting, workers)
        return f"about {span(left)} left" if left else ""


class Bars(Lines):
    """The same lines above two bars: one for the suite, one for the running fit.

    A fit's bar appears with its first history row; only cells that run one after the other send
    theirs.
    """

    def __enter__(self) -> Bars:
        from tqdm import tqdm

        self._suite = tqdm(
            total=len(self._cells), file=self._stream, leave=False, bar_format=SUITE_BAR
        )
        self._suite.set_postfix_str(self._left())
        self._fit: tqdm[NoReturn] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._close_fit()
        self._suite.close()

    def finished(self, outcome: Outcome) -> None:
        self._close_fit()
        super().finished(outcome)
        self._suite.update()

    def row(self, row: Mapping[str, Any]) -> None:
        if self._fit is None:
            self._fit = self._bar_of(self._cells[self._ended])
        shown = {key: row[key] for key in ROW_KEYS if isinstance(row.get(key), float)}
        self._fit.set_postfix(shown, refresh=False)
        self._fit.update()

    def _bar_of(self, cell: Cell) -> tqdm[NoReturn]:
        from tqdm import tqdm

        budget = cell.params.get("max_iter")
        return tqdm(
            desc=self._name(cell),
            total=budget if isinstance(budget, int) else None,
            unit="iteration",
            file=self._stream,
            leave=False,
            position=1,
        )

    def _close_fit(self) -> None:
        if self._fit is not None:
            self._fit.close()
        self._fit = None

    def _report(self, line: str, left: str) -> None:
        self._suite.set_postfix_str(left, refresh=False)
        self._suite.write(line, file=self._stream)


def name_of(cells: Sequence[Cell]) -> Callable[[Cell], str]:
    """A function that names a cell among these; with K where the data set has several."""
    counts: dict[str, set[int | None]] = {}
    for cell in cells:
        counts.setdefault(cell.dataset.name, set()).add(cell.n_clusters)

    def name(cell: Cell) -> str:
        several = len(counts[cell.dataset.name]) > 1
        data = f"{cell.dataset.name} K={cell.n_clusters}" if several else cell.dataset.name
        return f"{data} · {cell.label} · seed {cell.seed}"

    return name


def span(value: float) -> str:
    """An expected time, rounded: ``50 s``, ``12 min``, ``3.4 h``."""
    if value < 90:
        return f"{max(1, round(value))} s"
    return f"{value / 60:.0f} min" if value < 90 * 60 else f"{value / 3600:.1f} h"


def seconds(value: float) -> str:
    """A duration, rounded: ``0.4 s``, ``41 s``, ``1234 s``."""
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
