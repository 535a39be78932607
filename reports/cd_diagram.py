"""The critical-difference diagram: average ranks on an axis, bars over what is not told apart.

After Demšar (JMLR 7, 2006), Figure 1: the best rank to the left, the rows' names on both sides,
the critical difference as a ruler. Rankings that are underpowered have no diagram.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.statistics_rows import Ranking, ranked, ranked_over_data
from deep_em_bench.reports.statistics_tables import probability
from deep_em_bench.reports.style import INK, SMALL, WIDTH, Mark, headed, shortened, titled, width
from deep_em_bench.reports.summary import Block, direction
from deep_em_bench.reports.text import ARROWS, SPLIT_NAMES

__all__ = ["over_data", "over_seeds"]

# Lengths are points: the axes are as wide as the column, and a unit of theirs is one point.
ACROSS = (WIDTH - 0.06) * 72
PAGE = 560.0
"""Height from which panels go to the next figure."""

NAME = 76.0
"""The widest that names may be; what they leave is the axis's."""

MANY, MOST = 20, 60
"""Rows from which names have fewer lines; rows in one diagram, the best ones."""

LINE, ROW_GAP, PANEL_GAP = 7.2, 3.0, 9.0
TITLE, RULER, TICKS = 10.0, 10.0, 9.0
BAR = 4.0
"""From one bar to the next."""

OVERHANG, APART = 2.5, 6.0
"""How far a bar reaches past its rows' ranks, and the least gap between two on one level."""

MARKER = 7.0
"""Room for a row's marker, between its name and its line."""


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """One ranking, laid out."""

    ranking: Ranking
    names: Sequence[str]
    """With average ranks, broken into lines, best first."""
    wide: float
    """Of the widest line of a name."""
    levels: Sequence[int]
    """Of each group: how many bars down it is drawn."""
    rows: Sequence[float]
    """Height of each pair of names."""

    @property
    def tall(self) -> float:
        return TITLE + RULER + TICKS + self.bars + sum(self.rows) + PANEL_GAP

    @property
    def bars(self) -> float:
        return BAR * (max(self.levels, default=-1) + 1) + 7


def over_seeds(block: Block, shown: Sequence[str], marks: Mapping[str, Mark]) -> Iterator[Figure]:
    """Diagrams of one table, over the seeds of its data set: a panel a metric.

    On the held-out split where any of the metrics was measured there, else on the training split.
    """
    split = "test" if "test" in block.splits(shown) else "train"
    rankings = [ranked(block, split, metric) for metric in shown]
    for figure, sentences in _figures(rankings, marks):
        again = "Seeds are reruns on one data set: nothing here speaks of others."
        headed(figure, block, [*sentences, again])
        yield figure


def over_data(
    blocks: Sequence[Block], shown: Sequence[str], marks: Mapping[str, Mark]
) -> Iterator[Figure]:
    """Diagrams of the tables of one suite and profile, over their data sets: a panel a metric.

    On the held-out split where all tables have it, else on the training split.
    """
    held_out = all("test" in block.splits(shown) for block in blocks)
    rankings = [
        ranked_over_data(blocks, "test" if held_out else "train", metric) for metric in shown
    ]
    for figure, sentences in _figures(rankings, marks):
        mixed = dict.fromkeys(sentence for block in blocks for sentence in block.mixed)
        said = [f"{blocks[0].suite}, profile {blocks[0].profile}."]
        titled(figure, [*said, *(f"MIXED: {sentence}." for sentence in mixed), *sentences])
        yield figure


def _figures(
    rankings: Sequence[Ranking | None], marks: Mapping[str, Mark]
) -> Iterator[tuple[Figure, list[str]]]:
    """Figures of as many panels as fit, and what is to be said above each."""
    panels = [_panel(r, marks) for r in rankings if r is not None and r.critical is not None]
    pages: list[list[_Panel]] = []
    for panel in panels:
        if not pages or sum(held.tall for held in pages[-1]) + panel.tall > PAGE:
            pages.append([])
        pages[-1].append(panel)
    for page in pages:
        tall = sum(panel.tall for panel in page) - PANEL_GAP
        figure = Figure(figsize=(WIDTH, tall / 72 + 0.1), layout="constrained")
        ax = figure.subplots()
        ax.set(xlim=(0, ACROSS), ylim=(tall, 0), aspect="equal", anchor="N")
        ax.axis("off")
        top = 0.0
        for panel in page:
            _draw(ax, panel, top, marks)
            top += panel.tall
        for artist in (*ax.texts, *ax.lines):
            artist.set_in_layout(False)  # their places are given, and the axes keep their size
        yield figure, list(_reading([panel.ranking for panel in page]))


def _panel(ranking: Ranking, marks: Mapping[str, Mark]) -> _Panel:
    labels = ranking.labels[:MOST]
    tails = [f"({average:.2f})" for average in ranking.average[:MOST]]
    names = shortened(labels, marks, NAME / 72, 3 if len(labels) <= MANY else 2, tails)
    lines = [name.split("\n") for name in names]
    tall = [LINE * len(each) + ROW_GAP for each in lines]
    left = -(-len(labels) // 2)
    wide = max(width(line) for each in lines for line in each)
    _, unit = _axis(wide, len(ranking.labels))
    levels: list[int] = []
    ends: list[float] = []  # of the last bar in each level
    for first, last in _bars(ranking):
        low, high = (unit * ranking.average[i] for i in (first, last))
        free = (i for i, end in enumerate(ends) if end + 2 * OVERHANG + APART <= low)
        level = next(free, len(ends))
        ends[level : level + 1] = [high]
        levels.append(level)
    return _Panel(
        ranking=ranking,
        names=names,
        wide=wide,
        levels=levels,
        rows=[
            max(pair)
            for pair in itertools.zip_longest(
                tall[:left], tall[: left - 1 : -1] or [0], fillvalue=0
            )
        ],
    )


def _axis(wide: float, n: int) -> tuple[float, float]:
    """Where the axis of ``n`` ranks begins between names so ``wide``, and points a rank."""
    start, end = wide + MARKER + 4, ACROSS - wide - MARKER - 4
    return start, (end - start) / (n - 1)


def _bars(ranking: Ranking) -> list[tuple[int, int]]:
    """First and last place of each group, of the rows that are shown."""
    shown = min(MOST, len(ranking.labels)) - 1
    return [(first, min(last, shown)) for first, last in ranking.groups if first < shown]


def _draw(ax: Axes, panel: _Panel, top: float, marks: Mapping[str, Mark]) -> None:
    ranking, k = panel.ranking, len(panel.names)
    start, unit = _axis(panel.wide, len(ranking.labels))
    end = ACROSS - start
    places = [start + unit * (average - 1) for average in ranking.average[:k]]
    line = {"color": INK, "lw": 0.6, "solid_capstyle": "butt"}
    assert ranking.critical is not None, "underpowered rankings are not drawn"
    ax.text(0, top, _title(ranking), va="top")
    y = top + TITLE + RULER / 2
    ruler = [start, start + unit * ranking.critical]
    ax.plot(ruler, [y, y], **line)
    for x in ruler:
        ax.plot([x, x], [y - 2, y + 2], **line)
    ax.text(ruler[1] + 3, y, f"CD {ranking.critical:.2f}", va="center", fontsize=SMALL)
    axis = top + TITLE + RULER + TICKS
    ax.plot([start, end], [axis, axis], **line)
    for rank in _ticks(len(ranking.labels), unit):
        x = start + unit * (rank - 1)
        ax.plot([x, x], [axis - 2.5, axis], **line)
        ax.text(x, axis - 3.5, str(rank), ha="center", va="bottom", fontsize=SMALL)
    for (first, last), level in zip(_bars(ranking), panel.levels, strict=True):
        height = axis + 5 + BAR * level
        ends = [places[first] - OVERHANG, places[last] + OVERHANG]
        ax.plot(ends, [height, height], color=INK, lw=2.2, solid_capstyle="butt", zorder=3)
    below = axis + panel.bars
    middles = [below + sum(panel.rows[:i]) + tall / 2 for i, tall in enumerate(panel.rows)]
    left = -(-k // 2)
    for i, name in enumerate(panel.names):
        style = marks[ranking.labels[i]]
        on_left = i < left
        height = middles[i if on_left else k - 1 - i]
        edge = panel.wide if on_left else ACROSS - panel.wide
        inward = 1 if on_left else -1
        knot = edge + inward * MARKER
        ax.plot([knot, places[i], places[i]], [height, height, axis], **line)
        ax.plot(edge + inward * MARKER / 2, height, style.marker, color=style.color, ms=3.2)
        ax.text(edge, height, name, ha="right" if on_left else "left", va="center", fontsize=SMALL)


def _title(ranking: Ranking) -> str:
    assert ranking.p is not None, "underpowered rankings are not drawn"
    metric = f"{HEADINGS.get(ranking.metric, ranking.metric)} {ARROWS[direction(ranking.metric)]}"
    return f"{metric.strip()}   (Friedman p {probability(ranking.p)})"


def _ticks(k: int, unit: float) -> list[int]:
    """Ranks with a label: the first, the last and round ones between, as far as there is room."""
    room = (width(str(k)) + 4) / unit
    step = next((step for step in (1, 2, 5, 10, 20, 50, 100, 200) if step >= room), k)
    inner = [rank for rank in range(step, k, step) if 1 + room <= rank <= k - room]
    return [1, *inner, k]


def _reading(rankings: Sequence[Ranking]) -> Iterator[str]:
    split, n = SPLIT_NAMES[rankings[0].split], len(rankings[0].labels)
    over = dict.fromkeys(ranking.over for ranking in rankings)
    yield f"Average ranks on the {split} split over {'; '.join(over)}; 1 is best."
    yield "Rows under one bar are not told apart (Nemenyi, .05; CD: critical difference)."
    if any(ranking.seeds_left_out for ranking in rankings):
        yield "Seeds on which a ranked row has no score are left out."
    left_out = dict.fromkeys(label for ranking in rankings for label in ranking.left_out)
    if left_out:
        yield f"Not ranked: {', '.join(left_out)}."
    if n > MOST:
        yield f"Of {n} ranked rows the best {MOST} are shown."
