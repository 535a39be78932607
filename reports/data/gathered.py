"""The runs of one suite as the user chose them, with all that tables and figures are made from."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deep_em_bench.core import UserError
from deep_em_bench.reports.data.blocks import Block, Row, blocks_of
from deep_em_bench.reports.data.differences import Comparison, Procedure, compare
from deep_em_bench.reports.data.published import ComparedBlock, compare_published
from deep_em_bench.reports.data.stored import Stored
from deep_em_bench.reports.data.titles import EXTRACTORS
from deep_em_bench.results import Record, Store, frame_of
from deep_em_bench.results.published import published

__all__ = ["Choice", "Gathered", "gathered"]

SHOWN = (
    *("error_rate_classes", "accuracy", "purity", "ari", "nmi", "active_clusters"),
    "knn_accuracy",
    *(
        f"{score}_{net}"
        for net in EXTRACTORS
        for score in ("is", "fid", "kid", "is_between", "is_within", "fid_within")
    ),
)
"""Metrics with a column when none were asked for; CSV, JSON and the page have the others too."""

ATTRIBUTE = "attribute"
"""The word of a data set that has a two-class problem for each of its values."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user asks for; by default all that the suite has today."""

    profile: str | None = None
    methods: tuple[str, ...] = ()
    """Globs over labels, titles and method names."""
    datasets: tuple[str, ...] = ()
    """Globs over names and titles of data sets."""
    metrics: tuple[str, ...] = ()
    split: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    """Printed names of rows, by label."""
    procedure: Procedure = field(default_factory=Procedure)
    mixed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """The runs of one suite, arranged; each part is computed once and when asked."""

    suite: str
    stored: Stored
    records: Sequence[Record]
    """Those of the blocks."""
    blocks: Sequence[Block]
    choice: Choice
    metrics: Sequence[str]
    """Those with a column."""
    outdated: Sequence[str] = ()
    """Labels with records that the suite has no row for any more, left out."""

    @functools.cached_property
    def rest(self) -> list[Block]:
        """The blocks with tables of their own: those of an attribute each would have eighty."""
        return [block for block in self.blocks if ATTRIBUTE not in block.data.words]

    @functools.cached_property
    def of_attributes(self) -> list[list[Block]]:
        """The other blocks, by profile and number of labels."""
        groups: dict[tuple[str, int, int], list[Block]] = {}
        for block in self.blocks:
            if ATTRIBUTE in block.data.words:
                key = block.profile, block.labelled, block.n_clusters
                groups.setdefault(key, []).append(block)
        return [
            sorted(held, key=lambda block: str(block.data.words[ATTRIBUTE]))
            for held in groups.values()
        ]

    @functools.cached_property
    def compared(self) -> list[ComparedBlock]:
        """All blocks beside published numbers."""
        return compare_published(self.blocks, published())

    @functools.cached_property
    def places(self) -> Mapping[tuple[str, str], int]:
        """The number of each row among all, by its block's name and its label."""
        pairs = [(block.name, row.label) for block in self.blocks for row in block.rows]
        return {pair: i for i, pair in enumerate(pairs)}

    def comparison(self, block: Block, column: str) -> Comparison | None:
        """The test of a block's rows by a column, the same for every table and figure."""
        key = block.name, column
        if key not in self._comparisons:
            self._comparisons[key] = compare(block, column, self.choice.procedure)
        return self._comparisons[key]

    @functools.cached_property
    def _comparisons(self) -> dict[tuple[str, str], Comparison | None]:
        return {}

    def splits(self, block: Block, wanted: Iterable[str] | None = None) -> list[str]:
        """The splits of a block that are shown."""
        found = block.splits(wanted)
        chosen = self.choice.split
        return [split for split in found if chosen in (None, split)]

    def split(self, block: Block, wanted: Iterable[str] | None = None) -> str:
        """The split that a single number or figure is of."""
        return self.choice.split or block.split(wanted)


def gathered(
    store: Store, choice: Choice | None = None, *, rows: Sequence[str] | None = None
) -> Gathered:
    """The records of a store, arranged.

    ``rows`` are the labels that the suite has today: others are left out, unless the choice names
    methods. Raises :class:`UserError` for a suite without records, or without any of what was
    chosen, and for records that do not go into one block.
    """
    suite, choice = store.folder.name, choice or Choice()
    everything = list(store.load(history=False))
    if not everything:
        raise UserError(
            f"suite {suite!r} has no readable records in {store.folder}; "
            f"make them with: python -m benchmarks.run --suite {suite}"
        )
    records = _chosen(everything, choice)
    outdated: list[str] = []
    if rows is not None and not choice.methods:
        known = set(rows)
        outdated = sorted({record.label for record in records} - known)
        if set(outdated) == {record.label for record in records}:
            outdated = []  # records of another suite of that name: better all than none
        records = [record for record in records if record.label not in outdated]
    blocks = blocks_of(records, frame_of(records), mixed=choice.mixed)
    blocks = [_renamed(block, choice.rename) for block in blocks]
    measured = sorted({m for block in blocks for held in block.metrics.values() for m in held})
    shown = choice.metrics or [m for m in SHOWN if m in measured] or measured
    if absent := [name for name in shown if name not in measured]:
        raise UserError(
            f"no record of suite {suite!r} has {', '.join(absent)}; "
            f"there are: {', '.join(measured) or 'no metrics at all'}"
        )
    splits = sorted({split for block in blocks for split in block.splits()})
    if choice.split and choice.split not in splits:
        raise UserError(
            f"no record has scores of the split {choice.split!r}; there are: {', '.join(splits)}"
        )
    return Gathered(
        suite=suite,
        stored=Stored(store),
        records=records,
        blocks=blocks,
        choice=choice,
        metrics=list(shown),
        outdated=outdated,
    )


def _chosen(records: Sequence[Record], choice: Choice) -> list[Record]:
    """Those of the chosen profile, data sets and methods; each pattern has to find some."""
    found = list(records)
    if choice.profile is not None:
        found = [record for record in found if record.profile == choice.profile]
        if not found:
            profiles = ", ".join(sorted({record.profile for record in records}))
            raise UserError(
                f"no records with profile {choice.profile!r}; there are some with: {profiles}"
            )
    names = {record.dataset.title: (record.dataset.name, record.dataset.title) for record in found}
    found = _matching("data set", choice.datasets, found, lambda r: r.dataset.title, names)
    labels = {record.label: (record.label, record.method.name) for record in found}
    return _matching("row", choice.methods, found, lambda r: r.label, labels)


def _matching(
    kind: str,
    patterns: Sequence[str],
    records: Sequence[Record],
    key: Callable[[Record], str],
    names: Mapping[str, tuple[str, ...]],
) -> list[Record]:
    if not patterns:
        return list(records)
    kept = set()
    for pattern in patterns:
        # An exact name comes first: gan_em[stable] is a pattern of another meaning.
        held = {k for k, each in names.items() if pattern in each}
        held = held or {
            k for k, each in names.items() if any(fnmatch.fnmatchcase(n, pattern) for n in each)
        }
        if not held:
            raise UserError(
                f"no {kind} is like {pattern!r}; there are: {', '.join(sorted(names))}"
            )
        kept |= held
    return [record for record in records if key(record) in kept]


def _renamed(block: Block, names: Mapping[str, str]) -> Block:
    def renamed(row: Row) -> Row:
        return replace(row, title=names[row.label]) if row.label in names else row

    return replace(block, rows=tuple(map(renamed, block.rows)), _known={}) if names else block
