"""The command that runs a suite.

Data goes to standard output, progress and errors to standard error. Exit status: 0 all cells are
ok, 1 a cell failed or nothing could be run, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from deep_em_bench.benchmarks.listing import print_list
from deep_em_bench.benchmarks.options import (
    KINDS,
    load_plugins,
    refuse_unused,
    run_parser,
    setting_from,
)
from deep_em_bench.core import DataError
from deep_em_bench.core.guard import guarded

if TYPE_CHECKING:
    from deep_em_bench.benchmarks.engine.engine import Done
    from deep_em_bench.benchmarks.engine.schedule import Times
    from deep_em_bench.benchmarks.plan import Cell
    from deep_em_bench.results.store import Store

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = run_parser()
    options = parser.parse_args(arguments)
    refuse_unused(parser, options)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # Downloads and features take minutes.
    logging.getLogger("deep_em_bench.datasets").setLevel(logging.INFO)
    if options.list is not None:
        return guarded(lambda: _list(options))
    if options.replay is not None:
        return guarded(lambda: _replay(options))
    if options.suite is None:
        parser.error("nothing to do; give one of --suite, --replay and --list")
    return guarded(lambda: _run(options))


def _list(options: argparse.Namespace) -> int:
    load_plugins(options.plugin)
    print_list([options.list] if options.list else KINDS, options.format)
    return 0


def _replay(options: argparse.Namespace) -> int:
    from deep_em_bench.benchmarks.replay import replay

    load_plugins(options.plugin)
    return replay(options)


def _run(options: argparse.Namespace) -> int:
    from deep_em_bench.benchmarks.engine import engine
    from deep_em_bench.benchmarks.engine.progress import work
    from deep_em_bench.benchmarks.pairing import refuse_other_data, unpaired
    from deep_em_bench.benchmarks.plan import Selection, plan
    from deep_em_bench.benchmarks.suite import Suite
    from deep_em_bench.results.store import Store

    load_plugins(options.plugin)
    suite = Suite.find(options.suite)
    selection = Selection(
        methods=tuple(chain(*options.methods)),
        datasets=tuple(chain(*options.datasets)),
        seeds=options.seeds,
        overrides=tuple(options.set),
        shard=options.cells,
    )
    cells = plan(suite, options.profile, selection)
    folder = options.out / suite.name
    setting = setting_from(options, suite.name, folder)
    store = Store(folder)
    rerun = "all" if options.force else "failed" if options.retry_failed else "none"
    done = engine.done(cells, store, rerun)
    todo = engine.pending(cells, done, rerun)
    times = _times(cells, done, store) if todo else None
    waiting = {cell.key for cell in todo}
    left = {key: item for key, item in done.items() if key not in waiting}
    if options.dry_run:
        _print_plan(cells, todo, done)
        _print_expected(todo, len(cells) - len(todo), times, options.jobs)
        return 0
    counts: Mapping[str, int] = {}
    if todo:
        refuse_other_data(store, todo, device=setting.device, data_dir=setting.data_dir)
        store.sweep()
        workers = {"backend": options.backend, "scheduler": options.scheduler}
        counts = work(todo, setting, **workers, times=times)
        done = engine.done(cells, store, "all")
    status = _summary(store, cells, counts, left)
    digests = {key: item.data_digest for key, item in done.items()}
    if sentence := unpaired(digests, cells):
        print(sentence, file=sys.stderr)
    return status


def _print_plan(cells: Sequence[Cell], todo: Sequence[Cell], done: Mapping[str, Done]) -> None:
    from deep_em_bench.benchmarks.engine.progress import name_of

    name, waiting = name_of(cells), {cell.key for cell in todo}
    for cell in cells:
        state = "pending" if cell.key in waiting else f"cached {done[cell.key].status}"
        print(f"{cell.key[:12]}  {state:15}  {name(cell)}")


def _times(cells: Sequence[Cell], done: Mapping[str, Done], store: Store) -> Times:
    """What the records of the suite's folder say of how long cells take."""
    from deep_em_bench.benchmarks.engine.schedule import Times, kind_of

    times, planned = Times(), set()
    for cell in cells:
        planned.add(cell.key)
        if cell.key in done:
            times.learn(kind_of(cell), done[cell.key].seconds)
    for key in set(store.keys()) - planned:
        with contextlib.suppress(DataError):  # no cell of this run: whoever reads it is warned
            times.learn_from(store.read(key, history=False))
    return times


def _print_expected(todo: Sequence[Cell], cached: int, times: Times | None, jobs: int) -> None:
    from deep_em_bench.benchmarks.engine.progress import span
    from deep_em_bench.benchmarks.engine.schedule import kinds

    text = f"{cached} cached, {len(todo)} pending"
    work = times.work(kinds(todo)) if times else None
    left = times.left(kinds(todo), jobs) if times else None
    if work is not None and left is not None:
        text += f", about {work / 3600:.2g} h of work: {span(left)} with --jobs {jobs}"
    elif todo:
        text += ", nothing is known yet of how long they take"
    print(text, file=sys.stderr)


def _summary(
    store: Store, cells: Sequence[Cell], counts: Mapping[str, int], left: Mapping[str, Done]
) -> int:
    """Print what came of all cells; the exit status. ``left`` were finished before."""
    parts = [f"{count} {status}" for status, count in counts.items()]
    ended = ", ".join(parts) or "nothing to do"
    print(f"{ended}; {len(left)} finished before; in {store.folder}", file=sys.stderr)
    failed = sum(item.status != "ok" for item in left.values())
    if failed:
        print(f"{failed} failed before: --retry-failed runs them again", file=sys.stderr)
    stale = {cell.label: 0 for cell in cells if cell.key in left and left[cell.key].stale}
    if stale:
        print(
            f"another version of the method or its plugin made {', '.join(stale)}: --force runs "
            f"all again",
            file=sys.stderr,
        )
    return int(failed > 0 or any(status != "ok" for status in counts))


if __name__ == "__main__":
    sys.exit(main())
