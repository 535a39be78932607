"""How numbers and seeds are written, the same in every format."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterable, Sequence

from deep_em_bench import metrics
from deep_em_bench.core import ConfigError
from deep_em_bench.results import Record

__all__ = [
    "ABSENT",
    "ARROWS",
    "EXTRACTORS",
    "PIECES",
    "REAL_IMAGES",
    "SPLIT_NAMES",
    "class_name",
    "device_of",
    "error_metric",
    "letter",
    "methods_shown",
    "named_seeds",
    "number",
    "of_components",
    "of_samples",
    "seconds",
    "slug",
]

ABSENT = "–"
ARROWS = {"lower": "↓", "higher": "↑", "none": ""}
SPLIT_NAMES = {"train": "train", "test": "held-out", "generation": "samples"}


REAL_IMAGES = "real images"
"""The row of real images in the place of samples."""

EXTRACTORS = {"lenet": "LeNet", "squeezenet": "SqueezeNet", "inception": "Inception"}
"""Names of the nets that tables and captions use."""

PIECES = re.compile(r"[\[({]*[^\W_]+(?:[^\w\[({]|_)*|(?:[^\w\[({]|_)+|[\[({]+")
"""The parts of a long name between which a line may break: after signs, and before brackets."""

FIGURES = 3
"""Significant figures of a score of samples."""

FINEST = 6
"""Decimals from which a score of samples is noise."""


def number(value: float, metric: str, beside: float | None = None) -> str:
    """A metric's value: three decimals and no leading zero within [-1, 1], else one decimal.

    A score of samples (inception score, FID, KID) has no usual size: it has three significant
    figures, and its zero. Its spread takes the decimals of the value that it stands ``beside``.

    >>> number(0.0463, "error_rate"), number(-0.0001, "ari"), number(9.96, "active_clusters")
    ('.046', '.000', '10.0')
    >>> number(231.0577, "fid_lenet"), number(-0.0012, "kid_lenet"), number(7.5, "fid_lenet", 231)
    ('231', '-0.00120', '8')
    """
    if of_samples(metric):
        digits = _decimals(value if beside is None else beside)
        return f"{round(value, digits) + 0.0:.{digits}f}"
    digits = _digits(metric)
    text = f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0 turns -0.0 into 0.0
    if digits != 3:
        return text
    return text[1:] if text.startswith("0.") else text.replace("-0.", "-.", 1)


@functools.cache
def of_samples(metric: str) -> bool:
    """Whether a metric is computed from samples; not known of one that is registered no more."""
    try:
        return metrics.info(metric).kind == "generation"
    except ConfigError:
        return False


@functools.cache
def of_components(metric: str) -> bool:
    """Whether a metric is computed from samples of known components, each by itself."""
    try:
        return "components" in metrics.info(metric).needs
    except ConfigError:
        return False


@functools.cache
def _digits(metric: str) -> int:
    try:
        low, high = metrics.info(metric).bounds
    except ConfigError:
        return 3
    return 3 if low is not None and high is not None and low >= -1 and high <= 1 else 1


def _decimals(value: float) -> int:
    """Those of three significant figures, within bounds; the figures of the rounded value."""
    if not value:
        return FIGURES - 1
    exponent = int(f"{value:.{FIGURES - 1}e}".partition("e")[2])
    return min(max(FIGURES - 1 - exponent, 0), FINEST)


def class_name(names: Sequence[str], c: int) -> str:
    """What class ``c`` is called: by its name, or by its number where the record has no names.

    >>> class_name(("sky", "grass"), 1), class_name((), 1)
    ('grass', '1')
    """
    return names[c] if c < len(names) else str(c)


def methods_shown(first: int, n: int, total: int) -> str:
    """Which of the methods stand in a part of what is split.

    >>> methods_shown(0, 8, 9), methods_shown(8, 1, 9)
    ('Methods 1–8 of 9.', 'Method 9 of 9.')
    """
    places = f"Methods {first + 1}–{first + n}" if n > 1 else f"Method {first + 1}"
    return f"{places} of {total}."


def seconds(value: float) -> str:
    """Seconds to about three figures.

    >>> seconds(0.034), seconds(12.34), seconds(1234.5)
    ('0.03', '12.3', '1234')
    """
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def slug(name: str) -> str:
    """A name as files and labels can bear it.

    >>> slug("mnist_raw mnist(split=train) 10")
    'mnist-raw-mnist-split-train-10'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()


def device_of(record: Record) -> str:
    """What the fit ran on: a GPU by its name, where that is known."""
    device, gpu = record.resources.device, record.provenance.gpu
    return gpu if gpu and device.startswith("cuda") else device


def letter(i: int) -> str:
    """The i-th letter, from 0; beyond z they are doubled.

    >>> letter(0), letter(27)
    ('a', 'bb')
    """
    return string.ascii_lowercase[i % 26] * (i // 26 + 1)


def error_metric(labelled: int) -> str:
    """The error rate that heads a table: of classes as they are named where the fit knew labels.

    >>> error_metric(0), error_metric(100)
    ('error_rate', 'error_rate_classes')
    """
    return "error_rate_classes" if labelled else "error_rate"


def named_seeds(seeds: Iterable[int]) -> str:
    """Seeds in order, runs of three and more as a range.

    >>> named_seeds([0, 1, 2, 3, 7, 9, 8, 12]), named_seeds([5])
    ('seeds 0–3, 7–9, 12', 'seed 5')
    """
    runs: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    listed = ", ".join(
        f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )
    return f"seed{'s' if sum(map(len, runs)) > 1 else ''} {listed}"
