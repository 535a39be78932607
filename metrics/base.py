"""What a metric is, and the registry that finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from deep_em_bench.core import ConfigError, Registry

__all__ = ["Direction", "Kind", "Metric", "Need", "info", "names", "register", "registry"]

Direction = Literal["lower", "higher", "none"]
"""Which values are better; "none" for a number that only describes."""

Kind = Literal["clustering", "classification", "reduction", "generation"]
"""What a metric is computed from: labels against classes, the same where labels are class ids,
features against classes, or samples against data."""

Need = Literal["classes", "components"]
"""What a generation metric asks for besides features: a net with classes, known components."""

registry: Registry[Callable[..., float]] = Registry("metric", "deep_em_bench.metrics")
register = registry.register


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What the decorator of a metric says of it.

    A metric is registered as ``@register("purity", direction="higher", bounds=(0.0, 1.0),
    source="...")``; ``kind="generation"`` where it is no clustering metric.
    """

    name: str
    direction: Direction
    bounds: tuple[float | None, float | None]
    """Smallest and largest possible value; None: unbounded."""
    source: str
    """Where the definition comes from."""
    kind: Kind = "clustering"
    needs: tuple[Need, ...] = ()
    """Without all of these the metric is left out, of generation metrics alone."""


def info(name: str) -> Metric:
    """What is registered of the metric ``name``, without importing its module where possible.

    >>> info("purity").direction
    'higher'

    Raises :class:`ConfigError` for a name that nobody registered, or one registered without
    direction, bounds and source.
    """
    declared = registry.declarations().get(name)
    # A plugin's keywords cannot be read from source; and importing an unknown name says it best.
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
