"""CelebA's attributes: the table of methods by data sets, turned on its side (GAN-EM, Table 3).

The attributes are its data sets, the published numbers are one more row and chance another; their
means by the number of labels make a table of their own (GAN-EM, Table 2).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.gathered import ATTRIBUTE, Gathered
from deep_em_bench.reports.data.published import KINDS, ComparedBlock, compare_published
from deep_em_bench.reports.data.titles import data_title, metric_title
from deep_em_bench.reports.tables import caption
from deep_em_bench.reports.tables.model import (
    Cell,
    Column,
    Format,
    Group,
    Line,
    Note,
    Table,
    metric_column,
    metric_format,
    text_column,
    transposed,
)
from deep_em_bench.reports.tables.pivot import (
    Problem,
    comparisons_of,
    problem_of,
    score_line,
    where_scored,
)
from deep_em_bench.reports.tables.scores import failure_notes
from deep_em_bench.results.printed import Entry
from deep_em_bench.results.published import published

__all__ = ["attribute_means", "attributes", "chance", "printed"]

CHANCE = "chance"


def attributes(data: Gathered) -> list[Table]:
    """An attribute a row, its methods as columns, with chance and what the paper prints."""
    return [_attributes(data, blocks) for blocks in data.of_attributes]


def attribute_means(data: Gathered) -> list[Table]:
    """Of each profile every method's mean error over the attributes, by the labels known."""
    tables = []
    groups = [blocks for blocks in data.of_attributes if len(blocks) > 1]
    for profile in dict.fromkeys(blocks[0].profile for blocks in groups):
        tables.append(_means(data, [held for held in groups if held[0].profile == profile]))
    return tables


def _attributes(data: Gathered, blocks: Sequence[Block]) -> Table:
    first, entries = blocks[0], published()
    problem = problem_of(
        data, blocks, data.choice.metrics[0] if data.choice.metrics else first.error
    )
    comparisons = comparisons_of(data, problem)
    averaged = _averaged(problem, entries)
    n = len(problem.blocks)
    lines = [
        score_line(problem, row, comparisons, problem.mean(label, averaged))
        for label, row in problem.rows.items()
    ]
    flips = [
        chance(block, split) for block, split in zip(problem.blocks, problem.splits, strict=True)
    ]
    theirs = [printed(block, entries, problem.metric) for block in problem.blocks]
    lines.append(_published_line(CHANCE, [[f] if f is not None else [] for f in flips], averaged))
    paper = next((each[0].where for each in theirs if each), "")
    if paper:
        values = [[entry.value for entry in each] for each in theirs]
        lines.append(_published_line(f"published in {paper}", values, averaged))
    column = metric_column(problem.metric)
    names = [str(block.data.words[ATTRIBUTE]) for block in problem.blocks]
    table = Table(
        name=f"attributes {first.suite} {_without_attribute(first)} {first.profile}",
        title=f"{metric_title(problem.metric)} by attribute, {_labels(first)}",
        columns=(
            text_column("title", "Method"),
            *(replace(column, name=name, title=name) for name in names),
            replace(column, name="mean", title=f"Mean of {len(averaged)}"),
        ),
        groups=(Group(lines=tuple(lines)),),
        caption=(
            f"{metric_title(problem.metric)} by attribute of "
            f"{data_title(first.data, first.data.words)}: {n} attribute{'s' * (n > 1)}, each "
            f"with {_range(b.data.n for b in blocks)} training points and "
            f"{_range(b.data.n_test for b in blocks)} held out; {where_scored(problem)}, "
            f"K = {first.n_clusters}.",
            caption.budget(blocks),
            *_said_of_chance(first),
            caption.runs(blocks),
            *caption.how_bold(comparisons),
            *caption.mixed(blocks),
        ),
        notes=(
            *_published_notes(data, blocks, theirs),
            *(note for block in blocks for note in failure_notes(block)),
        ),
        facts={"suite": first.suite, "profile": first.profile, "labelled": first.labelled,
               "metric": problem.metric},
    )  # fmt: skip
    return transposed(table, text_column("attribute", "Attribute"))


def _means(data: Gathered, groups: Sequence[Sequence[Block]]) -> Table:
    """GAN-EM's Table 2: ours over the attributes that are published too, and what is printed."""
    entries = published()
    problems = [problem_of(data, blocks, blocks[0].error) for blocks in groups]
    over = [_averaged(problem, entries) for problem in problems]
    rows = {label: row for problem in problems for label, row in problem.rows.items()}
    ours = []
    for label, row in rows.items():
        cells = [p.mean(label, places) for p, places in zip(problems, over, strict=True)]
        ours.append(Line(cells=(Cell(value=row.title), *cells), facts={"label": label}))
    theirs: dict[str, list[Cell]] = {}
    for i, (problem, places) in enumerate(zip(problems, over, strict=True)):
        held = [(problem.blocks[k], problem.splits[k]) for k in places]
        flips = [chance(block, split) for block, split in held]
        same = [p[0] for block, _ in held if (p := printed(block, entries, problem.metric))]
        told = {CHANCE: _average(flips)}
        if same:
            told[f"{same[0].paper.name}, {same[0].where}, over the same"] = _average(
                [entry.value for entry in same]
            )
        for entry in printed(problem.blocks[0], entries, problem.metric, of_all=True):
            told[f"{entry.row}, {entry.where}, over 40 rows"] = entry.value
        for name, value in told.items():
            cells = theirs.setdefault(name, [Cell()] * len(problems))
            cells[i] = Cell(value=value)
    lines = [
        Line(cells=(Cell(value=name), *cells), facts={"label": name})
        for name, cells in theirs.items()
    ]
    first = groups[0][0]
    return Table(
        name=f"attribute means {first.suite} {first.profile}",
        title=f"Mean error over attributes, {first.profile}",
        columns=(
            text_column("title", "Method"),
            *(
                Column(
                    name=f"labelled_{p.blocks[0].labelled}",
                    title=_labels(p.blocks[0]),
                    format=Format(kind="share"),
                    direction="lower",
                )
                for p in problems
            ),
        ),
        groups=(Group(lines=tuple(ours)), Group(title="published", lines=tuple(lines))),
        caption=(
            f"Mean error over {' and '.join(dict.fromkeys(str(len(o)) for o in over))} attributes "
            f"of 40; published means say over what.",
            caption.budget([block for blocks in groups for block in blocks]),
            caption.runs([block for blocks in groups for block in blocks]),
        ),
        facts={"suite": first.suite, "profile": first.profile},
    )


def chance(block: Block, split: str) -> float | None:
    """The mean error of coin flips; None where the size is not known, or K is not two.

    Of two named classes it is .5; of two clusters less, for the better of two maps counts.
    """
    n = block.data.n_test if split == "test" else block.data.n
    if block.n_clusters != 2 or not n:
        return None
    return 0.5 if block.labelled else _better_of_two(n)


@functools.cache
def _better_of_two(n: int) -> float:
    r"""The mean error of coin flips on ``n`` points, clusters taken for the classes as fits best.

    .. math:: E[\min(k, n - k)] / n, \quad k \sim \mathrm{Bin}(n, 1/2)
    """
    from scipy.stats import binom  # slow to import

    k = np.arange(n + 1)
    return float(binom.pmf(k, n, 0.5) @ np.minimum(k, n - k)) / n


def printed(
    block: Block, entries: Iterable[Entry], metric: str, *, of_all: bool = False
) -> list[Entry]:
    """The papers' numbers of a block's attribute, or those over all attributes.

    "Male" stands there twice, once as "gender": the row that has the name comes first.
    """
    known = None if of_all else block.data.words.get(ATTRIBUTE)
    found = (
        entry
        for entry in entries
        if entry.dataset == block.data.name
        and entry.words.get(ATTRIBUTE) == known
        and entry.labelled == block.labelled
        and metric in entry.beside
        and entry.table.startswith("Table")
    )
    return sorted(found, key=lambda entry: entry.row != known)


def _averaged(problem: Problem, entries: Sequence[Entry]) -> list[int]:
    """Places of what means are over: the attributes that are published too, or all."""
    places = range(len(problem.blocks))
    known = [i for i in places if printed(problem.blocks[i], entries, problem.metric)]
    return known or list(places)


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _published_line(name: str, values: Sequence[Sequence[float]], averaged: Sequence[int]) -> Line:
    """A row of single numbers; of several for one attribute the first, the others named."""
    share = metric_format("error_rate")
    cells = []
    for each in values:
        others = f"or {', '.join(f'{v:.3f}'.lstrip('0') for v in each[1:])}" if each[1:] else ""
        cells.append(Cell(value=each[0], mark=others, format=share) if each else Cell())
    mean = _average([values[i][0] if values[i] else None for i in averaged])
    return Line(cells=(Cell(value=name), *cells, Cell(value=mean)), facts={"label": name})


def _said_of_chance(block: Block) -> list[str]:
    sentences = []
    if block.labelled:
        sentences.append(
            f"{block.labelled:,} labels, as many of each class, are known to the fit."
        )
    if block.data.name in caption.OF_DATA:
        sentences.append(caption.OF_DATA[block.data.name])
    maps = (
        "" if block.labelled else ", scored by the better of the two maps of clusters to classes"
    )
    return [*sentences, f"Chance: the mean error of coin flips{maps}."]


def _published_notes(
    data: Gathered, blocks: Sequence[Block], theirs: Sequence[Sequence[Entry]]
) -> list[Note]:
    """In what our protocol differs from the published one, and what is wrong with that one."""
    entries = [entry for each in theirs for entry in each]
    if not entries:
        return []
    names = sorted({row.method for block in blocks for row in block.rows})
    beside = [
        replace(e, suites=(data.suite,), method=n, presets=e.presets if n == e.method else ())
        for e in entries
        for n in names
    ]
    compared: list[ComparedBlock] = compare_published(blocks, beside)
    said: dict[str, dict[str, None]] = {kind: {} for kind in KINDS}
    for pair in (pair for each in compared for pair in each.rows):
        for difference in pair.differs:
            said[difference.kind][difference.said] = None
    notes = [
        (
            "Published",
            "number of runs, and which images were scored, not said; selected from all of CelebA.",
        ),
        *((f"Differs in {kind}", "; ".join(texts) + ".") for kind, texts in said.items() if texts),
    ]
    none = [
        str(b.data.words[ATTRIBUTE]) for b, each in zip(blocks, theirs, strict=True) if not each
    ]
    if none:
        notes.append(("Not published, and in no mean", ", ".join(none) + "."))
    remarks = {(f"{e.table}, {e.row}", text): None for e in entries for text in e.remarks}
    return [*notes, *remarks]


def _labels(block: Block) -> str:
    return f"{block.labelled:,} labels" if block.labelled else "no labels"


def _without_attribute(block: Block) -> str:
    return data_title(block.data, [ATTRIBUTE])


def _range(numbers: Iterable[int | None]) -> str:
    known = sorted({n for n in numbers if n is not None})
    if not known:
        return "unknown"
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,} to {known[-1]:,}"
