"""How EM went, by iteration: losses, entropy, churn, seconds, shares; and scores of samples."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from deep_em_bench.core import DataError
from deep_em_bench.reports.latex import HEADINGS
from deep_em_bench.reports.panels import legend
from deep_em_bench.reports.style import SMALL, WIDTH, Mark, headed, shortened, wrapped
from deep_em_bench.reports.summary import Block, Row, direction
from deep_em_bench.reports.text import ARROWS, EXTRACTORS, methods_shown, named_seeds
from deep_em_bench.reports.ticks import STEPS, Decimals, ticked
from deep_em_bench.results import Store

__all__ = ["Kind", "learning"]

log = logging.getLogger(__name__)

PANELS = {
    "lower_bound": "Lower bound (nats a point)",
    "cross_entropy": "Cross-entropy of E",
    "kl": "KL divergence",
    "divergence": "Consistency divergence",
    "responsibility_entropy": "Responsibility entropy",
    "churn": "Share of labels changed",
    "d_loss": "Discriminator loss",
    "g_loss": "Generator loss",
    "critic_distance": "Critic's distance",
    "mutual_information": "Mutual information",
    "epsilon": "Share of others' points (ε)",
    "m_seconds": "M-step (s)",
    "e_seconds": "E-step (s)",
    "seconds": "Both (s)",
}
"""Keys of history rows that hold a number, with the title of their panel; one that is not here but
ends in "loss" has a panel too."""

SCORES = {f"{score}_{net}": score for net in EXTRACTORS for score in ("is", "fid", "kid")}
"""Keys of history rows that hold a score of samples; they have figures of their own, titled as the
columns of the tables are (responsibility GAN, Figure 4)."""

DECADES = 20.0
"""Largest over smallest FID from which its axis is logarithmic."""

FINE = 100.0
"""Highest over lowest end of a logarithmic axis up to which there is room for 2 and 5."""

ANY_SIGN = frozenset({"lower_bound", "d_loss", "g_loss", "critic_distance", "mutual_information"})
"""Keys whose axes need not begin at zero, and so need not losses that are not in PANELS."""

METHODS, CURVES = 8, 10
"""Methods and panels of curves in one figure."""

BANDS = ("#3b6ea5", "#a9c4e0")
"""Fills of neighbouring clusters: the bands are told apart, and no cluster has a colour."""

MANY = 40
"""Clusters from which there is no room for lines between them."""

PANEL = 0.9
"""Inches a row of panels is high."""

CURVES_ABREAST = 2

AREAS = 2.85
"""Inches that the areas abreast have together."""

Kind = Literal["em", "scores"]

Runs = Sequence[Mapping[int, Mapping[str, Any]]]
"""History rows by iteration, a run each."""


@dataclass(frozen=True, kw_only=True)
class _Method:
    """What the histories of one method's runs that ended ok have for the panels."""

    label: str
    mark: Mark
    seed: int
    """Of the first run."""
    n_runs: int
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]
    """By key, where there are any: iterations ``(T,)`` and numbers ``(runs, T)``; NaN: none."""
    shares: tuple[np.ndarray, np.ndarray] | None
    """Iterations ``(T,)`` and the first run's shares ``(K, T)``, where it has them."""


def learning(
    block: Block, store: Store, marks: Mapping[str, Mark]
) -> Iterator[tuple[Kind, Figure]]:
    """All that histories tell by EM iteration, as many figures as needed, each with its kind.

    "em": the diagnostics; "scores": those of samples, where a run was scored on the way. Curves
    are means over the runs that ended ok with a band of one standard deviation, pale where not
    all of them went so far; where runs tell only their end, that is a point each. Shares are those
    of one run. Panels that no record can fill are left out.
    """
    methods = [method for row in block.rows for method in _read(row, store, marks)]
    em = [method for method in methods if method.shares is not None or _keys([method], "em")]
    for first in range(0, len(em), METHODS):
        some = em[first : first + METHODS]
        keys = _keys(some, "em")
        for begin in range(0, max(len(keys), 1), CURVES):
            sharing = [] if begin else [method for method in some if method.shares is not None]
            part = keys[begin : begin + CURVES]
            reading = _reading(some, part, sharing)
            yield "em", _headed(block, some, em, _figure(some, part, sharing, marks), reading)
    scored = [method for method in methods if _keys([method], "scores")]
    for first in range(0, len(scored), METHODS):
        some = scored[first : first + METHODS]
        keys = _keys(some, "scores")
        reading = [*_reading(some, keys, []), *_counts(block)]
        yield "scores", _headed(block, some, scored, _figure(some, keys, [], marks), reading)


def _headed(
    block: Block,
    some: Sequence[_Method],
    methods: Sequence[_Method],
    figure: Figure,
    reading: Iterable[str],
) -> Figure:
    first = methods.index(some[0])
    which = methods_shown(first, len(some), len(methods))
    headed(figure, block, reading if len(some) == len(methods) else [which, *reading])
    return figure


def _keys(methods: Sequence[_Method], kind: Kind) -> list[str]:
    """The keys that any method has a curve of, in the order of their panels."""
    found = dict.fromkeys(key for method in methods for key in method.curves)
    if kind == "scores":
        return [key for key in SCORES if key in found]
    return [*(key for key in PANELS if key in found), *sorted(set(found) - {*PANELS, *SCORES})]


def _figure(
    methods: Sequence[_Method],
    keys: Sequence[str],
    sharing: Sequence[_Method],
    marks: Mapping[str, Mark],
) -> Figure:
    names = legend([method.label for method in methods], marks)
    abreast = min(3, max(1, len(sharing)))
    heights = {
        "legend": names.tall,
        "curves": PANEL * -(-len(keys) // CURVES_ABREAST),
        "areas": PANEL * -(-len(sharing) // abreast),
    }
    heights = {part: height for part, height in heights.items() if height}
    figure = Figure(figsize=(WIDTH, sum(heights.values()) + 0.15), layout="constrained")
    ratios = list(heights.values())
    drawn = figure.subfigures(len(ratios), 1, squeeze=False, height_ratios=ratios)
    parts = dict(zip(heights, drawn.flat, strict=True))
    names.draw(parts["legend"])
    if keys:
        for ax, key in zip(_panels(parts["curves"], len(keys), CURVES_ABREAST), keys, strict=True):
            _curves(ax, methods, key)
    if sharing:
        titles = shortened([m.label for m in sharing], marks, AREAS / abreast, 2)
        panels = _panels(parts["areas"], len(sharing), abreast)
        for ax, method, title in zip(panels, sharing, titles, strict=True):
            _areas(ax, method, title, abreast)
    scored = any(key in SCORES for key in keys)
    figure.supxlabel("EM iteration or epoch" if scored else "EM iteration", fontsize=SMALL)
    return figure


def _read(row: Row, store: Store, marks: Mapping[str, Mark]) -> Iterator[_Method]:
    runs, seeds = [], []
    for record in row.ok:
        try:
            history = store.history(record.key)
        except DataError as error:
            log.warning("no history of %s: %s", row.label, error)
            continue
        seeds.append(record.seed)
        runs.append({r["iteration"]: r for r in history if type(r.get("iteration")) is int})
    if not runs:
        return
    keys = dict.fromkeys(key for rows in runs for row in rows.values() for key in row)
    known = [k for k in keys if k in PANELS or k in SCORES or k.endswith("loss")]
    curves = {key: found for key in known if (found := _curve(runs, key)) is not None}
    shares = _first_shares(runs)
    if curves or shares:
        yield _Method(
            label=row.label,
            mark=marks[row.label],
            seed=seeds[0],
            n_runs=len(runs),
            curves=curves,
            shares=shares,
        )


def _curve(runs: Runs, key: str) -> tuple[np.ndarray, np.ndarray] | None:
    iterations = sorted({i for rows in runs for i, row in rows.items() if key in row})
    table = np.array([[_number(rows.get(i, {}).get(key)) for i in iterations] for rows in runs])
    known = np.isfinite(table).any(axis=0)
    return (np.array(iterations)[known], table[:, known]) if known.any() else None


def _first_shares(runs: Runs) -> tuple[np.ndarray, np.ndarray] | None:
    listed = {i: _numbers(row.get("shares")) for i, row in sorted(runs[0].items())}
    found = {i: shares for i, shares in listed.items() if shares}
    if len({len(shares) for shares in found.values()}) != 1:
        return None
    return np.array(list(found)), np.array(list(found.values())).T


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) else math.nan


def _numbers(value: Any) -> list[float]:
    """The numbers of a list of finite numbers; of anything else none."""
    found = [_number(item) for item in value] if isinstance(value, list | tuple) else []
    return found if all(map(math.isfinite, found)) else []


def _panels(part: SubFigure, n: int, abreast: int) -> list[Axes]:
    """So many axes on a grid."""
    grid = part.subplots(-(-n // abreast), abreast, squeeze=False)
    for ax in grid.flat[n:]:
        ax.set_visible(False)
    return list(grid.flat[:n])


def _curves(ax: Axes, methods: Sequence[_Method], key: str) -> None:
    logarithmic = _spans_decades(methods, key)
    for place, method in enumerate(methods):
        if key not in method.curves:
            continue
        iterations, table = method.curves[key]
        style: dict[str, Any] = {"color": method.mark.color, "marker": method.mark.marker}
        if _tells_ends(table):
            run, end = np.nonzero(np.isfinite(table))
            ax.plot(iterations[end], table[run, end], **style, ls="", mfc="none", mew=0.5)
            continue
        count = np.isfinite(table).sum(axis=0)
        mean = np.nanmean(table, axis=0)
        spread = np.sqrt(np.nansum((table - mean) ** 2, axis=0) / np.maximum(count - 1, 1))
        every = max(1, len(iterations) // 6)
        style["ls"] = method.mark.dashes
        style["markevery"] = (place % every, every)  # so that close curves hide no marker
        low, high = mean - spread, mean + spread
        if logarithmic:  # a band down to nothing would be all that is seen
            low = np.maximum(low, np.nanmin(table, axis=0))
        ax.fill_between(iterations, low, high, color=method.mark.color, alpha=0.2, lw=0)
        ax.plot(iterations, mean, **style, alpha=0.35)
        ax.plot(iterations, np.where(count == method.n_runs, mean, np.nan), **style)
    ax.set_title(_title(key), loc="left")
    ax.grid(axis="y")
    ticked(ax.xaxis, 1.2, integer=True)
    if logarithmic:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        few = high < low * FINE
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=6))
        ax.yaxis.set_minor_locator(NullLocator())
    else:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=STEPS))
    ax.yaxis.set_major_formatter(Decimals())
    if not logarithmic and ((key in PANELS and key not in ANY_SIGN) or SCORES.get(key) == "fid"):
        ax.set_ylim(0, 1.05 * ax.get_ylim()[1])


def _title(key: str) -> str:
    if key in SCORES:
        return f"{HEADINGS[key]} {ARROWS[direction(key)]}"
    return PANELS.get(key) or wrapped(_sentence(key), 1.4, 1)[0]


def _spans_decades(methods: Sequence[_Method], key: str) -> bool:
    """Whether a panel is of an FID of so many sizes that a linear axis would show the worst."""
    if SCORES.get(key) != "fid":
        return False
    tables = [method.curves[key][1] for method in methods if key in method.curves]
    low, high = min(map(np.nanmin, tables)), max(map(np.nanmax, tables))
    return bool(0 < low * DECADES < high)


def _tells_ends(table: np.ndarray) -> bool:
    """Whether no run has more than one number."""
    return bool((np.isfinite(table).sum(axis=1) <= 1).all())


def _sentence(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _areas(ax: Axes, method: _Method, title: str, abreast: int) -> None:
    assert method.shares is not None, "only called for methods with shares"
    iterations, shares = method.shares
    if len(iterations) == 1:  # an area needs a width
        iterations = iterations[0] + np.array([-0.5, 0.5])
        shares = shares.repeat(2, axis=1)
    by_size = shares[np.argsort(-shares[:, -1], kind="stable")]
    edge = 0.3 if len(by_size) <= MANY else 0
    fills = [BANDS[i % len(BANDS)] for i in range(len(by_size))]
    ax.stackplot(iterations, by_size, colors=fills, edgecolor="white", linewidth=edge)
    ax.set_title(title, loc="left", fontsize=SMALL)
    ax.set_xlim(iterations[0], iterations[-1])
    ax.set_ylim(0, 1)
    ticked(ax.xaxis, AREAS / abreast, integer=True)
    place = ax.get_subplotspec()
    first = place is not None and place.is_first_col()
    ax.set_yticks([0, 0.5, 1], ["0", ".5", "1"] if first else [""] * 3)
    if first:
        ax.set_ylabel("Cluster shares", fontsize=SMALL)


def _counts(block: Block) -> Iterator[str]:
    for net in block.extractors:
        if isinstance(n := net.get("n_curve"), int):
            name = str(net.get("name"))
            yield f"{EXTRACTORS.get(name, name)}: {n:,} samples a point."


def _reading(
    methods: Sequence[_Method], keys: Sequence[str], sharing: Sequence[_Method]
) -> Iterator[str]:
    if keys and any(method.n_runs > 1 for method in methods):
        yield "Curves: mean ± standard deviation of the runs, pale where not all go on."
    if any(_tells_ends(m.curves[key][1]) for m in methods for key in keys if key in m.curves):
        yield "Points: the ends of runs, where they tell no more."
    if any(_spans_decades(methods, key) for key in keys):
        yield "On logarithmic axes no band goes below the lowest run."
    if any("entropy" in key for key in keys):
        yield "Entropies in nats."
    if sharing:
        seeds = {method.seed for method in sharing}
        run = named_seeds(seeds) if len(seeds) == 1 else "first run that ended well"
        yield f"Areas: each cluster's share of the points ({run}), by size at the end."
