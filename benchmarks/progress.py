"""What is seen while cells run: bars on a terminal, elsewhere one line a cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from benchmarks.job import Outcome
from benchmarks.plan import Cell

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Bars", "Lines", "name_of", "seconds"]

ROW_KEYS = ("churn", "cross_entropy", "entropy", "d_loss", "g_loss")
"""What of a history row the bar of a running fit shows, where it is there."""


class Lines:
    """One line a cell, as it ends."""

    def __init__(self, cells: Sequence[Cell], stream: TextIO) -> None:
        self._cells = cells
        self._stream = stream
        self._ended = 0
        self._name = name_of(cells)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def finished(self, outcome: Outcome) -> None:
        """A cell has its record."""
        self._ended += 1
        total = len(self._cells)
        count = f"[{self._ended:{len(str(total))}}/{total}]"
        error = outcome.message
        if outcome.status == "ok":
            error = "error -" if outcome.error_rate is None else f"error {outcome.error_rate:.3f}"
        parts = [self._name(outcome.cell), outcome.status, error, seconds(outcome.seconds)]
        self._write(f"{count} {' · '.join(parts)}")

    def row(self, row: Mapping[str, Any]) -> None:
        """The running fit has done an iteration."""

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Bars(Lines):
    """The same lines above two bars: one for the suite, one for the fit that is running.

    A fit has a bar as soon as it tells of its first iteration; only cells that run one after the
    other tell.
    """

    def __enter__(self) -> Bars:
        from tqdm import tqdm

        self._suite = tqdm(total=len(self._cells), unit="cell", file=self._stream, leave=False)
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
            self._fit = self._started(self._cells[self._ended])
        shown = {key: row[key] for key in ROW_KEYS if isinstance(row.get(key), float)}
        self._fit.set_postfix(shown, refresh=False)
        self._fit.update()

    def _started(self, cell: Cell) -> tqdm[NoReturn]:
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

    def _write(self, line: str) -> None:
        self._suite.write(line, file=self._stream)


def name_of(cells: Sequence[Cell]) -> Callable[[Cell], str]:
    """How cells are named among these: K is said where it alone tells two apart."""
    counts: dict[str, set[int | None]] = {}
    for cell in cells:
        counts.setdefault(cell.dataset.name, set()).add(cell.n_clusters)

    def name(cell: Cell) -> str:
        several = len(counts[cell.dataset.name]) > 1
        data = f"{cell.dataset.name} K={cell.n_clusters}" if several else cell.dataset.name
        return f"{data} · {cell.label} · seed {cell.seed}"

    return name


def seconds(value: float) -> str:
    """``0.4 s``, ``41 s``, ``1234 s``: what matters of a duration."""
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
