"""Ticks whose labels have room: round numbers on linear and logarithmic axes, or given places."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence

from matplotlib.axis import XAxis
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    MaxNLocator,
    NullLocator,
    ScalarFormatter,
)

from deep_em_bench.reports.style import width

__all__ = ["STEPS", "Decimals", "log_ticked", "placed", "ticked"]

STEPS = (1, 2, 5, 10)
"""Between ticks: round numbers alone."""

MOST_TICKS = 5

GAP = 4.0
"""Points between tick labels."""


class Decimals(ScalarFormatter):
    """Tick labels without the zero before the point, as the tables write numbers."""

    def __init__(self) -> None:
        super().__init__(useOffset=False)

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = super().__call__(x, pos)
        return "0" if x == 0 else re.sub(r"^(\D?)0\.", r"\1.", text)


def ticked(axis: XAxis, inches: float, *, integer: bool = False) -> None:
    """Give an axis of that length and final data as many round ticks as have room for labels.

    Where not even two lie within its limits, these are widened, except for integers.
    """
    formatter = Decimals()
    axis.set_major_formatter(formatter)
    low, high = axis.get_view_interval()
    for widened, n in itertools.product((False, True), range(MOST_TICKS, 0, -1)):
        locator = MaxNLocator(n, steps=STEPS, integer=integer, min_n_ticks=1)
        axis.set_major_locator(locator)
        ticks = [tick for tick in locator.tick_values(low, high) if widened or low <= tick <= high]
        if len(ticks) < 2:
            if integer and ticks:
                return
            continue
        length = ticks[-1] - ticks[0] if widened else high - low
        room = (ticks[1] - ticks[0]) / length * inches * 72
        if room > max(map(width, formatter.format_ticks(ticks))) + GAP:
            if widened:
                axis.set_view_interval(ticks[0], ticks[-1], ignore=True)
            return


def log_ticked(axis: XAxis, inches: float) -> None:
    """As :func:`ticked` for a logarithmic axis: at 1, 2 and 5 of each decade, or at decades.

    Where not even two lie within its limits, these are widened.
    """
    low, high = axis.get_view_interval()
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    fine = [step * 10.0**decade for decade in range(first, last + 1) for step in (1, 2, 5)]
    if sum(low <= tick <= high for tick in fine) < 2:
        low = max(tick for tick in fine if tick <= low)
        high = min(tick for tick in fine if tick >= high)
        axis.set_view_interval(low, high, ignore=True)
    thinned = [
        [tick for tick in fine[::every] if low <= tick <= high]
        for every in (1, *range(3, 3 * (last - first + 2), 3))
    ]
    _set(axis, next((ticks for ticks in thinned if _apart(axis, ticks, inches)), thinned[-1]))


def placed(axis: XAxis, ticks: Sequence[float], inches: float) -> None:
    """Give an axis ticks at these places alone, in order, labelled where there is room.

    The last is labelled in any case, then those before it from right to left.
    """
    kept = [ticks[-1]]
    for tick in reversed(ticks[:-1]):
        if _apart(axis, [tick, kept[0]], inches):
            kept.insert(0, tick)
    _set(axis, ticks, kept)


def _apart(axis: XAxis, ticks: Sequence[float], inches: float) -> bool:
    """Whether the labels of these ticks keep their distance."""
    transform = axis.get_transform()
    low, high = transform.transform(list(axis.get_view_interval()))
    places = transform.transform(list(ticks)) / (high - low) * inches * 72
    return all(
        right - left > (width(_label(a)) + width(_label(b))) / 2 + GAP
        for (a, left), (b, right) in itertools.pairwise(zip(ticks, places, strict=True))
    )


def _set(axis: XAxis, ticks: Sequence[float], kept: Sequence[float] | None = None) -> None:
    labels = [_label(tick) if kept is None or tick in kept else "" for tick in ticks]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter(labels))
    axis.set_minor_locator(NullLocator())


def _label(tick: float) -> str:
    return f"{tick:,.0f}" if tick >= 1 else f"{tick:.9f}".strip("0")
