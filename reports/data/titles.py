"""Names that can be printed, as methods, presets, data sets and metrics declare them.

Nothing here imports torch: titles are read from the sources of the package, and of plugins from
what they registered. What has no title is shown by its identifier.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from deep_em_bench import datasets, methods, metrics
from deep_em_bench.core import ConfigError
from deep_em_bench.results import DatasetUsed, MethodUsed

__all__ = [
    "EXTRACTORS",
    "SPLITS",
    "class_name",
    "data_title",
    "is_component_metric",
    "is_sample_metric",
    "metric_info",
    "metric_title",
    "named_seeds",
    "preset_facts",
    "preset_names",
    "rated_metric",
    "row_title",
    "slug",
    "slugs",
]

SPLITS = {"train": "training", "test": "held-out", "generation": "samples"}
"""The splits by the names that are printed."""

EXTRACTORS = {"lenet": "LeNet", "squeezenet": "SqueezeNet", "inception": "Inception"}
"""The nets behind the scores of samples."""

UNKNOWN: Mapping[str, Any] = {"direction": "none", "bounds": (None, None), "source": ""}


@functools.cache
def metric_info(metric: str) -> metrics.Metric:
    """What is registered of a metric; of one that is registered no more that nothing is known."""
    try:
        return metrics.info(metric)
    except ConfigError:
        return metrics.Metric(name=metric, **UNKNOWN)


@functools.cache
def metric_title(metric: str) -> str:
    """The head of a metric's column.

    >>> metric_title("accuracy"), metric_title("fid_lenet")
    ('Accuracy', 'FID (LeNet)')
    """
    title = metric_info(metric).title or metric
    net = EXTRACTORS.get(metric.rpartition("_")[2])
    return f"{title} ({net})" if net and is_sample_metric(metric) else title


def rated_metric(metric: str) -> bool:
    """Whether any value of a metric may be called the best."""
    info = metric_info(metric)
    return info.rated and info.direction != "none"


def is_sample_metric(metric: str) -> bool:
    """Whether a metric is computed from samples."""
    return metric_info(metric).kind == "generation"


def is_component_metric(metric: str) -> bool:
    """Whether a metric is computed from the samples of each component by itself."""
    return "components" in metric_info(metric).needs


def data_title(data: DatasetUsed, without: Iterable[str] = ()) -> str:
    """A data set with its words, but for those named.

    >>> data_title(DatasetUsed(name="mnist", words={"subset": 10000, "split": None}))
    'MNIST (subset=10000)'
    """
    declared = datasets.registry.declarations().get(data.name)
    title = (declared and declared.attributes.get("title")) or data.name
    held = {name: value for name, value in data.words.items() if name not in set(without)}
    words = ", ".join(f"{k}={v}" for k, v in sorted(held.items()) if v is not None)
    return f"{title} ({words})" if words else title


def row_title(label: str, method: MethodUsed) -> str:
    """The printed name of a row: its preset's title, else the method's with the preset or variant.

    >>> row_title("gan_em[no GAN]", MethodUsed(name="gan_em", preset="stable"))
    'GAN-EM (no GAN)'
    """
    facts = _method_facts(method.name)
    title = facts.get("title") or method.name
    if label == method.name:
        return str(title)
    if label == f"{method.name}[{method.preset}]":
        preset = preset_facts(method.name, method.preset).get("title")
        if preset:
            return str(preset)
        return title if len(facts.get("presets", ())) == 1 else f"{title} ({method.preset})"
    if inside := re.fullmatch(re.escape(method.name) + r"\[(.*)\]", label):
        return f"{title} ({inside[1]})"
    return label


def preset_facts(method: str, preset: str) -> Mapping[str, Any]:
    """What a preset declares literally: ``title``, ``source``, ``deviations``; else nothing."""
    presets = _method_facts(method).get("presets", {})
    held = presets.get(preset) if isinstance(presets, Mapping) else None
    return held if isinstance(held, Mapping) else vars(held) if hasattr(held, "source") else {}


@functools.lru_cache(maxsize=256)
def _method_facts(name: str) -> Mapping[str, Any]:
    declared = methods.registry.declarations().get(name)
    if declared is None:
        return {}
    if not declared.attributes:  # of a plugin: it is imported already
        return methods.registry.get(name).attributes
    return declared.attributes


def slug(name: str) -> str:
    """A name as files and labels can bear it; other signs are written out, so that none are equal.

    >>> slug("mnist_raw mnist(split=train) 10"), slug("a-b"), slug("数字")
    ('mnist-raw-mnist-split-train-10', 'a-b', 'u6570-u5b57')
    """
    spelled = re.sub(r"[^\x00-\x7f]", lambda found: f" u{ord(found[0]):04x} ", name)
    return re.sub(r"[^A-Za-z0-9]+", "-", spelled).strip("-").lower()


def class_name(names: Sequence[str], c: int) -> str:
    """What class ``c`` is called: by its name, or by its number where the record has no names.

    >>> class_name(("sky", "grass"), 1), class_name((), 1)
    ('grass', '1')
    """
    return names[c] if c < len(names) else str(c)


def slugs(names: Iterable[str]) -> dict[str, str]:
    """The slug of each name, with a digest where two names would have the same.

    >>> list(slugs(["a b", "a_c", "a-c"]).values())
    ['a-b', 'a-c-6e33', 'a-c-85ef']
    """
    plain = {name: slug(name) for name in names}
    held = list(plain.values())
    return {
        name: short
        if held.count(short) == 1
        else f"{short}-{sha256(name.encode()).hexdigest()[:4]}"
        for name, short in plain.items()
    }


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


def preset_names(method: str) -> list[str]:
    """The presets of a method, in the order of their declaration."""
    return list(_method_facts(method).get("presets", ()))
