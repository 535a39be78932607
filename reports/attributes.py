"""Blocks that differ in one attribute alone, as one table: GAN-EM, Tables 2 and 3.

A data set with the word ``attribute`` has a two-class problem for each; forty tables of a few rows
say less than one with an attribute a row.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from deep_em_bench.datasets.celeba import FACES_FILE, IMAGES
from deep_em_bench.reports.summary import Block, Row, Statistic, enough
from deep_em_bench.reports.text import error_metric, named_seeds
from deep_em_bench.results import replace
from deep_em_bench.results.printed import Entry

__all__ = ["Attributes", "attribute_of", "by_attribute"]

ATTRIBUTE, LABELLED = "attribute", "labelled"

NAMED = 3
"""Attributes that are named before they are only counted."""

BETTER = "scored, as the methods are, by the better of the two maps of clusters to classes"

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
        return error_metric(self.labelled)

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

    def averaged(self, entries: Sequence[Entry]) -> tuple[Block, ...]:
        """What means are over: the attributes that are published too, or all where none is."""
        return tuple(block for block in self.blocks if self.printed(entries, block)) or self.blocks

    def mean(self, label: str, blocks: Sequence[Block]) -> Statistic | None:
        """The error rate over the attributes of ``blocks``, by seed; None unless one has all."""
        by_seed: dict[int, list[float]] = {}
        for block in blocks:
            for record in row.ok if (row := self.row(block, label)) else ():
                value = getattr(record.metrics, self.split).get(self.metric)
                if value is not None:
                    by_seed.setdefault(record.seed, []).append(value)
        means = [np.mean(each) for each in by_seed.values() if len(each) == len(blocks)]
        if not means:
            return None
        return Statistic(
            n=len(means),
            mean=float(np.mean(means)),
            std=float(np.std(means, ddof=1)) if len(means) > 1 else None,
            median=float(np.median(means)),
        )

    def count(self, label: str, blocks: Sequence[Block]) -> str:
        """Seeds with a result on each of ``blocks``, of all, as in "9/10".

        Empty where that is all of them, and where the row was run on none of the blocks.
        """
        rows = [self.row(block, label) for block in blocks]
        if not any(rows):
            return ""
        ended = ({run.seed for run in row.ok} if row else set() for row in rows)
        n = len(set.intersection(*ended))
        return "" if n == len(self.seeds) else f"{n}/{len(self.seeds)}"

    def chance(self, blocks: Sequence[Block]) -> float | None:
        """The mean error of coin flips on ``blocks``; None where their size is not known.

        Of two named classes it is .5; of two clusters less, for the better of two maps counts.
        """
        if self.n_clusters != 2:
            return None
        n = [block.n_test if self.split == "test" else block.n for block in blocks]
        found = [0.5 if self.labelled else _better_of_two(each) for each in n if each]
        return float(np.mean(found)) if len(found) == len(blocks) else None

    def seldom(self, entries: Sequence[Entry]) -> list[str]:
        """Which methods have a number on too few seeds to be called best: a sentence, or none."""
        few: dict[str, list[str]] = {}
        for block in self.blocks:
            for row in block.rows:
                if row.ok and row not in block.rated:
                    few.setdefault(row.label, []).append(attribute_of(block) or "")
        for label in self.labels if len(self.blocks) > 1 else ():
            mean = self.mean(label, self.averaged(entries))
            if mean and not enough(mean.n, len(self.seeds)):
                few.setdefault(label, []).append("mean")
        if not few:
            return []
        listed = ", ".join(f"{label} ({_few(names)})" for label, names in few.items())
        return [f"Never called best, with results for fewer than half of the seeds: {listed}."]

    def printed(self, entries: Iterable[Entry], block: Block | None = None) -> list[Entry]:
        """The papers' numbers of one attribute, or those of none: means over all.

        "Male" stands there twice, once as "gender": the row that has the name comes first.
        """
        known = attribute_of(block) if block else None
        found = (
            entry
            for entry in entries
            if entry.dataset == self.blocks[0].records[0].dataset.name
            and entry.words.get(ATTRIBUTE) == known
            and entry.labelled == self.labelled
            and self.metric in entry.beside
            and entry.table.startswith("Table")
        )
        return sorted(found, key=lambda entry: entry.row != known)

    def printed_mean(self, entries: Sequence[Entry]) -> float | None:
        """Of the papers' numbers of all attributes of :meth:`averaged`, the first of each."""
        found = [printed[0].value for b in self.blocks if (printed := self.printed(entries, b))]
        return float(np.mean(found)) if found else None

    def reading(self, *, runs: bool = True) -> list[str]:
        """What every caption says: data, profile, selection, labels, split, and of which runs."""
        found = [
            f"{self.suite}: {self.title}, {len(self.blocks)} attribute"
            f"{'s' if len(self.blocks) > 1 else ''}, each with "
            f"{_counted(block.n for block in self.blocks)} training points and "
            f"{_counted(block.n_test for block in self.blocks)} held out, K = {self.n_clusters}.",
            self._budget(),
            CHOSEN,
        ]
        if self.labelled:
            found.append(f"{self.labelled:,} labels, as many of each class, are known to the fit.")
        where = "held-out" if self.split == "test" else "training"
        found.append(f"Error rates on the {where} split.")
        maps = "" if self.labelled else f", {BETTER}"
        found.append(f"Chance: the mean error of coin flips{maps}.")
        found += [self._runs()] if runs else []
        mixed = dict.fromkeys(sentence for block in self.blocks for sentence in block.mixed)
        return [*found, *(f"MIXED: {sentence}." for sentence in mixed)]

    def _budget(self) -> str:
        """Profile and images: whether the protocol can be the papers' at all."""
        files = {file for block in self.blocks for r in block.records for file in r.dataset.sha256}
        compact = FACES_FILE.path in files
        images = f", images out of {IMAGES:,}, not out of all of CelebA" if compact else ""
        known = self.profile == "full" and not compact
        return f"Profile {self.profile}{images}" + (
            "." if known else ": not comparable with published numbers."
        )

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


@functools.cache
def _better_of_two(n: int) -> float:
    r"""The mean error of coin flips on ``n`` points, clusters taken for the classes as fits best.

    .. math:: E[\min(k, n - k)] / n, \quad k \sim \mathrm{Bin}(n, 1/2)
    """
    from scipy.stats import binom  # slow to import

    k = np.arange(n + 1)
    return float(binom.pmf(k, n, 0.5) @ np.minimum(k, n - k)) / n


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} attributes"


def _counted(numbers: Iterable[int | None]) -> str:
    known = sorted({n for n in numbers if n is not None})
    if not known:
        return "unknown"
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,} to {known[-1]:,}"
