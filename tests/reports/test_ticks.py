import itertools
import math

import pytest
from matplotlib.figure import Figure

from deep_em_bench.reports.style import look, width
from deep_em_bench.reports.ticks import log_ticked, placed, ticked


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.62, 0.78), (0.05, 0.61), (0.99981, 0.99993), (9.2, 10), (0.2, 0.2), (0, 3e9)],
)
def test_short_axes_have_two_ticks_or_more_that_do_not_touch(low, high):
    with look():
        ax = Figure().subplots()
        ax.plot([low, high], [0, 0])
        ticked(ax.xaxis, 0.7)
        left, right = ax.get_xlim()
        ticks = [tick for tick in ax.get_xticks() if left <= tick <= right]
        wide = max(map(width, ax.xaxis.get_major_formatter().format_ticks(ticks)))
    assert left <= low <= high <= right
    assert len(ticks) >= 2
    assert (ticks[1] - ticks[0]) / (right - left) * 0.7 * 72 > wide


def test_integer_axes_have_integer_ticks_even_of_a_single_one():
    with look():
        ax = Figure().subplots()
        ax.plot([1], [0], "o")
        ticked(ax.xaxis, 1, integer=True)
        left, right = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if left <= tick <= right] == [1]


@pytest.mark.parametrize("inches", [0.7, 1.3, 2.6])
@pytest.mark.parametrize(
    ("low", "high"),
    [(0.07, 75), (0.75, 570), (2, 2.0001), (3, 4), (1e-4, 1e5), (40, 90), (1, 10)],
)
def test_logarithmic_axes_have_two_ticks_or_more_that_do_not_touch(low, high, inches):
    with look():
        ax = Figure().subplots()
        ax.set_xscale("log")
        ax.set_xlim(low, high)
        log_ticked(ax.xaxis, inches)
        left, right = ax.get_xlim()
        ticks = ax.get_xticks()
        names = ax.xaxis.get_major_formatter().format_ticks(ticks)
    assert left <= low < high <= right
    assert len(ticks) >= 2
    for tick, name in zip(ticks, names, strict=True):
        assert left <= tick <= right
        assert float(name.replace(",", "")) == pytest.approx(tick)
    for (a, first), (b, second) in itertools.pairwise(zip(ticks, names, strict=True)):
        room = math.log10(b / a) / math.log10(right / left) * inches * 72
        assert room > (width(first) + width(second)) / 2
    assert len(ax.xaxis.get_minor_ticks()) == 0


def test_given_places_are_named_from_the_right_as_far_as_there_is_room():
    with look():
        ax = Figure().subplots()
        ax.set_xlim(0, 60000)
        placed(ax.xaxis, [100, 6000, 30000, 60000], 1)
        names = ax.xaxis.get_major_formatter().format_ticks(ax.get_xticks())
    assert ax.get_xticks().tolist() == [100, 6000, 30000, 60000]
    assert names == ["", "6,000", "30,000", "60,000"]
