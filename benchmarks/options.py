"""What the commands of this package share: options and plugins."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deep_em_bench.benchmarks.listing import KINDS
from deep_em_bench.benchmarks.suite import PROFILES
from deep_em_bench.core import ConfigError
from deep_em_bench.results import RUNS

if TYPE_CHECKING:
    from deep_em_bench.benchmarks.engine.job import Setting

__all__ = [
    "add_common",
    "count",
    "load_plugins",
    "refuse_unused",
    "run_parser",
    "setting_from",
]

PRECISIONS = ("fp32", "tf32", "bf16")
"""Those of :data:`Precision`, which cannot be asked for them without torch."""

NOT_REPLAYED = (
    *("suite", "profile", "methods", "datasets", "seeds", "set", "cells", "jobs"),
    *("backend", "scheduler", "retry_failed", "force", "dry_run", "out"),
)
"""Options that choose among the cells of a suite, or say how several are run."""


def load_plugins(paths: Iterable[Path]) -> None:
    """Import the files; what they register is then known by name."""
    for path in paths:
        from deep_em_bench.methods import (
            registry,  # any registry will do: it is the decorators that register
        )

        registry.load_plugin(path)


def setting_from(chosen: argparse.Namespace, suite: str, folder: Path) -> Setting:
    """How cells are run, by the options.

    Raises :class:`ConfigError` for a device or a file of weights that is not there.
    """
    from deep_em_bench.benchmarks.engine.job import Setting

    here = getattr(chosen, "backend", "loky") == "loky"
    # On a cluster it is the workers' machines that count: there each cell finds out for itself.
    if here and chosen.device not in ("auto", "cpu"):
        from deep_em_bench.methods.neural import resolve_device

        resolve_device(chosen.device)
    weights = chosen.inception_weights
    if here and weights and not weights.is_file():
        raise ConfigError(
            f"there is no file {weights}; give --inception-weights the path of the weights' file"
        )
    return Setting(
        suite=suite,
        folder=folder.absolute(),
        data_dir=chosen.data_dir and chosen.data_dir.absolute(),
        device=chosen.device,
        precision=chosen.precision,
        compile=chosen.compile,
        threads=chosen.threads,
        jobs=chosen.jobs,
        timeout=chosen.timeout,
        max_memory=chosen.max_memory,
        plugins=tuple(path.absolute() for path in chosen.plugin),
        inception_weights=weights and weights.absolute(),
        watch=here and chosen.jobs == 1 and sys.stderr.isatty(),
    )


def run_parser() -> argparse.ArgumentParser:
    """Of :mod:`benchmarks.run`; a value that cannot be read is a usage error (status 2)."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description="Run a suite: every cell to one record."
    )
    add_common(made, suite_required=False)
    add = made.add_argument
    add("--profile", choices=PROFILES, default="quick", help="the budget (default: quick)")
    globs: dict[str, Any] = {"type": _read_globs, "nargs": "+", "action": "extend", "default": []}
    add("--methods", **globs, metavar="GLOB", help="rows by label or method name")
    add("--datasets", **globs, metavar="GLOB", help="data sets by name")
    add("--seeds", type=_read_seeds, help="0-9 or 1,3,5, in place of the suite's")
    add("--set", type=_read_override, action="append", default=[], metavar="METHOD.PARAM=VALUE")
    add("--cells", type=_read_shard, default=(1, 1), metavar="I/N", help="the I-th of N parts")
    add("--backend", choices=("loky", "dask"), default="loky")
    add("--scheduler", metavar="ADDRESS", help="of the dask cluster; default: one started here")
    add("--retry-failed", action="store_true", help="run again what did not end well")
    add("--force", action="store_true", help="run everything again")
    add("--dry-run", action="store_true", help="print the cells, cached or pending, and the hours")
    add("--replay", type=Path, metavar="FILE.json", help="run a record's cell again and compare")
    add("--list", nargs="?", const="", choices=("", *KINDS), metavar="|".join(KINDS))
    add("--out", type=Path, default=RUNS, metavar="DIR", help=f"for records (default: {RUNS})")
    add("--format", choices=("table", "json"), default="table", help="of --list")
    return made


def refuse_unused(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    """End with a usage error for what is said of a run and would be ignored."""
    if chosen.scheduler is not None and chosen.backend != "dask":
        parser.error("--scheduler is of a dask cluster; give --backend dask, too")
    for name in NOT_REPLAYED if chosen.replay is not None else ():
        if getattr(chosen, name) != parser.get_default(name):
            parser.error(
                f"--{name.replace('_', '-')} does not go with --replay, which runs the one cell "
                f"of its record; leave one of them out"
            )


def add_common(made: argparse.ArgumentParser, *, suite_required: bool) -> None:
    """The options that say what is run on, and how."""
    add = made.add_argument
    add("--suite", required=suite_required, help="a name, or the path of a .toml file")
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
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _read_globs(text: str) -> list[str]:
    """The globs of one word: those of ``--methods a b`` are also said by ``--methods a,b``."""
    found = [glob for glob in text.split(",") if glob]
    if not found:  # as of a shell's variable that is not set: to run all then would be a surprise
        raise argparse.ArgumentTypeError(f"{text!r} names nothing; leave the option out for all")
    return found


def _read(name: str) -> Callable[[str], Any]:
    """A reader of :mod:`benchmarks.plan` whose errors are usage errors."""

    def read(text: str) -> Any:
        from deep_em_bench.benchmarks import plan  # not needed for a listing

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
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return value
