import matplotlib as mpl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from reports.style import MARKERS, look, mark, shortened, ticked, width, wrapped


def test_settings_come_back_when_drawing_fails():
    before = mpl.rcParams.copy()
    with pytest.raises(ZeroDivisionError), look():
        raise ZeroDivisionError
    assert mpl.rcParams.copy() == before


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


def test_no_two_of_many_marks_agree():
    marks = [mark(i) for i in range(110)]
    assert len({(m.color, m.marker) for m in marks}) == 110
    assert len({(m.marker, str(m.dashes)) for m in marks[: 5 * len(MARKERS)]}) == 55


def test_labels_cut_alike_are_told_apart():
    labels = ["a" * 80 + "1", "a" * 80 + "2", "b"]
    marks = {label: mark(i) for i, label in enumerate(labels)}
    names = shortened(labels, marks, 1, 2, ["(1/1)", "(2/3)", "(0/3)"])
    assert names[0].startswith("1:")
    assert names[1].startswith("2:")
    assert [name[-6:] for name in names] == [" (1/1)", " (2/3)", " (0/3)"]
    assert names[2] == "b (0/3)"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.floats(0.5, 3), st.integers(1, 4), st.sampled_from(["", "(1/10)"]))
def test_wrapped_text_fits_and_loses_nothing_unsaid(text, inches, lines, tail):
    found = wrapped(text, inches, lines, tail)
    assert 1 <= len(found) <= lines
    assert all(width(line) <= inches * 72 + 1e-6 for line in found)
    assert found[-1].endswith(tail)
    whole = "".join(wrapped(text, 1000, 1, tail))
    if "…" not in found[-1]:
        assert "".join("".join(found).split()) == "".join(whole.split())
