"""What is seen while cells run."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from deep_em_bench import methods
from deep_em_bench.benchmarks.engine.job import Outcome
from deep_em_bench.benchmarks.engine.progress import ROW_KEYS, Bars, Lines, span
from deep_em_bench.benchmarks.engine.schedule import Times, kind_of
from deep_em_bench.benchmarks.plan import Cell, DatasetSpec

CELL = Cell(
    dataset=DatasetSpec(name="mnist", words={}),
    n_clusters=10,
    method="gan_em",
    preset="official",
    label="gan_em[official]",
    params={"max_iter": 4},
    seed=3,
    profile="quick",
)


def finished(cell: Cell = CELL, **changes: object) -> Outcome:
    outcome = Outcome(cell=cell, status="ok", error_rate=0.0456, seconds=41.2)
    return dataclasses.replace(outcome, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (finished(), "[ 1/60] mnist · gan_em[official] · seed 3 · ok · error 0.046 · 41 s"),
        (
            finished(seconds=0.44, error_rate=None),
            "[ 1/60] mnist · gan_em[official] · seed 3 · ok · error - · 0.4 s",
        ),
        (
            finished(status="timeout", message="Timeout: stopped after 9 s", seconds=9.04),
            "[ 1/60] mnist · gan_em[official] · seed 3 · timeout · Timeout: stopped after 9 s "
            "· 9.0 s",
        ),
    ],
)
def test_a_cell_is_one_line(outcome: Outcome, line: str) -> None:
    stream = io.StringIO()
    with Lines([CELL] * 60, stream) as shown:
        shown.finished(outcome)
    assert stream.getvalue().partition(" · about")[0].rstrip() == line


def test_k_is_said_where_it_tells_cells_apart() -> None:
    other = dataclasses.replace(CELL, n_clusters=20)
    stream = io.StringIO()
    with Lines([CELL, other], stream) as shown:
        shown.finished(finished())
        shown.finished(finished(other))
    first, second = stream.getvalue().splitlines()
    assert first.startswith("[1/2] mnist K=10 · gan_em")
    assert second.startswith("[2/2] mnist K=20 · gan_em")


def test_the_time_left_is_said_as_soon_as_it_is_known() -> None:
    short = dataclasses.replace(CELL, label="kmeans[default]", method="kmeans")
    times = Times()
    times.learn(kind_of(CELL), 300.0)
    stream = io.StringIO()
    with Lines([CELL, CELL, CELL, short], stream, times=times, workers=2) as shown:
        shown.finished(finished(seconds=900.0))
        shown.finished(finished(seconds=900.0))
        shown.finished(finished(short, status="failed", seconds=1.0))
        shown.finished(finished())
    ends = [line.rpartition(" · ")[2] for line in stream.getvalue().splitlines()]
    # Unknown cells count with the mean of the known: 4 x 300 / 2; then the median is 600.
    assert ends[0] == "4 cells, about 10 min left"
    assert ends[1:4] == ["about 15 min left", "about 15 min left", "about 15 min left"]
    assert ends[4] == "41 s"


def test_without_a_known_number_of_workers_it_is_measured() -> None:
    stream = io.StringIO()
    with Lines([CELL] * 3, stream, workers=None) as shown:
        shown.finished(finished(seconds=7200.0))  # in no time at all: there must be many workers
    assert "about 2.0 h left" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")],
)
def test_expected_times_are_round(seconds: float, said: str) -> None:
    assert span(seconds) == said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_show_the_suite_and_the_running_fit() -> None:
    stream = Terminal()
    with Bars([CELL, dataclasses.replace(CELL, seed=4)], stream) as shown:
        shown.row({"iteration": 1, "churn": 0.25, "shares": [1]})
        shown.finished(finished())
    text = stream.getvalue()
    assert "mnist · gan_em[official] · seed 3" in text
    assert "/4" in text  # of max_iter
    assert "[1/2] mnist · gan_em[official] · seed 3 · ok · error 0.046 · 41 s\n" in text
    assert "/2 [" in text
    assert "about 41 s left" in text


@pytest.mark.parametrize("make", [Lines, Bars])
def test_no_fit_need_tell_of_itself(make: Callable[..., Lines]) -> None:
    stream = io.StringIO()
    with make([CELL], stream) as shown:
        shown.finished(finished())
    assert "[1/1] mnist" in stream.getvalue()


def test_the_bar_shows_numbers_that_methods_write() -> None:
    sources = [path.read_text() for path in Path(methods.__file__).parent.rglob("*.py")]
    assert all(any(f'"{key}"' in source for source in sources) for key in ROW_KEYS)
