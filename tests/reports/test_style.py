import itertools

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.reports.style import COLORS, MARKERS, look, mark, shortened, width, wrapped


def test_settings_come_back_when_drawing_fails():
    before = mpl.rcParams.copy()
    with pytest.raises(ZeroDivisionError), look():
        raise ZeroDivisionError
    assert mpl.rcParams.copy() == before


def test_no_two_of_many_marks_agree():
    marks = [mark(i) for i in range(110)]
    assert len({(m.color, m.marker) for m in marks}) == 110
    assert len({(m.marker, str(m.dashes)) for m in marks[: 5 * len(MARKERS)]}) == 55


SEEN = {
    "normally": np.eye(3),
    "with protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "with deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "with tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""On linear RGB: Machado, Oliveira and Fernandes 2009, at full severity."""

TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color):
    rgb = np.array(mpl.colors.to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    t = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen", SEEN)
def test_colours_differ_for_every_eye(seen):
    found = [lab(np.array(SEEN[seen]) @ linear(color)) for color in COLORS]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(found, 2))
    assert nearest > 20


def test_colours_stand_out_from_paper_and_neighbours_in_grey():
    luminance = [TO_XYZ[1] @ linear(color) for color in COLORS]
    assert min(1.05 / (y + 0.05) for y in luminance) >= 3  # WCAG 2.1, 1.4.11
    lightness = [lab(linear(color))[0] for color in COLORS]
    assert min(abs(a - b) for a, b in itertools.pairwise(lightness)) > 7


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
