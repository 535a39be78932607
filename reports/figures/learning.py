"""Losses, entropy, churn, seconds, shares and scores of samples by EM iteration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deep_em_bench.core import DataError
from deep_em_bench.reports.data.blocks import Block, Row
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.titles import EXTRACTORS, named_seeds
from deep_em_bench.reports.figures.style import (
    SMALL,
    WIDTH,
    Drawing,
    Mark,
    fit,
    legend,
    log_ticks,
    pages,
    ticks,
)
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import metric_column

__all__ = ["learning"]

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
"""Keys of history rows that hold a number, with the title of their panel; another key that ends in
"loss" has a panel too."""

SCORES = {f"{score}_{net}": score for net in EXTRACTORS for score in ("is", "fid", "kid")}
"""Keys that hold a score of samples, of figures of their own (responsibility GAN, Figure 4)."""

ANY_SIGN = frozenset({"lower_bound", "d_loss", "g_loss", "critic_distance", "mutual_information"})
"""Keys whose axes need not begin at zero."""

DECADES = 20.0
"""Largest over smallest FID from which its axis is logarithmic."""

METHODS, CURVES = 8, 10
"""Methods and panels of curves in one figure."""

BANDS = ("#3b6ea5", "#a9c4e0")
"""Alternating fills of neighbouring clusters. A fill does not identify a cluster."""

PANEL = 0.95
"""Inches a row of panels is high."""

Runs = Sequence[Mapping[int, Mapping[str, Any]]]
"""History rows by iteration, a run each."""


@dataclass(frozen=True, kw_only=True)
class _Method:
    """What the histories of one method's runs that succeeded have for the panels."""

    row: Row
    seed: int
    """Of the first run."""
    n_runs: int
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]
    """By key, where there are any: iterations ``(T,)`` and numbers ``(runs, T)``; NaN: none."""
    shares: tuple[np.ndarray, np.ndarray] | None
    """Iterations ``(T,)`` and the first run's shares ``(K, T)``, where it has them."""


def learning(data: Gathered, block: Block, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    """The curves and cluster shares of the histories, over as many figures as needed.

    Curves are means over the runs with a band of one standard deviation, pale where not all of
    them went so far. Where each run stores a single value, it is a point. Shares are those of one
    run.
    """
    methods = [method for row in block.rows if (method := _read(data, row)) is not None]
    em = [method for method in methods if method.shares is not None or _keys([method], "em")]
    for part, which in pages(len(em), METHODS):
        some = em[part]
        keys = _keys(some, "em")
        for first in range(0, max(len(keys), 1), CURVES):
            sharing = [] if first else [method for method in some if method.shares is not None]
            shown = keys[first : first + CURVES]
            yield Drawing(
                kind="em",
                name=f"{block.name} {part.start or ''} {first or ''}",
                figure=_figure(some, shown, sharing, marks),
                caption=[*caption.about(block), which, *_reading(some, shown, sharing)],
                block=block.title,
            )
    scored = [method for method in methods if _keys([method], "scores")]
    for part, which in pages(len(scored), METHODS):
        some = scored[part]
        keys = _keys(some, "scores")
        yield Drawing(
            kind="scores",
            name=f"{block.name} {part.start or ''}",
            figure=_figure(some, keys, [], marks),
            caption=[*caption.about(block), which, *_reading(some, keys, []), *_counts(block)],
            block=block.title,
        )


def _keys(methods: Sequence[_Method], kind: str) -> list[str]:
    """The keys that any method has a curve of, in the order of their panels."""
    keys = dict.fromkeys(key for method in methods for key in method.curves)
    if kind == "scores":
        return [key for key in SCORES if key in keys]
    return [*(key for key in PANELS if key in keys), *sorted(set(keys) - {*PANELS, *SCORES})]


def _read(data: Gathered, row: Row) -> _Method | None:
    runs, seeds = [], []
    for record in row.ok:
        try:
            history = data.stored.store.history(record.key)
        except DataError as error:
            data.stored.note(row, error)
            continue
        seeds.append(record.seed)
        runs.append({r["iteration"]: r for r in history if type(r.get("iteration")) is int})
    keys = dict.fromkeys(key for rows in runs for each in rows.values() for key in each)
    known = [k for k in keys if k in PANELS or k in SCORES or k.endswith("loss")]
    curves = {key: curve for key in known if (curve := _curve(runs, key)) is not None}
    shares = _first_shares(runs) if runs else None
    if not curves and shares is None:
        return None
    return _Method(row=row, seed=seeds[0], n_runs=len(runs), curves=curves, shares=shares)


def _curve(runs: Runs, key: str) -> tuple[np.ndarray, np.ndarray] | None:
    iterations = sorted({i for rows in runs for i, row in rows.items() if key in row})
    table = np.array([[_number(rows.get(i, {}).get(key)) for i in iterations] for rows in runs])
    known = np.isfinite(table).any(axis=0)
    return (np.array(iterations)[known], table[:, known]) if known.any() else None


def _first_shares(runs: Runs) -> tuple[np.ndarray, np.ndarray] | None:
    listed = {i: _numbers(row.get("shares")) for i, row in sorted(runs[0].items())}
    by_iteration = {i: shares for i, shares in listed.items() if shares}
    if len({len(shares) for shares in by_iteration.values()}) != 1:
        return None
    return np.array(list(by_iteration)), np.array(list(by_iteration.values())).T


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) else math.nan


def _numbers(value: Any) -> list[float]:
    """The numbers of a list of finite numbers; of anything else none."""
    numbers = [_number(item) for item in value] if isinstance(value, list | tuple) else []
    return numbers if all(map(math.isfinite, numbers)) else []


def _figure(
    methods: Sequence[_Method],
    keys: Sequence[str],
    sharing: Sequence[_Method],
    marks: Mapping[str, Mark],
) -> Figure:
    """Panels of curves two abreast, and below them the areas, three or fewer."""
    abreast = min(3, max(1, len(sharing)))
    down = -(-len(keys) // 2), -(-len(sharing) // abreast)
    figure = Figure(figsize=(WIDTH, PANEL * sum(down) + 0.2), layout="constrained")
    parts = [n for n in down if n]
    grids = figure.add_gridspec(len(parts), 1, height_ratios=parts)
    for place, (n, wide, some) in enumerate(
        (n, wide, some) for n, wide, some in ((down[0], 2, keys), (down[1], abreast, sharing)) if n
    ):
        grid = grids[place].subgridspec(n, wide)
        for i, each in enumerate(some):
            ax = figure.add_subplot(grid[i // wide, i % wide])
            if isinstance(each, str):
                _curves(ax, methods, each, marks)
            else:
                _areas(ax, each, first=i % wide == 0, inches=2.8 / wide)
    legend(figure, {m.row.label: m.row.title for m in methods}, marks, lines=True)
    scored = any(key in SCORES for key in keys)
    figure.supxlabel("EM iteration or epoch" if scored else "EM iteration", fontsize=SMALL)
    return figure


def _curves(ax: Axes, methods: Sequence[_Method], key: str, marks: Mapping[str, Mark]) -> None:
    logarithmic = _spans_decades(methods, key)
    for place, method in enumerate(methods):
        if key not in method.curves:
            continue
        mark = marks[method.row.label]
        iterations, table = method.curves[key]
        style: dict[str, Any] = {"color": mark.color, "marker": mark.marker}
        if _single_values(table):
            run, end = np.nonzero(np.isfinite(table))
            ax.plot(iterations[end], table[run, end], **style, ls="", mfc="none", mew=0.5)
            continue
        count = np.isfinite(table).sum(axis=0)
        mean = np.nanmean(table, axis=0)
        spread = np.sqrt(np.nansum((table - mean) ** 2, axis=0) / np.maximum(count - 1, 1))
        every = max(1, len(iterations) // 6)
        style["ls"] = mark.dashes
        style["markevery"] = (place % every, every)  # so that close curves hide no marker
        low, high = mean - spread, mean + spread
        if logarithmic:  # a band down to nothing would be all that is seen
            low = np.maximum(low, np.nanmin(table, axis=0))
        ax.fill_between(iterations, low, high, color=mark.color, alpha=0.2, lw=0)
        ax.plot(iterations, mean, **style, alpha=0.35)
        ax.plot(iterations, np.where(count == method.n_runs, mean, np.nan), **style)
    title = metric_column(key).head if key in SCORES else PANELS.get(key)
    ax.set_title(title or fit(key.replace("_", " ").capitalize(), 1.4, 1)[0], loc="left")
    ax.grid(axis="y")
    ticks(ax.xaxis, 4, integer=True)
    if logarithmic:
        ax.set_yscale("log")
        log_ticks(ax.yaxis)
        return
    ticks(ax.yaxis, 4)
    if (key in PANELS and key not in ANY_SIGN) or SCORES.get(key) == "fid":
        ax.set_ylim(0, 1.05 * ax.get_ylim()[1])


def _spans_decades(methods: Sequence[_Method], key: str) -> bool:
    """Whether a panel is of an FID of so many sizes that a linear axis would show the worst."""
    if SCORES.get(key) != "fid":
        return False
    tables = [method.curves[key][1] for method in methods if key in method.curves]
    low, high = min(map(np.nanmin, tables)), max(map(np.nanmax, tables))
    return bool(0 < low * DECADES < high)


def _single_values(table: np.ndarray) -> bool:
    """Whether no run has more than one number."""
    return bool((np.isfinite(table).sum(axis=1) <= 1).all())


def _areas(ax: Axes, method: _Method, *, first: bool, inches: float) -> None:
    assert method.shares is not None, "only called for methods with shares"
    iterations, shares = method.shares
    if len(iterations) == 1:  # an area needs a width
        iterations = iterations[0] + np.array([-0.5, 0.5])
        shares = shares.repeat(2, axis=1)
    by_size = shares[np.argsort(-shares[:, -1], kind="stable")]
    fills = [BANDS[i % len(BANDS)] for i in range(len(by_size))]
    edge = 0.3 if len(by_size) <= 40 else 0
    ax.stackplot(iterations, by_size, colors=fills, edgecolor="white", linewidth=edge)
    ax.set_title("\n".join(fit(method.row.title, inches, 2)), loc="left", fontsize=SMALL)
    ax.set_xlim(iterations[0], iterations[-1])
    ax.set_ylim(0, 1)
    ticks(ax.xaxis, 3, integer=True)
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
    if any(_single_values(m.curves[key][1]) for m in methods for key in keys if key in m.curves):
        yield "Points: the ends of runs, where they tell no more."
    if any(_spans_decades(methods, key) for key in keys):
        yield "On logarithmic axes no band goes below the lowest run."
    if any("entropy" in key for key in keys):
        yield "Entropies in nats."
    if sharing:
        seeds = {method.seed for method in sharing}
        run = named_seeds(seeds) if len(seeds) == 1 else "first run that succeeded"
        yield f"Areas: each cluster's share of the points ({run}), by size at the end."
