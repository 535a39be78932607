"""What a reader must know to judge a table, said the same way in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.summary import Block
from reports.text import EXTRACTORS, REAL_IMAGES, named_seeds, number
from results import Resources

__all__ = ["caption", "data_and_profile", "nets"]

DIGEST = 8
"""Digits of a net's digest that tell it from others."""


def caption(block: Block, *, mark: str, samples: bool = True) -> list[str]:
    """The caption of a comparison table, plain text, a sentence each.

    ``mark`` says how the best means are marked, as in "in bold"; ``samples`` whether the table has
    scores of samples, where there are some, and so what stands behind them. Where no run ended
    well, the caption says that in the place of means and seconds.
    """
    sentences = data_and_profile(block)
    ran = [record.resources for row in block.rows for record in row.ok]
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
    if samples:
        sentences.extend(nets(block))
    if ran:
        sentences.append(_machine(ran))
    sentences.extend(f"MIXED: {sentence}." for sentence in block.mixed)
    return sentences


def nets(block: Block) -> list[str]:
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
    budget = "" if block.profile == "paper" else ": not comparable with published numbers"
    said = [
        f"{block.suite}: {block.dataset}, {points}, K = {block.n_clusters}.",
        f"Profile {block.profile}{budget}.",
    ]
    if known := used.words.get("labelled"):
        said.append(
            f"{known:,} labels, as many of each class, are known to the fit; training scores "
            f"leave these rows out."
        )
    if used.name == "celeba":
        said.append("Labels chose the images (GAN-EM, appendix B.3).")
    return said


def _machine(ran: Sequence[Resources]) -> str:
    devices = ", ".join(sorted({resources.device for resources in ran}))
    precisions = ", ".join(sorted({r.precision for r in ran if r.precision}))
    nets = f", nets in {precisions}" if precisions else ""
    jobs = max(resources.jobs for resources in ran)
    crowd = f", up to {jobs} cells at a time" if jobs > 1 else ""
    return f"Fit: mean seconds on {devices}{nets}{crowd}."
