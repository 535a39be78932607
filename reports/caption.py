"""What a reader must know to judge a table, said the same way in every format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deep_em_bench import datasets
from deep_em_bench.reports.summary import Block
from deep_em_bench.reports.text import (
    EXTRACTORS,
    REAL_IMAGES,
    named_seeds,
    number,
    of_components,
    of_samples,
)
from deep_em_bench.results import DatasetUsed, Record

__all__ = ["caption", "data_and_profile", "on_devices", "seldom"]

DIGEST = 8
"""Digits of a net's digest that tell it from others."""

OF_DATA = {
    "artificial_characters": "A point is a line segment with its character's letter for a class, "
    "as in GANMM's released code.",
    "celeba": "Labels chose the images (GAN-EM, appendix B.3).",
}
"""What must be said of a data set wherever it is shown."""

NEIGHBOURS, FEATURES = "knn_accuracy", 5000
"""The score of features, and the points of a split, the first ones, whose features a run keeps."""

TRANSDUCTIVE = "tsne_kmeans"
"""The method that maps the points in its hands and learns no map for others."""

BY_COMPONENT = (
    "By component (Benny et al., 2021): IS between the components' mean predictions, IS within a "
    "component, FID of its samples to the real images that the method gives to it, or to all "
    "where it gives fewer than two; FID falls with the number of images, and so favours few "
    "components."
)


def caption(block: Block, *, mark: str, columns: Sequence[str] | None = None) -> list[str]:
    """The caption of a comparison table, plain text, a sentence each.

    ``mark`` says how the best means are marked, as in "in bold"; ``columns`` are the table's
    metrics, by default all that the block has, and so what must be said of them. Where no run
    ended well, the caption says that in the place of means and seconds.
    """
    known = {metric for split in block.splits() for metric in block.metrics(split)}
    held = known if columns is None else known.intersection(columns)
    sentences = data_and_profile(block)
    ran = [record for row in block.rows for record in row.ok]
    if not ran:
        sentences.append("No run ended well.")
    elif len(block.seeds) == 1:
        sentences.append(f"One run each, {named_seeds(block.seeds)}; best value {mark}.")
    else:
        sentences.append(
            f"Mean ± standard deviation of the last iterate over {named_seeds(block.seeds)}; "
            f"best mean {mark}; n: runs that ended well, of all."
        )
    if any(set(row.seeds) != set(block.seeds) for row in block.rows):
        sentences.append("Not every row has every seed.")
    sentences += seldom(block)
    if NEIGHBOURS in held:
        sentences.extend(_neighbours(block))
    if any(map(of_samples, held)):
        sentences.extend(_nets(block))
    if any(map(of_components, held)):
        sentences.append(BY_COMPONENT)
    if ran:
        sentences.append(_machine(block, ran))
    sentences.extend(f"MIXED: {sentence}." for sentence in block.mixed)
    return sentences


def seldom(block: Block) -> list[str]:
    """Which rows with a number are too seldom there to be called best: a sentence, or none."""
    few = [row.label for row in block.rows if row.ok and row not in block.rated]
    if not few:
        return []
    return [f"Never called best, with results for fewer than half of the seeds: {', '.join(few)}."]


def _neighbours(block: Block) -> Iterator[str]:
    """Of which points and which maps the accuracy of nearest neighbours is."""
    n = block.n_test or block.n
    if n is None or n > FEATURES:
        yield f"k-NN accuracy: of the first {FEATURES:,} points of the split."
    maps = [row.label for row in block.rows if row.ok and row.ok[0].method.name == TRANSDUCTIVE]
    if maps:
        yield (
            f"The k-NN accuracy of {', '.join(maps)} is transductive: of a map that was fitted to "
            f"the scored points themselves."
        )


def _nets(block: Block) -> list[str]:
    """Which nets stand behind the scores of samples, and how many images they saw."""
    sentences = []
    for net in block.extractors:
        accuracy, digest = net.get("accuracy"), str(net.get("sha256") or "unknown")[:DIGEST]
        held_out = "not trained on these data"
        if isinstance(accuracy, float | int):
            held_out = f"accuracy {number(accuracy, 'accuracy')} on held-out images"
        name = str(net.get("name"))
        sentences.append(
            f"{EXTRACTORS.get(name, name)} (digest {digest}; {held_out}): "
            f"{_count(net, 'n_fake')} samples a run against {_count(net, 'n_real')} real images, "
            f"{'held out' if block.n_test else 'those of the fit'}."
        )
    floors = {_count(net, "n_floor") for net in block.extractors if net.get("n_floor")}
    if floors:
        counts = " or ".join(sorted(floors))
        sentences.append(
            f"{REAL_IMAGES.capitalize()}: {counts} against as many others, which is what a "
            f"perfect generator would have at that count."
        )
        if any(_fewer(net, "n_floor", "n_fake") for net in block.extractors):
            sentences.append("They are fewer than the samples, so their FID is biased upwards.")
    return sentences


def _fewer(net: Mapping[str, Any], name: str, other: str) -> bool:
    fewer, more = net.get(name), net.get(other)
    return isinstance(fewer, int) and isinstance(more, int) and fewer < more


def _count(net: Mapping[str, Any], name: str) -> str:
    value = net.get(name)
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"


def data_and_profile(block: Block) -> list[str]:
    """The first sentences of every caption."""
    used = block.rows[0].records[0].dataset
    held_out = f"{block.n_test:,} held out" if block.n_test else "none held out"
    if block.n_test and used.words.get("assign") == "all":
        held_out = f'"held-out" being all {block.n_test:,}, these among them'
    points = f"{block.n:,} training points, {held_out}" if block.n else "of unknown size"
    budget = "" if block.profile == "full" else ": not comparable with published numbers"
    said = [
        f"{block.suite}: {block.dataset}, {points}, K = {block.n_clusters}.",
        f"Profile {block.profile}{budget}.",
    ]
    if block.labelled:
        said.append(
            f"{block.labelled:,} labels, as many of each class, are known to the fit; training "
            f"scores and clusters leave these rows out."
        )
    if used.name in OF_DATA:
        said.append(OF_DATA[used.name])
    if features := used.words.get("features"):
        said.append(f"Features {features}: learnt without labels from {_whole(used)}.")
    return said


def _whole(used: DatasetUsed) -> str:
    """The points that features are learnt from: those of the split, whatever the subset."""
    n = used.n
    if used.words.get("subset"):
        declared = datasets.registry.declarations().get(used.name)
        split = used.words.get("split", "train")
        n = declared.attributes.get("n") if declared and split == "train" else None
    return f"all {n:,} training points" if n else "all training points, not these alone"


def on_devices(block: Block) -> str:
    """What the fits ran on; several devices each with the letter that marks its rows."""
    if len(block.devices) == 1:
        return f"on {next(iter(block.devices))}"
    listed = ", ".join(f"{mark} {name}" for name, mark in block.devices.items())
    return f"on the device of each row's letter ({listed})"


def _machine(block: Block, ran: Sequence[Record]) -> str:
    used = [record.resources for record in ran]
    precisions = ", ".join(sorted({r.precision for r in used if r.precision}))
    nets = f", nets in {precisions}" if precisions else ""
    compiled = ", some of them compiled" if any(r.compile for r in used) else ""
    jobs = max(resources.jobs for resources in used)
    crowd = f", up to {jobs} cells at a time" if jobs > 1 else ""
    apart = " Seconds on different devices do not compare." if len(block.devices) > 1 else ""
    return f"Fit: mean seconds {on_devices(block)}{nets}{compiled}{crowd}.{apart}"
