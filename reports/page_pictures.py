"""The figures of a suite on its page, with words for those who cannot see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deep_em_bench.reports.page_cells import titled
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import slug
from deep_em_bench.reports.web import Part, Picture

__all__ = ["pictures"]

KINDS = {
    "points": (
        "Scores by method and seed",
        "A point for every run of every method, under their mean and standard deviation; "
        "the table of scores holds the numbers.",
    ),
    "ranks": (
        "Average ranks",
        "Critical-difference diagrams: a bar joins methods that are not told apart; "
        "the tables of differences hold the numbers.",
    ),
    "time": (
        "Quality against seconds of fit",
        "A point for every run; the table of cells holds the numbers.",
    ),
    "scales": (
        "Scores by number of points",
        "A line for every method, over the shares of the data that it was fitted on.",
    ),
    "em": (
        "How EM went",
        "Losses, entropy, churn and seconds by EM iteration, and the share of each cluster.",
    ),
    "confusion": (
        "Classes against clusters",
        "Share of each class in each cluster after one-to-one matching, a matrix a method; "
        "the tables of clusters hold class, size and purity.",
    ),
    "scores": (
        "Scores of samples by EM iteration",
        "Inception score, FID and KID of each method on the way.",
    ),
    "samples": ("Samples by component", "Samples that one method drew, one row a component."),
    "interpolation": (
        "Between two components",
        "Samples of one method whose generator was given a mixture of two components.",
    ),
    "triangle": (
        "Between three components",
        "Samples of one method whose generator was given a mixture of three components.",
    ),
    "mixtures": (
        "GANMM beside GANMM (EM)",
        "Samples of each generator, a row a generator, a panel a method.",
    ),
    "reduction": (
        "Features in the plane",
        "Points of each method's features, coloured and named by class; the titles hold error and "
        "the accuracy of nearest neighbours.",
    ),
    "attributes": (
        "Error rates by attribute",
        "A mark for every method, an attribute a row, and bars for published numbers; "
        "the tables of scores hold the numbers.",
    ),
    "faces": (
        "Samples with and without each attribute",
        "Two rows an attribute, one a component of one method.",
    ),
}
"""By the first word of the file's name: title, and what is to be seen."""

EMBEDDED = 12_000_000
"""Bytes of pictures in one page; the rest lies beside it."""


def pictures(blocks: Sequence[Block], files: Mapping[str, bytes]) -> Iterator[Part]:
    """The PNGs among ``files``, by name, a part a block; last those that no block claims."""
    found: dict[int, list[Picture]] = {i: [] for i in range(-1, len(blocks))}
    room = EMBEDDED
    for file, content in files.items():
        if file.endswith(".png"):
            room -= len(content)
            kind, _, rest = file.removesuffix(".png").partition("-")
            place = _block(blocks, rest)
            block = blocks[place] if place >= 0 else None
            title, alt = _words(kind, rest, block)
            png = content if room >= 0 else None
            found[place].append(Picture(file=file, title=title, alt=alt, png=png))
    for place, held in (*list(found.items())[1:], (-1, found[-1])):
        if held:
            title = titled(blocks[place]) if place >= 0 else "Over several tables"
            yield Part(title=title, pictures=tuple(held))


def _block(blocks: Sequence[Block], rest: str) -> int:
    """Place of the block that the rest of a file's name begins with; -1: of none."""
    stems = {i: slug(block.place) for i, block in enumerate(blocks)}
    claims = [i for i, stem in stems.items() if f"{rest}-".startswith(f"{stem}-")]
    return max(claims, key=lambda i: len(stems[i]), default=-1)


def _words(kind: str, rest: str, block: Block | None) -> tuple[str, str]:
    """Title and alternative text."""
    title, seen = KINDS.get(kind, (kind.capitalize(), ""))
    if block is None:
        return title, f"{title}. {seen}".rstrip()
    tail = f"{rest.removeprefix(slug(block.place))}-"
    labels = [row.label for row in block.rows if tail.startswith(f"-{slug(row.label)}-")]
    if labels:
        title = f"{title}: {max(labels, key=len)}"
    return title, f"{title}, {titled(block)}. {seen}".rstrip()
