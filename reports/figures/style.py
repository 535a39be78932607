"""The look that all figures share: column width, type, one colour and marker for each method.

Nothing here reads or changes the user's matplotlib settings, and no figure is known to pyplot:
each is made, rendered to bytes and forgotten.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
from matplotlib import font_manager
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from deep_em_bench import methods
from deep_em_bench.reports.data.blocks import Row
from deep_em_bench.reports.data.titles import preset_names
from deep_em_bench.reports.render.escaping import PIECES

__all__ = [
    "INK",
    "SMALL",
    "WIDTH",
    "Drawing",
    "Mark",
    "fit",
    "legend",
    "log_ticks",
    "look",
    "marks_of",
    "pages",
    "plain",
    "rendered",
    "ticks",
]

WIDTH = 3.35
"""Inches: a column of a two-column paper."""

SIZE, SMALL = 7.5, 7.0
"""Points: titles and axis names; ticks and legends. Nothing is smaller."""

INK = "#262626"

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
    "lines.markersize": 3.2,
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

APART = ("label_spreading", "logistic_regression", "pca_kmeans", "self_training", "tsne_kmeans")
"""Methods that are counted last: of more than ten some share a colour, and these seldom meet."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*", "d")  # no pentagon: small, a circle
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (7, 2)))


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How one method is drawn, in every figure of every suite."""

    color: str
    marker: str
    dashes: Any
    """A line style."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure and its caption."""

    kind: str
    name: str
    """Unique among the figures of its kind."""
    figure: Figure
    caption: Sequence[str]
    """Sentences."""
    of: str = ""
    """The row that alone is shown."""
    block: str = ""
    """The title of its block; empty: of several."""


def marks_of(rows: Sequence[Row]) -> dict[str, Mark]:
    """Of each row, by label: the colour of its method, and the marker of its preset or variant.

    Both are counted among all that is registered, so that a method looks the same in every suite;
    no two rows have both in common.
    """
    known = sorted(methods.registry.declarations(), key=lambda name: (name in APART, name))
    taken: set[tuple[str, str]] = set()
    variants: dict[str, int] = {}
    marks: dict[str, Mark] = {}
    for row in rows:
        if row.label in marks:
            continue
        of_method = known.index(row.method) if row.method in known else len(known)
        presets = preset_names(row.method)
        name = row.records[0].method.preset
        if row.label in (row.method, f"{row.method}[{name}]") and name in presets:
            place = presets.index(name)
        else:
            place = len(presets) + variants.setdefault(row.method, 0)
            variants[row.method] += 1
        color = COLORS[of_method % len(COLORS)]
        order = [*range(place + of_method, place + of_method + len(MARKERS))]
        markers = [MARKERS[i % len(MARKERS)] for i in order]
        marker = next((m for m in markers if (color, m) not in taken), markers[0])
        taken.add((color, marker))
        marks[row.label] = Mark(color=color, marker=marker, dashes=DASHES[place % len(DASHES)])
    return marks


def plain(i: int) -> Mark:
    """The i-th mark of things that are no methods, such as classes."""
    return Mark(color=COLORS[i % len(COLORS)], marker=MARKERS[i % len(MARKERS)], dashes="-")


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


def legend(
    figure: Figure, names: Mapping[str, str], marks: Mapping[str, Mark], *, lines: bool
) -> None:
    """Names of rows by label above all panels, two abreast where they are short.

    Without ``lines`` the marks stand alone, hollow as they are drawn.
    """
    short = all(len(fit(name, 1.35, 2)) == 1 for name in names.values())
    abreast = 2 if short and len(names) > 1 else 1
    handles = [
        Line2D(
            [],
            [],
            color=marks[label].color,
            ls=marks[label].dashes if lines else "",
            marker=marks[label].marker,
            mfc=None if lines else "none",
        )
        for label in names
    ]
    wide, tall = figure.get_size_inches()
    figure.set_size_inches(wide, tall + 0.135 * -(-len(names) // abreast) + 0.05)
    figure.legend(
        handles,
        [" ".join(fit(name, 1.35 if short else 2.8, 1)) for name in names.values()],
        loc="outside upper left",
        ncols=abreast,
        borderpad=0,
        handlelength=2.4 if lines else 1.2,
        columnspacing=1,
        labelspacing=0.25,
    )


def pages(n: int, most: int) -> Iterator[tuple[slice, str]]:
    """Parts of ``n`` things, ``most`` each, and a sentence where there are several.

    >>> [text for _, text in pages(9, 8)]
    ['Methods 1–8 of 9.', 'Method 9 of 9.']
    """
    for first in range(0, n, most):
        last = min(first + most, n)
        which = f"Methods {first + 1}–{last}" if last - first > 1 else f"Method {first + 1}"
        yield slice(first, last), f"{which} of {n}." if n > most else ""


def ticks(axis: Axis, n: int, *, integer: bool = False) -> None:
    """At most ``n`` round intervals, labelled as the tables write numbers."""
    axis.set_major_locator(MaxNLocator(n, steps=(1, 2, 5, 10), integer=integer, min_n_ticks=1))
    axis.set_major_formatter(FuncFormatter(_tick))


def log_ticks(axis: Axis) -> None:
    """On a logarithmic axis: decades, or 1, 2 and 5 of each where there are few of them."""
    low, high = axis.get_view_interval()
    subs = (1.0, 2.0, 5.0) if high < 30 * low else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=5))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_tick))


def fit(text: str, inches: float, lines: int) -> list[str]:
    """``text`` in at most so many lines of small type; what is too long is elided.

    Lines break at spaces, long words after signs and else anywhere. Characters that the font lacks
    become code points.
    """
    limit = inches * 72
    shown = "".join(c if _drawn(c) else f"[U+{ord(c):04X}]" for c in " ".join(text.split()))
    pieces = [f"{word} " for word in shown.split()]
    pieces = [part for word in pieces for part in _parts(word, limit)]
    rows = [""]
    for piece in pieces:
        if rows[-1] and _width(rows[-1] + piece.rstrip()) > limit:
            rows.append("")
        rows[-1] += piece
    if len(rows) > lines:
        last = rows[lines - 1].rstrip()
        while last and _width(last + "…") > limit:
            last = last[:-1]
        rows[lines - 1 :] = [last + "…"]
    return [line.strip() for line in rows]


def _parts(word: str, limit: float) -> Iterator[str]:
    """The word, or where it is too wide its pieces, cut where these are too wide as well."""
    if _width(word.rstrip()) <= limit:
        yield word
        return
    for part in PIECES.findall(word.rstrip()):
        size = max(1, int(len(part) * limit / max(_width(part), 1e-9)))
        while part:
            while size > 1 and _width(part[:size]) > limit:
                size -= 1
            yield part[:size]
            part = part[size:]
    yield " "


def _tick(x: float, _: int | None = None) -> str:
    text = f"{x:,.0f}" if abs(x) >= 1000 else f"{round(x, 10):g}"
    return re.sub(r"^(-?)0\.", r"\1.", text.replace("-", "−").replace("−0.", "−."))


def _width(text: str) -> float:
    """Of one line of small type, in points."""
    return sum(map(_advance, text))


@functools.cache
def _drawn(character: str) -> bool:
    return character.isprintable() and _font().get_char_index(ord(character)) != 0


@functools.cache
def _advance(character: str) -> float:
    font = _font()
    font.set_size(SMALL, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536


@functools.cache
def _font() -> Any:
    return font_manager.get_font(font_manager.findfont(FONT))
