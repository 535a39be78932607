"""The command ``deep-em-bench``: each sub-command is the main function of one module."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from deep_em_bench import __version__

__all__ = ["main"]

COMMANDS = {
    "run": ("deep_em_bench.benchmarks.run", "run a suite: one record for every cell"),
    "report": ("deep_em_bench.reports.__main__", "tables, figures and the HTML page of records"),
    "check": ("deep_em_bench.benchmarks.check", "the regression gate"),
    "rescore": ("deep_em_bench.benchmarks.rescore", "new metrics from stored predictions"),
    "speed": ("deep_em_bench.benchmarks.speed.__main__", "a reference beside the fast path"),
    "prepare": ("deep_em_bench.datasets.prepare", "turn a large archive into a compact file"),
    "docs": ("deep_em_bench.reports.docs", "the tables of README.md and docs/, from the records"),
    "list": ("deep_em_bench.benchmarks.listing", "suites, methods, data sets, metrics"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command; its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else 2
    if words[0] == "--version":
        print(__version__)
        return 0
    if words[0] not in COMMANDS:
        from deep_em_bench.core import unknown_name

        print(f"error: {unknown_name('command', words[0], COMMANDS)}", file=sys.stderr)
        return 2
    module, _ = COMMANDS[words[0]]
    return import_module(module).main(words[1:])


def _usage() -> str:
    lines = [f"  {name:8}  {meaning}" for name, (_, meaning) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: deep-em-bench COMMAND [OPTIONS]",
            "",
            *lines,
            "",
            "COMMAND --help has the options.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
