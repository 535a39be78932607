"""What a reader must know to judge a table or figure, said the same way everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from deep_em_bench import datasets
from deep_em_bench.datasets.celeba import FACES_FILE, IMAGES
from deep_em_bench.reports.data.blocks import Block
from deep_em_bench.reports.data.differences import Comparison
from deep_em_bench.reports.data.published import FULL
from deep_em_bench.reports.data.statistics import ALPHA
from deep_em_bench.reports.data.titles import (
    EXTRACTORS,
    data_title,
    is_component_metric,
    is_sample_metric,
    named_seeds,
)
from deep_em_bench.reports.tables.model import Format, number
from deep_em_bench.results import DatasetUsed

__all__ = [
    "REAL_IMAGES",
    "TIME_TITLE",
    "about",
    "budget",
    "how_bold",
    "mixed",
    "notes_on",
    "runs",
    "seldom",
]

REAL_IMAGES = "real images"
"""The row of real images in the place of samples."""

DIGEST = 8
"""Digits of a net's digest that tell it from others."""

OF_DATA = {
    "artificial_characters": "A point is a line segment with its character's letter for a class, "
    "as in GANMM's released code.",
    "celeba": "LABELS CHOSE THE IMAGES: all of an attribute's rarer value, and as many of the "
    "other that are most alike in the other attributes (GAN-EM, appendix B.3); so clusters follow "
    "the attribute more than among faces at large.",
}
"""What must be said of a data set wherever it is shown."""

NEIGHBOURS, FEATURES = "knn_accuracy", 5000
"""The score of features, and the points of a split, the first ones, whose features a run keeps."""

TRANSDUCTIVE = "tsne_kmeans"
"""The method that maps the points in its hands and learns no map for others."""

TIME_TITLE = "Time"
"""The head of the column with seconds."""

BY_COMPONENT = (
    "By component (Benny et al., 2021): IS between the components' mean predictions, IS within a "
    "component, FID of its samples to the real images that the method gives to it, or to all "
    "where it gives fewer than two; FID falls with the number of images, and so favours few "
    "components."
)


def about(block: Block) -> list[str]:
    """The first sentences of every caption: data, profile, labels, features, what is mixed."""
    used = block.data
    held_out = f"{used.n_test:,} held out" if used.n_test else "none held out"
    if used.n_test and used.words.get("assign") == "all":
        held_out = f'"held-out" being all {used.n_test:,}, these among them'
    points = f"{used.n:,} training points, {held_out}" if used.n else "of unknown size"
    sentences = [f"{data_title(used)}: {points}, K = {block.n_clusters}.", budget([block])]
    if block.labelled:
        sentences.append(
            f"{block.labelled:,} labels, as many of each class, are known to the fit; training "
            f"scores and clusters leave these rows out."
        )
    if used.name in OF_DATA:
        sentences.append(OF_DATA[used.name])
    if features := used.words.get("features"):
        sentences.append(f"Features {features}: learnt without labels from {_whole(used)}.")
    return [*sentences, *mixed([block])]


def budget(blocks: Sequence[Block]) -> str:
    """The profile, and whether it is that of the papers."""
    profile = blocks[0].profile
    files = {file for block in blocks for run in block.records for file in run.dataset.sha256}
    compact = FACES_FILE.path in files
    images = f", images out of {IMAGES:,}, not out of all of CelebA" if compact else ""
    same = profile == FULL and not compact
    return f"Profile {profile}{images}{'' if same else ': not comparable with published numbers'}."


def mixed(blocks: Sequence[Block]) -> list[str]:
    """What the blocks mix, a sentence each."""
    return [f"MIXED: {what}." for what in dict.fromkeys(w for b in blocks for w in b.mixed)]


def runs(blocks: Sequence[Block]) -> str:
    """Of which runs the numbers are."""
    seeds = {seed for block in blocks for seed in block.seeds}
    if not any(row.ok for block in blocks for row in block.rows):
        return "No run succeeded."
    if len(seeds) == 1:
        return f"One run each, {named_seeds(seeds)}."
    return (
        f"Mean ± standard deviation of the last iterate over {named_seeds(seeds)}; "
        f"n: runs that succeeded, out of all."
    )


def how_bold(comparisons: Iterable[Comparison | None]) -> list[str]:
    """What bold type means, or the one line in the place of a test that cannot be borne."""
    known = [each for each in comparisons if each is not None]
    if not known:
        return []
    tested = next((each for each in known if each.tested), None)
    if tested is None:
        return ["Bold: the best mean.", known[0].unborne]
    seeds = "seed" in tested.over
    blocks = f"over {tested.over}" + (", reruns on one data set" if seeds else "")
    if tested.procedure.test == "nemenyi":
        name = f"Friedman's test and Nemenyi's, {blocks}, at {100 * ALPHA:.0f} %"
    else:
        name = f"Wilcoxon's signed-rank test after Holm, {blocks}, at {100 * ALPHA:.0f} %"
    if tested.reference != tested.best or tested.procedure.against:
        return [f"Bold: the best mean. Differences: {name}."]
    return [f"Bold: the best mean and all that is not told apart from it ({name})."]


def seldom(block: Block) -> list[str]:
    """Which rows with a number have too few runs to be called best: a sentence, or none."""
    pairs = zip(block.rows, block.rated, strict=True)
    few = [row.title for row, rated in pairs if row.ok and not rated]
    if not few:
        return []
    return [f"Never called best, with results for fewer than half of the seeds: {', '.join(few)}."]


def notes_on(block: Block, metrics: Iterable[str]) -> list[str]:
    """What must be said of these columns: nets, neighbours, machine, missing seeds."""
    shown = set(metrics)
    sentences = list(_gaps(block))
    if NEIGHBOURS in shown:
        sentences += _neighbours(block)
    if any(map(is_sample_metric, shown)):
        sentences += _nets(block)
    if any(map(is_component_metric, shown)):
        sentences.append(BY_COMPONENT)
    return [*sentences, *_machine(block)]


def _gaps(block: Block) -> Iterator[str]:
    seeds = set(block.seeds)
    rows: dict[tuple[int, ...], list[str]] = {}
    for row in block.rows:
        if missing := seeds - row.seeds:
            rows.setdefault(tuple(sorted(missing)), []).append(row.title)
    for missing, titles in list(rows.items())[:12]:
        yield f"No run with {named_seeds(missing)}, which other rows have: {', '.join(titles)}."
    if len(rows) > 12:
        yield f"And {sum(map(len, list(rows.values())[12:])):,} rows more."


def _neighbours(block: Block) -> Iterator[str]:
    """Of which points and which maps the accuracy of nearest neighbours is."""
    n = block.data.n_test or block.data.n
    if n is None or n > FEATURES:
        yield f"k-NN accuracy: of the first {FEATURES:,} points of the split."
    if maps := [row.title for row in block.rows if row.ok and row.method == TRANSDUCTIVE]:
        yield (
            f"The k-NN accuracy of {', '.join(maps)} is transductive: of a map that was fitted to "
            f"the scored points themselves."
        )


def _nets(block: Block) -> Iterator[str]:
    """Which nets stand behind the scores of samples, and how many images they saw."""
    for net in block.extractors:
        accuracy, digest = net.get("accuracy"), str(net.get("sha256") or "unknown")[:DIGEST]
        trained = "not trained on these data"
        if isinstance(accuracy, float | int):
            trained = f"accuracy {number(accuracy, Format(kind='share'))} on held-out images"
        name = str(net.get("name"))
        yield (
            f"{EXTRACTORS.get(name, name)} (digest {digest}; {trained}): "
            f"{_count(net, 'n_fake')} samples a run against {_count(net, 'n_real')} real images, "
            f"{'held out' if block.data.n_test else 'those of the fit'}."
        )
    if floors := {_count(net, "n_floor") for net in block.extractors if net.get("n_floor")}:
        yield (
            f"{REAL_IMAGES.capitalize()}: {' or '.join(sorted(floors))} against as many others, "
            f"which is what a perfect generator would have at that count."
        )
        if any(_fewer(net, "n_floor", "n_fake") for net in block.extractors):
            yield "They are fewer than the samples, so their FID is biased upwards."


def _fewer(net: Mapping[str, Any], name: str, other: str) -> bool:
    fewer, more = net.get(name), net.get(other)
    return isinstance(fewer, int) and isinstance(more, int) and fewer < more


def _count(net: Mapping[str, Any], name: str) -> str:
    value = net.get(name)
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"


def _whole(used: DatasetUsed) -> str:
    """The points that features are learnt from: those of the split, whatever the subset."""
    n = used.n
    if used.words.get("subset"):
        declared = datasets.registry.declarations().get(used.name)
        split = used.words.get("split", "train")
        n = declared.attributes.get("n") if declared and split == "train" else None
    return f"all {n:,} training points" if n else "all training points, not these alone"


def _machine(block: Block) -> list[str]:
    ran = [record for row in block.rows for record in row.ok]
    if not ran:
        return []
    used = [record.resources for record in ran]
    precisions = ", ".join(sorted({r.precision for r in used if r.precision}))
    nets = f", nets in {precisions}" if precisions else ""
    compiled = ", some of them compiled" if any(r.compile for r in used) else ""
    jobs = max(resources.jobs for resources in used)
    crowd = f", up to {jobs} cells at a time" if jobs > 1 else ""
    cpu = any(record.timing.fit_cpu_s is not None for record in ran)
    clock = "CPU seconds on a CPU, else seconds of the clock" if cpu else "seconds of the clock"
    crowd += "; †: begun beside other work" if any(map(block.crowded, block.rows)) else ""
    if len(block.devices) == 1:
        return [
            f"{TIME_TITLE}: mean {clock} on {next(iter(block.devices))}{nets}{compiled}{crowd}."
        ]
    listed = ", ".join(f"{mark} {name}" for name, mark in block.devices.items())
    return [
        f"{TIME_TITLE}: mean {clock} on the device of each row's letter ({listed}){nets}"
        f"{compiled}{crowd}. Seconds on different devices do not compare."
    ]
