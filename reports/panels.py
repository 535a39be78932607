"""What figures with a panel a metric share: the legend above, the panels below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.style import SMALL, WIDTH, Mark, shortened, wrapped
from deep_em_bench.reports.summary import direction
from deep_em_bench.reports.text import ARROWS
from deep_em_bench.reports.ticks import STEPS, Decimals

__all__ = ["Legend", "legend", "metric_panels"]

ABREAST = 2
"""Panels side by side."""

PANEL = 1.25
"""Inches a row of panels is high."""

BESIDE = 9
"""Names up to which the legend takes the place of a missing panel."""

NAME = 1.2
"""Inches up to which names stand two abreast."""


@dataclass(frozen=True, kw_only=True)
class Legend:
    """Names, laid out."""

    marks: Sequence[Mark]
    names: Sequence[str]
    abreast: int

    @property
    def tall(self) -> float:
        """Inches."""
        return 0.12 * -(-len(self.names) // self.abreast) + 0.03

    def draw(self, part: SubFigure | Axes, *, lines: bool = True) -> None:
        """Fill ``part``; without ``lines`` the marks stand alone, hollow as they are drawn."""
        drawn = [
            Line2D([], [], color=m.color, ls=m.dashes if lines else "", marker=m.marker)
            for m in self.marks
        ]
        for line in drawn if not lines else ():
            line.set_markerfacecolor("none")
        part.legend(
            drawn,
            self.names,
            loc="center left",
            ncols=self.abreast,
            borderpad=0,
            borderaxespad=0.8,
            handlelength=2.4 if lines else 1.2,
            columnspacing=1,
            labelspacing=0.3,
        )


def legend(
    labels: Sequence[str], marks: Mapping[str, Mark], tails: Sequence[str] | None = None
) -> Legend:
    """The legend of these rows, each with its own tail: two abreast where all names are short."""
    ends = tails or [""] * len(labels)
    whole = zip(labels, ends, strict=True)
    short = all(len(wrapped(label, NAME, 2, tail)) == 1 for label, tail in whole)
    return Legend(
        marks=[marks[label] for label in labels],
        names=shortened(labels, marks, NAME if short else 2.8, 1, tails),
        abreast=2 if short else 1,
    )


def metric_panels(
    metrics: Sequence[str],
    labels: Sequence[str],
    marks: Mapping[str, Mark],
    tails: Sequence[str] | None = None,
    *,
    across: str,
    lines: bool,
) -> tuple[Figure, dict[str, Axes], float]:
    """A figure with the legend of ``labels`` and an empty panel for each metric.

    ``tails`` end the names in the legend; ``across`` names the horizontal axis; with ``lines`` the
    legend shows them. Gives the figure, the panels by metric and about how many inches wide they
    are.
    """
    names = legend(labels, marks, tails)
    abreast = min(ABREAST, len(metrics))
    down = -(-len(metrics) // abreast)
    beside = names.abreast > 1 and len(metrics) % abreast and len(labels) <= BESIDE
    heights = [*([] if beside else [names.tall]), PANEL * down]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.2), layout="constrained")
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)
    grid = parts[-1, 0].subplots(down, abreast, squeeze=False)
    panels = dict(zip(metrics, grid.flat, strict=False))
    if beside:
        grid.flat[-1].axis("off")
        replace(names, abreast=1).draw(grid.flat[-1], lines=lines)
    else:
        names.draw(parts[0, 0], lines=lines)
    for metric, ax in panels.items():
        ax.set_title(f"{HEADINGS.get(metric, metric)} {ARROWS[direction(metric)]}".strip())
        ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=STEPS))
        ax.yaxis.set_major_formatter(Decimals())
    for ax in grid.flat[len(metrics) :] if not beside else ():
        ax.set_visible(False)
    figure.supxlabel(across, fontsize=SMALL)
    return figure, panels, 2.6 / abreast
