"""The command: run a suite, or say what there is to run.

Data goes to standard output, progress and errors to standard error. Exit status: 0 all cells are
ok, 1 a cell failed or nothing could be run, 2 the command line is wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.options import guarded, load_plugins, patterns, run_parser, setting_from

if TYPE_CHECKING:
    from benchmarks.engine import Backend, Done
    from benchmarks.job import Setting
    from benchmarks.plan import Cell

__all__ = ["main", "work"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = run_parser()
    chosen = parser.parse_args(arguments)
    if chosen.suite is None and chosen.list is None:
        parser.error("say what to run with --suite, or what to list with --list")
    return guarded(lambda: _run(chosen) if chosen.list is None else _list(chosen))


def _list(chosen: argparse.Namespace) -> int:
    from benchmarks.listing import KINDS, listed, rendered

    load_plugins(chosen.plugin)
    print(rendered(listed([chosen.list] if chosen.list else KINDS), chosen.format))
    return 0


def _run(chosen: argparse.Namespace) -> int:
    from benchmarks import engine
    from benchmarks.plan import Selection, plan
    from benchmarks.suite import Suite
    from results.store import Store

    load_plugins(chosen.plugin)
    suite = Suite.find(chosen.suite)
    selection = Selection(
        methods=patterns(chosen.methods),
        datasets=patterns(chosen.datasets),
        seeds=chosen.seeds,
        overrides=tuple(chosen.set),
        shard=chosen.cells,
    )
    cells = plan(suite, chosen.profile, selection)
    folder = chosen.out / suite.name
    done = engine.done(cells, Store(folder))
    rerun = "all" if chosen.force else "failed" if chosen.retry_failed else "none"
    todo = engine.pending(cells, done, rerun)
    if chosen.dry_run:
        _print_plan(cells, todo, done)
        return 0
    counts: Mapping[str, int] = {}
    if todo:
        setting = setting_from(chosen, suite.name, folder)
        counts = work(todo, setting, backend=chosen.backend, scheduler=chosen.scheduler)
    left = {cell.key for cell in cells} - {cell.key for cell in todo}
    return _summary(folder, counts, [done[key] for key in left])


def _print_plan(cells: Sequence[Cell], todo: Sequence[Cell], done: Mapping[str, Done]) -> None:
    from benchmarks.progress import name_of

    name, waiting = name_of(cells), {cell.key for cell in todo}
    for cell in cells:
        state = "pending" if cell.key in waiting else f"cached {done[cell.key].status}"
        print(f"{cell.key[:12]}  {state:15}  {name(cell)}")


def work(
    cells: Sequence[Cell],
    setting: Setting,
    *,
    backend: Backend = "loky",
    scheduler: str | None = None,
) -> Counter[str]:
    """Run the cells and show it on standard error; how many ended how."""
    from benchmarks import engine
    from benchmarks.progress import Bars, Lines

    counts: Counter[str] = Counter()
    shown = (Bars if sys.stderr.isatty() else Lines)(cells, sys.stderr)
    watched = shown.row if setting.watch else None
    outcomes = engine.run(cells, setting, backend=backend, scheduler=scheduler, on_row=watched)
    with contextlib.closing(outcomes), shown:
        for outcome in outcomes:
            counts[outcome.status] += 1
            shown.finished(outcome)
    return counts


def _summary(folder: Path, counts: Mapping[str, int], left: Sequence[Done]) -> int:
    """Say how it went in all; the exit status."""
    parts = [f"{count} {status}" for status, count in counts.items()]
    said = ", ".join(parts) or "nothing to do"
    print(f"{said}; {len(left)} finished before; in {folder}", file=sys.stderr)
    bad = sum(item.status != "ok" for item in left)
    if bad:
        print(f"{bad} failed before: --retry-failed runs them again", file=sys.stderr)
    stale = sum(not item.same_code for item in left)
    if stale:
        print(f"{stale} were made by other code than now: --force runs all again", file=sys.stderr)
    return int(bad > 0 or any(status != "ok" for status in counts))


if __name__ == "__main__":
    sys.exit(main())
