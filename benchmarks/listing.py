"""The command that lists suites, methods, data sets and metrics, and a method's parameters.

A list is read from source files and imports neither torch nor scikit-learn; the parameters of a
method need the method itself.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from deep_em_bench.benchmarks.options import KINDS, load_plugins
from deep_em_bench.benchmarks.suite import Suite, suite_files
from deep_em_bench.core import ConfigError, Declaration, Registry, unknown_name
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.parser import CommandParser

__all__ = ["FORMATS", "main", "print_list"]

FORMATS = ("table", "json")

Item = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = CommandParser("list", description="List what can be run, or describe one thing.")
    parser.add_argument("kind", nargs="?", choices=KINDS, help="default: all of them")
    parser.add_argument("name", nargs="?", help="one of them; a method with its parameters")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("--plugin", type=Path, action="append", default=[], metavar="FILE.py")
    options = parser.parse_args(arguments)

    def run() -> int:
        load_plugins(options.plugin)
        print_list([options.kind] if options.kind else KINDS, options.format, options.name)
        return 0

    return guarded(run)


def print_list(kinds: Iterable[str], form: str, name: str | None = None) -> None:
    """Print the things of each kind, or the one with that name, as a table or as JSON.

    Raises :class:`ConfigError` for an unknown name.
    """
    items = {kind: READERS[kind]() for kind in kinds}
    if name is not None:
        items = {kind: [_named(kind, rows, name)] for kind, rows in items.items()}
        if "methods" in items:
            items["parameters"] = _parameters(name)
    if form == "json":
        print(json.dumps(items, indent=1, ensure_ascii=False))
    else:
        print("\n\n".join(f"{kind}\n{_table(rows)}" for kind, rows in items.items()))


def _named(kind: str, rows: list[Item], name: str) -> Item:
    for row in rows:
        if row["name"] == name:
            return row
    names = [row["name"] for row in rows]
    raise ConfigError(unknown_name(KINDS[kind], name, names))


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
    # The package imports scikit-learn, which takes longer than a list may. Where a plugin has
    # imported it already, its registry knows the plugin's methods, too.
    package = sys.modules.get("deep_em_bench.methods")
    registry = package.registry if package else Registry("method", "deep_em_bench.methods")
    return _declared(registry, "presets")


def _datasets() -> list[Item]:
    from deep_em_bench import datasets

    return _declared(datasets.registry, "origin", "shape", "n", "n_classes")


def _metrics() -> list[Item]:
    from deep_em_bench import metrics

    return _declared(metrics.registry, "direction", "bounds", "source")


def _parameters(method: str) -> list[Item]:
    """The method's parameters, with their values in each preset."""
    from deep_em_bench import methods
    from deep_em_bench.methods.parameters import describe

    entry = methods.registry.get(method)
    presets = entry.attributes["presets"]
    return [
        {
            "name": parameter.name,
            "type": _type(parameter.type),
            "default": parameter.default,
            **{
                preset: presets[preset].params.get(parameter.name, parameter.default)
                for preset in presets
            },
            "meaning": parameter.meaning,
        }
        for parameter in describe(entry.value)
    ]


def _type(text: str) -> str:
    """The type as a reader writes it: without modules, a Literal as its values."""
    text = re.sub(r"collections\.abc\.Callable\[.*\]", "callable", text)
    text = re.sub(r"typing\.Literal\[(.*?)\]", lambda m: m[1].replace(", ", " | "), text)
    return text.replace("typing.", "")


READERS: dict[str, Callable[[], list[Item]]] = {
    "suites": _suites,
    "methods": _methods,
    "datasets": _datasets,
    "metrics": _metrics,
}


def _declared(registry: Registry[Any], *keys: str) -> list[Item]:
    """What the registry's things declare under these keys, by name."""
    declarations: dict[str, Declaration] = registry.declarations()
    rows = []
    for name in sorted(declarations):
        attributes = declarations[name].attributes
        known = {key: attributes[key] for key in keys if attributes.get(key) is not None}
        if "presets" in known:  # by name, each with what it declares
            known["presets"] = tuple(known["presets"])
        rows.append({"name": name, **known, "summary": declarations[name].summary})
    return rows


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
