"""Blocks that differ in one attribute alone, as one table: GAN-EM, Tables 2 and 3.

A data set with the word ``attribute`` has a two-class problem for each; forty tables of a few rows
say less than one with an attribute a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reports.summary import Block, Row, Statistic
from reports.text import named_seeds
from results.printed import Entry

__all__ = ["Attributes", "attribute_of", "by_attribute"]

ATTRIBUTE, LABELLED = "attribute", "labelled"

CHOSEN = (
    "LABELS CHOSE THE IMAGES: all of an attribute's rarer value, and of the other value as many "
    "that are most alike in the other attributes (GAN-EM, appendix B.3); so clusters follow the "
    "attribute more than among faces at large."
)


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """Tables of one data set, profile and number of labels, by attribute."""

    title: str
    """Data set and words but for the attribute, as in "celeba(labelled=100)"."""
    blocks: tuple[Block, ...]

    @property
    def suite(self) -> str:
        return self.blocks[0].suite

    @property
    def profile(self) -> str:
        return self.blocks[0].profile

    @property
    def n_clusters(self) -> int:
        return self.blocks[0].n_clusters

    @property
    def labelled(self) -> int:
        """Labels that the fit knew, of each attribute."""
        return self.blocks[0].records[0].dataset.words.get(LABELLED) or 0

    @property
    def place(self) -> str:
        """What a file or a label is named after."""
        return f"{self.suite} {self.title} {self.n_clusters} {self.profile}"

    @property
    def metric(self) -> str:
        """The error rate: of classes as they are named where labels were known, else matched."""
        return "error_rate_classes" if self.labelled else "error_rate"

    @property
    def split(self) -> str:
        """The held-out one where all blocks have it."""
        held_out = all(self.metric in block.metrics("test") for block in self.blocks)
        return "test" if held_out else "train"

    @property
    def labels(self) -> list[str]:
        """Of the rows of any block, in their order."""
        return list(dict.fromkeys(row.label for block in self.blocks for row in block.rows))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of any block."""
        return tuple(sorted({seed for block in self.blocks for seed in block.seeds}))

    def row(self, block: Block, label: str) -> Row | None:
        """That of one block."""
        return next((row for row in block.rows if row.label == label), None)

    def error(self, block: Block, label: str) -> Statistic | None:
        """The row's error rate on one attribute."""
        row = self.row(block, label)
        return row.statistic(self.split, self.metric) if row else None

    def mean(self, label: str) -> Statistic | None:
        """The error rate over all attributes, by seed; None unless some seed has them all."""
        by_seed: dict[int, list[float]] = {}
        for block in self.blocks:
            for record in row.ok if (row := self.row(block, label)) else ():
                value = getattr(record.metrics, self.split).get(self.metric)
                if value is not None:
                    by_seed.setdefault(record.seed, []).append(value)
        means = [np.mean(each) for each in by_seed.values() if len(each) == len(self.blocks)]
        if not means:
            return None
        return Statistic(
            n=len(means),
            mean=float(np.mean(means)),
            std=float(np.std(means, ddof=1)) if len(means) > 1 else None,
            median=float(np.median(means)),
        )

    def printed(self, entries: Iterable[Entry], block: Block | None = None) -> list[Entry]:
        """The papers' numbers of one attribute, or those of none: means over all."""
        known = attribute_of(block) if block else None
        return [
            entry
            for entry in entries
            if entry.dataset == self.blocks[0].records[0].dataset.name
            and entry.words.get(ATTRIBUTE) == known
            and entry.labelled == self.labelled
            and self.metric in entry.beside
            and entry.table.startswith("Table")
        ]

    def reading(self, *, runs: bool = True) -> list[str]:
        """What every caption says: data, profile, selection, labels, split, and of which runs."""
        n = sorted({block.n for block in self.blocks if block.n is not None})
        points = f"{n[0]:,}" if len(n) == 1 else f"{n[0]:,} to {n[-1]:,}" if n else "unknown"
        budget = "" if self.profile == "paper" else ": not comparable with published numbers"
        found = [
            f"{self.suite}: {self.title}, {len(self.blocks)} attribute"
            f"{'s' if len(self.blocks) > 1 else ''}, {points} training points each, "
            f"K = {self.n_clusters}.",
            f"Profile {self.profile}{budget}.",
            CHOSEN,
        ]
        if self.labelled:
            found.append(f"{self.labelled:,} labels, as many of each class, are known to the fit.")
        where = "held-out" if self.split == "test" else "training"
        found.append(f"Error rates on the {where} split; chance is .5.")
        found += [self._runs()] if runs else []
        mixed = dict.fromkeys(sentence for block in self.blocks for sentence in block.mixed)
        return [*found, *(f"MIXED: {sentence}." for sentence in mixed)]

    def _runs(self) -> str:
        if len(self.seeds) == 1:
            return f"One run each, {named_seeds(self.seeds)}."
        return f"Mean ± standard deviation over {named_seeds(self.seeds)}."


def by_attribute(blocks: Sequence[Block]) -> tuple[list[Attributes], list[Block]]:
    """Blocks with the word ``attribute``, grouped and sorted by it, and the other blocks."""
    groups: dict[tuple[str, str, str, int], list[Block]] = {}
    rest = []
    for block in blocks:
        if attribute_of(block) is None:
            rest.append(block)
            continue
        data = block.records[0].dataset
        words = {name: value for name, value in data.words.items() if name != ATTRIBUTE}
        key = block.suite, block.profile, replace(data, words=words).title, block.n_clusters
        groups.setdefault(key, []).append(block)
    found = [
        Attributes(title=key[2], blocks=tuple(sorted(held, key=lambda b: attribute_of(b) or "")))
        for key, held in groups.items()
    ]
    return sorted(found, key=lambda each: (each.suite, each.profile, each.labelled)), rest


def attribute_of(block: Block) -> str | None:
    """The block's attribute."""
    return block.records[0].dataset.words.get(ATTRIBUTE)
