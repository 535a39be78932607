"""The look that all figures share: column width, type, colours with their markers, names that fit.

Nothing here or in :mod:`reports.figures` reads or changes the user's matplotlib settings, and no
figure is known to pyplot: each is made, rendered to bytes and forgotten.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
from matplotlib import font_manager
from matplotlib.figure import Figure

from deep_em_bench.reports.caption import data_and_profile
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import PIECES

__all__ = [
    "INK",
    "SMALL",
    "WIDTH",
    "Mark",
    "headed",
    "look",
    "mark",
    "rendered",
    "shortened",
    "titled",
    "width",
    "wrapped",
]

WIDTH = 3.35
"""Inches: a column of a two-column paper."""

SIZE, SMALL = 7.0, 6.0
"""Points: titles and axis names; ticks, legends and headers."""

INK, GREY = "#262626", "#595959"

HEADER_LINES = 14

FONT = "DejaVu Sans"  # comes with matplotlib: the same figure everywhere

LOOK = {
    "font.family": FONT,
    "font.size": SIZE,
    "axes.titlesize": SIZE,
    "axes.labelsize": SIZE,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.5,
    "axes.titlepad": 3.0,
    "axes.labelpad": 2.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.4,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "lines.linewidth": 1.0,
    "lines.markersize": 2.8,
    "lines.markeredgewidth": 0.6,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.wspace": 0.04,
    "text.parse_math": False,  # a name may hold dollars and backslashes
    "pdf.fonttype": 42,
    "text.hinting": "none",  # else widths depend on the resolution, and labels meet
    "figure.dpi": 300,
    "savefig.dpi": "figure",
}

COLORS = (
    *("#0077aa", "#bb8800", "#770055", "#dd7755", "#442288"),
    *("#446600", "#8877ee", "#cc0055", "#998899", "#553322"),
)
"""All stand out from white 3 to 1, and from each other for every kind of colour blindness (CIE
difference over 20); neighbours differ in lightness too, for print in grey."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*", "d")  # no pentagon: small, a circle
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (7, 2)))


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How one method is drawn, in every figure of a suite."""

    number: int
    """From 1: stands for a name that there is no room for."""
    color: str
    marker: str
    dashes: Any
    """A line style."""


def mark(i: int) -> Mark:
    """The i-th mark. Colour, marker and dashes repeat after 10, 11 and 5: no two of 110 agree."""
    return Mark(
        number=i + 1,
        color=COLORS[i % len(COLORS)],
        marker=MARKERS[i % len(MARKERS)],
        dashes=DASHES[i % len(DASHES)],
    )


@contextmanager
def look() -> Iterator[None]:
    """Matplotlib's defaults with :data:`LOOK`, whatever the user's; theirs again afterwards."""
    with matplotlib.style.context(["default", LOOK]):
        yield


def rendered(figure: Figure) -> dict[str, bytes]:
    """The figure as "pdf", with embedded fonts and no date, and as "png"."""
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)  # both files have this layout; "none" draws for each again
    files = {}
    for suffix, metadata in (("pdf", {"CreationDate": None}), ("png", None)):
        content = io.BytesIO()
        figure.savefig(content, format=suffix, metadata=metadata)
        files[suffix] = content.getvalue()
    return files


def headed(figure: Figure, block: Block, sentences: Iterable[str]) -> None:
    """Say above the figure what it shows, and make it as much taller as that takes.

    Data, profile and what is mixed are said first, as in the captions of tables.
    """
    mixed = [f"MIXED: {sentence}." for sentence in block.mixed]
    titled(figure, [*data_and_profile(block), *mixed, *sentences])


def titled(figure: Figure, sentences: Iterable[str]) -> None:
    """As :func:`headed`, for a figure of several blocks, which says all by itself."""
    wide, tall = figure.get_size_inches()
    lines = wrapped(" ".join(sentences), wide - 0.1, HEADER_LINES)
    figure.set_size_inches(wide, tall + (len(lines) * 1.2 * SMALL + 5) / 72)
    figure.suptitle("\n".join(lines), x=0.05 / wide, ha="left", fontsize=SMALL, color=GREY)


def shortened(
    labels: Sequence[str],
    marks: Mapping[str, Mark],
    inches: float,
    lines: int,
    tails: Sequence[str] | None = None,
) -> list[str]:
    """The rows' labels, each broken to fit in small type, with its own tail.

    Labels that would come out alike are told apart by their mark's number.
    """
    found = ["\n".join(wrapped(label, inches, lines)) for label in labels]
    return [
        "\n".join(
            wrapped(
                f"{marks[label].number}: {label}" if found.count(text) > 1 else label,
                inches,
                lines,
                tails[i] if tails else "",
            )
        )
        for i, (label, text) in enumerate(zip(labels, found, strict=True))
    ]


def wrapped(text: str, inches: float, lines: int, tail: str = "") -> list[str]:
    """``text`` and then ``tail`` in at most so many lines of small type.

    What is too long is elided before the tail. Lines break at spaces, words wider than a line
    after signs, and else anywhere; the tail in one piece. Characters that the font lacks become
    code points.
    """
    limit = inches * 72
    found = [""]
    for piece in (*_pieces(_printable(text), limit), tail):
        if found[-1] and width(found[-1] + piece.rstrip()) > limit:
            found.append("")
        found[-1] += piece
    if len(found) > lines:
        end = f"… {tail}".rstrip()
        last = found[lines - 1]
        while last and width(last + end) > limit:
            last = last[:-1]
        found[lines - 1 :] = [last.rstrip() + end]
    return [line.strip() for line in found]


def width(text: str) -> float:
    """Of one line of ``text`` in small type, in points."""
    return sum(_advance(character) for character in text)


def _pieces(text: str, limit: float) -> Iterator[str]:
    """The parts of a text between which lines may break, none wider than the limit."""
    for word in text.split():
        if width(word) <= limit:
            yield f"{word} "
            continue
        for part in PIECES.findall(word):
            yield from _cut(part, limit)
        yield " "


def _cut(word: str, limit: float) -> Iterator[str]:
    start, used = 0, 0.0
    for i, character in enumerate(word):
        wide = _advance(character)
        if i > start and used + wide > limit:
            yield word[start:i]
            start, used = i, 0.0
        used += wide
    yield word[start:]


def _printable(text: str) -> str:
    text = " ".join(text.split())
    return "".join(c if _drawn(c) else f"[U+{ord(c):04X}]" for c in text)


@functools.cache
def _drawn(character: str) -> bool:
    return character.isprintable() and _font().get_char_index(ord(character)) != 0


@functools.cache
def _advance(character: str) -> float:
    """Width of a character in small type, in points."""
    font = _font()
    font.set_size(SMALL, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536


@functools.cache
def _font() -> Any:
    return font_manager.get_font(font_manager.findfont(FONT))
