"""What a reader must know to judge a table, said the same way in every format."""

from __future__ import annotations

from reports.summary import Block
from reports.text import named_seeds

__all__ = ["caption", "data_and_profile"]


def caption(block: Block, *, mark: str) -> list[str]:
    """The caption of a comparison table, plain text, a sentence each.

    ``mark`` says how the best means are marked, as in "in bold".
    """
    sentences = data_and_profile(block)
    if len(block.seeds) == 1:
        sentences.append(f"One run each, {named_seeds(block.seeds)}; best value {mark}.")
    else:
        sentences.append(
            f"Mean ± standard deviation of the last iterate over {named_seeds(block.seeds)}; "
            f"best mean {mark}; n: runs that ended well, of all."
        )
    if any(set(row.seeds) != set(block.seeds) for row in block.rows):
        sentences.append("Not every row has every seed.")
    sentences.append(_machine(block))
    sentences.extend(f"MIXED: {sentence}." for sentence in block.mixed)
    return sentences


def data_and_profile(block: Block) -> list[str]:
    """The first sentences of every caption."""
    held_out = f"{block.n_test:,} held out" if block.n_test else "none held out"
    points = f"{block.n:,} training points, {held_out}" if block.n else "of unknown size"
    budget = "" if block.profile == "paper" else ": not comparable with published numbers"
    said = [
        f"{block.suite}: {block.dataset}, {points}, K = {block.n_clusters}.",
        f"Profile {block.profile}{budget}.",
    ]
    used = block.rows[0].records[0].dataset
    if known := used.words.get("labelled"):
        said.append(
            f"{known:,} labels, as many of each class, are known to the fit; training scores "
            f"leave these rows out."
        )
    if used.name == "celeba":
        said.append("Labels chose the images (GAN-EM, appendix B.3).")
    return said


def _machine(block: Block) -> str:
    ran = [record.resources for row in block.rows for record in row.ok]
    if not ran:
        return "No run ended well."
    devices = ", ".join(sorted({resources.device for resources in ran}))
    precisions = ", ".join(sorted({r.precision for r in ran if r.precision}))
    nets = f", nets in {precisions}" if precisions else ""
    jobs = max(resources.jobs for resources in ran)
    crowd = f", up to {jobs} cells at a time" if jobs > 1 else ""
    return f"Fit: mean seconds on {devices}{nets}{crowd}."
