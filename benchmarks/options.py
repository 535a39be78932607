"""What the commands of this package share: options and plugins."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deep_em_bench.benchmarks.suite import PROFILES
from deep_em_bench.core import ConfigError
from deep_em_bench.core.parser import CommandParser
from deep_em_bench.results import RUNS

if TYPE_CHECKING:
    from deep_em_bench.benchmarks.engine.job import Setting

__all__ = [
    "KINDS",
    "add_common",
    "count",
    "load_plugins",
    "refuse_unused",
    "run_parser",
    "setting_from",
]

KINDS = {"suites": "suite", "methods": "method", "datasets": "data set", "metrics": "metric"}
"""What can be listed, each with the name of one of them."""

PRECISIONS = ("fp32", "tf32", "bf16")
"""Those of :data:`Precision`, which is not imported because it needs torch."""

NOT_REPLAYED = (
    *("suite", "profile", "methods", "datasets", "seeds", "set", "cells", "jobs"),
    *("backend", "scheduler", "retry_failed", "force", "dry_run", "out"),
)
"""Options that select cells of a suite, or say how several cells are run."""


def load_plugins(paths: Iterable[Path]) -> None:
    """Import the files; what they register is then known by name."""
    for path in paths:
        from deep_em_bench.methods import registry  # any registry: decorators do the registering

        registry.load_plugin(path)


def setting_from(options: argparse.Namespace, suite: str, folder: Path) -> Setting:
    """How cells are run, from the options.

    Raises :class:`ConfigError` for a device that cannot be used or a missing file of weights.
    """
    from deep_em_bench.benchmarks.engine.job import Setting

    local = getattr(options, "backend", "loky") == "loky"
    # On a cluster the workers' machines matter: each cell checks its device there.
    if local and options.device not in ("auto", "cpu"):
        from deep_em_bench.methods.nets.runtime import resolve_device

        resolve_device(options.device)
    weights = options.inception_weights
    if local and weights and not weights.is_file():
        raise ConfigError(
            f"there is no file {weights}; give --inception-weights the path of the weights' file"
        )
    return Setting(
        suite=suite,
        folder=folder.absolute(),
        data_dir=options.data_dir and options.data_dir.absolute(),
        device=options.device,
        precision=options.precision,
        compile=options.compile,
        threads=options.threads,
        jobs=options.jobs,
        timeout=options.timeout,
        max_memory=options.max_memory,
        plugins=tuple(path.absolute() for path in options.plugin),
        inception_weights=weights and weights.absolute(),
        watch=local and options.jobs == 1 and sys.stderr is not None and sys.stderr.isatty(),
    )


def run_parser() -> CommandParser:
    """The parser of :mod:`benchmarks.run`; a value that cannot be read is a usage error."""
    parser = CommandParser("run", description="Run a suite: one record for every cell.")
    add_common(parser, suite_required=False)
    add = parser.add_argument
    add("--profile", choices=PROFILES, default="quick", help="the budget (default: quick)")
    globs: dict[str, Any] = {"type": _read_globs, "nargs": "+", "action": "extend", "default": []}
    add("--methods", **globs, metavar="GLOB", help="rows by label or method name")
    add("--datasets", **globs, metavar="GLOB", help="data sets by name")
    add("--seeds", type=_read_seeds, help="0-9 or 1,3,5, in place of the suite's")
    add("--set", type=_read_override, action="append", default=[], metavar="METHOD.PARAM=VALUE")
    add("--cells", type=_read_shard, default=(1, 1), metavar="I/N", help="the I-th of N parts")
    add("--backend", choices=("loky", "dask"), default="loky")
    add("--scheduler", metavar="ADDRESS", help="of a dask cluster; default: start one here")
    add("--retry-failed", action="store_true", help="run cells again whose record is not ok")
    add("--force", action="store_true", help="run all cells again")
    add("--dry-run", action="store_true", help="print the cells, cached or pending, and the hours")
    add("--replay", type=Path, metavar="FILE.json", help="run a record's cell again and compare")
    add("--list", nargs="?", const="", choices=("", *KINDS), metavar="|".join(KINDS))
    add("--out", type=Path, default=RUNS, metavar="DIR", help=f"for records (default: {RUNS})")
    add("--format", choices=("table", "json"), default="table", help="of --list")
    return parser


def refuse_unused(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Exit with a usage error where an option would have no effect."""
    if options.scheduler is not None and options.backend != "dask":
        parser.error("--scheduler is for a dask cluster; add --backend dask")
    for name in NOT_REPLAYED if options.replay is not None else ():
        if getattr(options, name) != parser.get_default(name):
            parser.error(
                f"--{name.replace('_', '-')} and --replay exclude each other: a replay runs the "
                f"one cell of its record; leave one of them out"
            )


def add_common(parser: argparse.ArgumentParser, *, suite_required: bool) -> None:
    """Add the options that say on what cells run, and how."""
    add = parser.add_argument
    add(
        "--suite",
        type=_read_name,
        required=suite_required,
        help="a name, or the path of a .toml file",
    )
    add("--jobs", type=count, default=1, metavar="N", help="cells at a time; not with dask")
    add("--threads", type=count, metavar="N", help="of a cell; default: all cores, 1 with --jobs")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    add("--precision", choices=PRECISIONS, help="of the nets")
    add(
        "--compile",
        action="store_true",
        help="updates as CUDA graphs on a GPU, else nets by torch.compile",
    )
    add("--timeout", type=_positive, metavar="S", help="seconds a cell may take")
    add("--max-memory", type=_positive, metavar="MIB", help="memory a cell may hold, in MiB")
    add("--data-dir", type=Path, metavar="DIR", help="the data root")
    add("--inception-weights", type=Path, metavar="FILE", help="for FID as it is usually given")
    add("--plugin", type=Path, action="append", default=[], metavar="FILE.py")


def count(text: str) -> int:
    """A whole number of at least 1; any other text is a usage error."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _read_name(text: str) -> str:
    if not Path(text).stem.isprintable():  # records hold the name, and terminals print it
        raise argparse.ArgumentTypeError(f"{text!r} is not printable UTF-8 text; rename the file")
    return text


def _read_globs(text: str) -> list[str]:
    """The globs of one word: ``--methods a b`` and ``--methods a,b`` mean the same."""
    globs = [glob for glob in text.split(",") if glob]
    if not globs:  # an unset variable of the shell must not select everything
        raise argparse.ArgumentTypeError(f"{text!r} names nothing; leave the option out for all")
    return globs


def _read(name: str) -> Callable[[str], Any]:
    """A reader of :mod:`benchmarks.plan` whose errors are usage errors."""

    def read(text: str) -> Any:
        from deep_em_bench.benchmarks import plan  # a list does not need it

        try:
            return getattr(plan, name)(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


_read_seeds = _read("parse_seeds")
_read_override = _read("parse_override")
_read_shard = _read("parse_shard")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value
