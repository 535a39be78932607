"""What a metric is, and the registry that finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from deep_em_bench.core import ConfigError, Registry

__all__ = ["Direction", "Kind", "Metric", "Need", "info", "names", "register", "registry"]

Direction = Literal["lower", "higher", "none"]
"""The better values; "none" for a number that only describes."""

Kind = Literal["clustering", "classification", "reduction", "generation"]
"""Input of a metric: clusters and classes, predicted and true classes, features and classes, or
samples and data."""

Need = Literal["classes", "components"]
"""What a generation metric needs besides features: a net with classes, known components."""

registry: Registry[Callable[..., float]] = Registry("metric", "deep_em_bench.metrics")
register = registry.register


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The keywords of a metric's decorator.

    A metric is registered as ``@register("purity", direction="higher", bounds=(0.0, 1.0),
    source="...")``, and with its ``kind`` if it is no clustering metric.
    """

    name: str
    direction: Direction
    bounds: tuple[float | None, float | None]
    """Smallest and largest possible value; None: unbounded."""
    source: str
    """Reference of the definition."""
    title: str = ""
    """Its name in tables and figures; empty: the registered one."""
    rated: bool = True
    """False: it stands beside published numbers only, and no value of it is called the best."""
    kind: Kind = "clustering"
    needs: tuple[Need, ...] = ()
    """Of generation metrics: where one of these is missing, the metric is left out."""


def info(name: str) -> Metric:
    """The keywords of the metric ``name``, if possible without importing its module.

    >>> info("purity").direction
    'higher'

    Raises :class:`ConfigError` for an unknown name, and for one that is registered without
    direction, bounds and source.
    """
    declared = registry.declarations().get(name)
    # A plugin's keywords cannot be read from its source; an unknown name raises in the registry.
    return _metric(name, (declared and declared.attributes) or registry.get(name).attributes)


def names(kind: Kind | None = None) -> list[str]:
    """The registered metrics, or those of one kind, by name."""
    return sorted(
        name
        for name, declared in registry.declarations().items()
        if kind is None
        or _metric(name, declared.attributes or registry.get(name).attributes).kind == kind
    )


def _metric(name: str, attributes: Mapping[str, Any]) -> Metric:
    try:
        metric = Metric(name=name, **attributes)
    except TypeError as error:
        raise ConfigError(
            f"metric {name!r} is registered with {', '.join(sorted(attributes)) or 'nothing'}; "
            f"expected direction, bounds, source and perhaps kind and needs"
        ) from error
    if metric.direction not in get_args(Direction) or metric.kind not in get_args(Kind):
        raise ConfigError(
            f"metric {name!r} has direction {metric.direction!r} and kind {metric.kind!r}; "
            f"expected one of {get_args(Direction)} and one of {get_args(Kind)}"
        )
    if not set(metric.needs) <= set(get_args(Need)):
        raise ConfigError(
            f"metric {name!r} needs {metric.needs}; expected some of {get_args(Need)}"
        )
    return metric
