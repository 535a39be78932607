"""Measured numbers beside the papers' own, and in what the two protocols differ.

Which published number belongs to which row is said in ``results/published.toml``; in what they
differ is read off the records.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from deep_em_bench.reports.data.blocks import Block, Row
from deep_em_bench.reports.data.summary import Statistic
from deep_em_bench.reports.data.titles import is_sample_metric
from deep_em_bench.results.printed import Entry

__all__ = ["FULL", "KINDS", "Compared", "ComparedBlock", "Difference", "Kind", "compare_published"]

Kind = Literal[
    "profile", "metric", "extractor", "samples", "split", "clusters", "features", "scale",
    "preset", "variant", "labels", "setting", "selection",
]  # fmt: skip

KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which differences are named."""

SAMPLES = "n_fake"
"""The word of a published setting that tells how many samples were scored."""

PARAMETERS = "n_parameters"
"""A published number that no metric gives: the size of the fitted model."""

CONFIDENCE = 0.95

FULL = "full"
"""The profile of the papers' own nets and budgets."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One way in which the measured number is not the published one's counterpart."""

    kind: Kind
    said: str
    """A sentence without its full stop."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A measured number beside a published one."""

    row: Row
    split: str
    """Where ours was measured; "" for the size of the model."""
    metric: str
    measured: Statistic
    entry: Entry
    differs: tuple[Difference, ...]

    @property
    def difference(self) -> float:
        """Measured mean minus published value, in the metric's unit."""
        return self.measured.mean - self.entry.value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of our mean over seeds by Student's t; None for a single run."""
        from scipy.stats import t

        if self.measured.std is None:
            return None
        n = self.measured.n
        half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * self.measured.std / math.sqrt(n)
        return self.measured.mean - half, self.measured.mean + half

    @property
    def holds(self) -> bool | None:
        """Whether the interval holds a number that prints as the published one.

        None for a single run, and where it does but the protocols differ: a wide interval of
        another experiment confirms nothing.
        """
        if self.interval is None:
            return None
        low, high = self.interval
        rounding = self.entry.resolution / 2
        inside = low - rounding <= self.entry.value <= high + rounding
        return None if inside and self.differs else inside


@dataclass(frozen=True, kw_only=True)
class ComparedBlock:
    """The published counterparts of one comparison table."""

    block: Block
    rows: tuple[Compared, ...]
    unmeasured: tuple[Entry, ...]
    """Published numbers on the same data whose method the table lacks."""


def compare_published(blocks: Sequence[Block], entries: Iterable[Entry]) -> list[ComparedBlock]:
    """Each of ``blocks`` that has rows with a published counterpart, with these.

    A number published for a K that some block has is laid beside blocks of that K alone, and of
    these beside those with as many labels, where there are any; else beside all, and marked.
    """
    by_block: dict[int, list[Entry]] = {i: [] for i in range(len(blocks))}
    for entry in entries:
        same = [i for i, block in enumerate(blocks) if _same_data(entry, block)]
        same = [i for i in same if blocks[i].n_clusters == entry.n_clusters] or same
        same = [i for i in same if blocks[i].labelled == entry.labelled] or same
        for i in same:
            by_block[i].append(entry)
    compared = []
    for block, here in zip(blocks, by_block.values(), strict=True):
        rows = tuple(_compared(block, here))
        if rows:
            methods = {row.records[0].method.name for row in block.rows}
            missing = tuple(entry for entry in here if entry.method not in methods)
            compared.append(ComparedBlock(block=block, rows=rows, unmeasured=missing))
    return compared


def _same_data(entry: Entry, block: Block) -> bool:
    used = block.data
    return (
        block.suite in entry.suites
        and used.name == entry.dataset
        and all(used.words.get(word) == value for word, value in entry.words.items())
    )


def _compared(block: Block, entries: Sequence[Entry]) -> Iterator[Compared]:
    for row in block.rows:
        method = row.records[0].method
        for entry in entries:
            told = all(method.params.get(name) == v for name, v in entry.params.items())
            if entry.method != method.name or not told:
                continue
            for metric in entry.beside:
                split, measured = _measured(block, row, entry, metric)
                if measured is not None:
                    yield Compared(
                        row=row,
                        split=split,
                        metric=metric,
                        measured=measured,
                        entry=entry,
                        differs=tuple(_differences(block, row, entry, split, metric)),
                    )


def _measured(block: Block, row: Row, entry: Entry, metric: str) -> tuple[str, Statistic | None]:
    """Our number and its split: the published one's where both are known, else the first."""
    if metric == PARAMETERS:
        if (size := row.n_parameters) is None:
            return "", None
        return "", Statistic(n=len(row.ok), mean=float(size), std=None, median=float(size))
    splits = [split for split in block.splits() if metric in block.metrics[split]]
    if entry.split in splits:
        splits = [entry.split]
    return (splits[0], block.statistic(row, f"{splits[0]}/{metric}")) if splits else ("", None)


def _differences(
    block: Block, row: Row, entry: Entry, split: str, metric: str
) -> Iterator[Difference]:
    if block.profile != FULL:
        said = f"profile {block.profile}: smaller nets and budgets than the papers'"
        yield Difference(kind="profile", said=said)
    yield from _of_metric(entry, metric)
    if metric != PARAMETERS:
        yield from _of_data(block, entry, split)
    if split == "generation":
        yield from _of_samples(block, entry, metric)
    yield from _of_method(block, row, entry)


def _of_metric(entry: Entry, metric: str) -> Iterator[Difference]:
    if entry.metric == "unknown":
        said = f"{entry.where} may not have measured {metric}"
        yield Difference(kind="metric", said=said)
    elif _in_other_space(entry.metric, metric):
        said = f"{entry.where} has {entry.metric}, ours is {metric}: numbers of two nets"
        yield Difference(kind="extractor", said=said)
    elif entry.metric != metric:
        said = f"{entry.where} measured {entry.metric}, ours is {metric}"
        yield Difference(kind="metric", said=said)
    if entry.selected:
        said = f"{entry.where} has the {entry.selected}, ours is the last iterate of every run"
        yield Difference(kind="selection", said=said)


def _in_other_space(printed: str, ours: str) -> bool:
    """Whether two names are of one score of samples in the feature spaces of two nets."""
    scores = [name.rpartition("_")[0] for name in (printed, ours)]
    return (
        printed != ours
        and scores[0] == scores[1]
        and is_sample_metric(printed)
        and is_sample_metric(ours)
    )


def _of_samples(block: Block, entry: Entry, metric: str) -> Iterator[Difference]:
    theirs = entry.setting.get(SAMPLES)
    nets = {str(net.get("name")): net.get(SAMPLES) for net in block.extractors}
    ours = nets.get(metric.rpartition("_")[2])
    if theirs is not None and theirs != ours:
        counts = [f"{n:,}" if isinstance(n, int) else "an unknown number" for n in (theirs, ours)]
        said = f"{entry.where} scored {counts[0]} samples, ours are {counts[1]}"
        yield Difference(kind="samples", said=said)


def _of_data(block: Block, entry: Entry, split: str) -> Iterator[Difference]:
    where, words = entry.where, block.data.words
    scored = "all" if words.get("split") == "all" else split
    if split != "generation" and entry.split is None:
        yield Difference(kind="split", said=f"{where} does not say which points it scored")
    elif split != "generation" and entry.split != scored:
        said = f"{where} scored the split {entry.split}, ours is {scored}"
        yield Difference(kind="split", said=said)
    if entry.n_clusters != block.n_clusters:
        theirs = f"has K = {entry.n_clusters}" if entry.n_clusters else "does not say its K"
        said = f"{where} {theirs}, ours is {block.n_clusters}"
        yield Difference(kind="clusters", said=said)
    features = words.get("features") or "raw"
    if entry.features != features:
        said = f"{where} clustered {entry.features} features, ours are {features}"
        yield Difference(kind="features", said=said)
    if entry.n != block.data.n:
        ours = f"{block.data.n:,}" if block.data.n else "an unknown number"
        theirs = f"on {entry.n:,} points, ours on {ours}" if entry.n else "on an unknown number"
        yield Difference(kind="scale", said=f"{where} fitted {theirs}")
    if entry.labelled != block.labelled:
        said = f"{where} saw {entry.labelled:,} labels, ours {block.labelled:,}"
        yield Difference(kind="labels", said=said)
    for word, value in entry.setting.items():
        if word != SAMPLES and words.get(word) != value:
            said = f"{where} has {word} = {value}, ours is {words.get(word)}"
            yield Difference(kind="setting", said=said)


def _of_method(block: Block, row: Row, entry: Entry) -> Iterator[Difference]:
    method = row.records[0].method
    if entry.presets and method.preset not in entry.presets:
        said = f"preset {method.preset} of {method.name} is not the paper's method"
        yield Difference(kind="preset", said=said)
    if not (_plain(row) or (entry.params and _told_by(entry, block, row))):
        yield Difference(kind="variant", said=f"{row.label} is a variant of {method.name}")


def _plain(row: Row) -> bool:
    method = row.records[0].method
    return row.label in (method.name, f"{method.name}[{method.preset}]")


def _told_by(entry: Entry, block: Block, row: Row) -> bool:
    """Whether the parameters that ``entry`` names are all that tells the row from a plain one.

    Without a plain one in the table, from every other row of the same method and preset.
    """
    others = [other for other in block.rows if other is not row and _preset(other) == _preset(row)]
    others = [other for other in others if _plain(other)] or others
    return bool(others) and all(_differing(row, other) <= entry.params.keys() for other in others)


def _preset(row: Row) -> tuple[str, str]:
    method = row.records[0].method
    return method.name, method.preset


def _differing(row: Row, other: Row) -> set[str]:
    """Names of the parameters in which two rows differ."""
    ours, theirs = row.records[0].method.params, other.records[0].method.params
    return {n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n)}
