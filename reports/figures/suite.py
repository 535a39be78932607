"""All figures of a suite, as PDF and PNG a column wide, each with its caption as text."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.gathered import Gathered
from deep_em_bench.reports.data.titles import slug
from deep_em_bench.reports.figures.attributes import attribute_errors
from deep_em_bench.reports.figures.clusters import confusion
from deep_em_bench.reports.figures.images import faces, generated
from deep_em_bench.reports.figures.learning import learning
from deep_em_bench.reports.figures.ranks import ranks, ranks_over_data
from deep_em_bench.reports.figures.reduction import reductions
from deep_em_bench.reports.figures.scores import by_time, points, scales
from deep_em_bench.reports.figures.style import Drawing, Mark, look, marks_of, rendered

__all__ = ["Figure", "draw", "drawings", "files_of"]

KINDS = {
    "points": "Scores by method and seed",
    "ranks": "Average ranks",
    "time": "Quality against seconds of fit",
    "scales": "Scores by number of points",
    "em": "How EM went",
    "confusion": "Classes against clusters",
    "scores": "Scores of samples by EM iteration",
    "samples": "Samples by component",
    "interpolation": "Between two components",
    "triangle": "Between three components",
    "mixtures": "Two mixtures of generators",
    "reduction": "Features in the plane",
    "attributes": "Error rates by attribute",
    "faces": "Samples with and without each attribute",
}
"""The title of every kind of figure, by the first word of its file's name."""

LONG = 120
"""Characters of a file's name, its ending aside, from which it is cut."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawn figure."""

    stem: str
    """Of its files: STEM.pdf, STEM.png and STEM.txt."""
    title: str
    caption: str
    block: str
    """The title of its block; empty: of several."""
    pdf: bytes
    png: bytes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the header of the PNG."""
        return int.from_bytes(self.png[16:20]), int.from_bytes(self.png[20:24])


def draw(data: Gathered, most: int | None = None) -> tuple[list[Figure], bool]:
    """Every figure, or the first ``most``; and whether there are no more."""
    taken: set[str] = set()
    with look():
        stream = drawings(data)
        figures = [_figure(drawing, taken) for drawing in itertools.islice(stream, most)]
        complete = most is None or next(stream, None) is None
    return figures, complete


def drawings(data: Gathered) -> Iterator[Drawing]:
    """Figures of several blocks first, then block by block. Figures without data are left out."""
    marks = marks_of([row for block in data.blocks for row in block.rows])
    yield from scales(data, marks)
    yield from ranks_over_data(data, marks)
    yield from reductions(data)
    yield from attribute_errors(data, marks)
    for blocks in data.of_attributes:
        yield from faces(data, blocks)
    for block in data.rest:
        yield from _of_block(data, block, marks)


def files_of(figures: Sequence[Figure]) -> dict[str, str | bytes]:
    """The files of the figures by name."""
    files: dict[str, str | bytes] = {}
    for each in figures:
        files[f"{each.stem}.pdf"] = each.pdf
        files[f"{each.stem}.png"] = each.png
        files[f"{each.stem}.txt"] = f"{each.title}. {each.caption}\n"
    return files


def _of_block(data: Gathered, block: Block, marks: Mapping[str, Mark]) -> Iterator[Drawing]:
    yield from points(data, block, marks)
    yield from ranks(data, block, marks)
    yield from by_time(data, block, marks)
    yield from learning(data, block, marks)
    runs = [run for row in block.rows if (run := data.stored.run(row)) is not None]
    yield from confusion(data, block, runs)
    yield from generated(data, block, runs)


def _figure(drawing: Drawing, taken: set[str]) -> Figure:
    """The file's name follows the labels of tables, and is never one in ``taken``."""
    name = f"{drawing.kind} {drawing.name}"
    stem = slug(name)
    if len(stem) > LONG or stem in taken:
        stem = f"{stem[:LONG]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    taken.add(stem)
    files = rendered(drawing.figure)
    of = f": {drawing.of}" if drawing.of else ""
    return Figure(
        stem=stem,
        title=f"{KINDS[drawing.kind]}{of}",
        caption=" ".join(filter(None, drawing.caption)),
        block=drawing.block,
        pdf=files["pdf"],
        png=files["png"],
    )
