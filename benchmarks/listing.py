"""What there is, without importing it: ``--list`` answers from source files alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from deep_em_bench.benchmarks.suite import Suite, suite_files
from deep_em_bench.core import Declaration, Registry

__all__ = ["KINDS", "listed", "rendered"]

Item = dict[str, Any]


def _suites() -> list[Item]:
    suites = [Suite.read(path) for path in suite_files().values()]
    return [
        {
            "name": suite.name,
            "title": suite.title,
            "reproduces": suite.reproduces,
            "datasets": list(dict.fromkeys(row.name for row in suite.datasets)),
            "methods": list(dict.fromkeys(row.name for row in suite.methods)),
            "seeds": len(suite.seeds),
        }
        for suite in suites
    ]


def _methods() -> list[Item]:
    registry = _registry("deep_em_bench.methods", "method")
    return [_described(item, ("presets",)) for item in _declared(registry)]


def _datasets() -> list[Item]:
    from deep_em_bench import datasets

    keys = ("origin", "shape", "n", "n_classes")
    return [_described(item, keys) for item in _declared(datasets.registry)]


def _metrics() -> list[Item]:
    from deep_em_bench import metrics

    keys = ("direction", "bounds", "source")
    return [_described(item, keys) for item in _declared(metrics.registry)]


KINDS: dict[str, Callable[[], list[Item]]] = {
    "suites": _suites,
    "methods": _methods,
    "datasets": _datasets,
    "metrics": _metrics,
}


def listed(kinds: Iterable[str]) -> dict[str, list[Item]]:
    """What is known of each kind, by name."""
    return {kind: KINDS[kind]() for kind in kinds}


def rendered(found: dict[str, list[Item]], form: str) -> str:
    """``json``, or a ``table`` of columns."""
    if form == "json":
        return json.dumps(found, indent=1, ensure_ascii=False)
    return "\n\n".join(f"{kind}\n{_table(items)}" for kind, items in found.items())


def _registry(package: str, kind: str) -> Registry[Any]:
    """The package's registry where it is imported (a plugin does), else one that only reads it.

    The contract of methods is a scikit-learn class: importing it takes longer than a listing may.
    """
    module = sys.modules.get(package)
    return module.registry if module else Registry(kind, package)


def _declared(registry: Registry[Any]) -> list[Declaration]:
    found = registry.declarations()
    return [found[name] for name in sorted(found)]


def _described(item: Declaration, keys: Iterable[str]) -> Item:
    known = {key: item.attributes[key] for key in keys if item.attributes.get(key) is not None}
    return {"name": item.name, **known, "summary": item.summary}


def _table(items: list[Item]) -> str:
    columns = list(dict.fromkeys(key for item in items for key in item))
    rows = [columns, *([_text(item.get(key, "")) for key in columns] for item in items)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return "\n".join(
        "  "
        + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
