"""``python -m reports``: tables and figures of suites, from their records alone.

``python -m reports published`` prints the papers' own tables, with what is wrong with them.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from deep_em_bench import metrics
from deep_em_bench.core import UserError, unknown_name
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.parser import CommandParser
from deep_em_bench.reports.formats import FORMATS, INDEX
from deep_em_bench.reports.gathered import FEW, LARGE, MOST
from deep_em_bench.reports.produce import audit_files, index_file, suite_files
from deep_em_bench.reports.tables import printable
from deep_em_bench.results import RUNS, Record, Store, stores

__all__ = ["main"]

ALIKE = 5
"""Warnings of one kind that are printed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the reports; the exit status: 0, or 1 with one line on standard error."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, handlers=[warnings := _Warnings()])
    try:
        return guarded(lambda: _reported(options), prefix="reports")
    finally:
        warnings.summarise()


def _reported(options: argparse.Namespace) -> int:
    if options.what:
        audit_files(options.out, options.format or ["console"])
        return 0
    return _reports(options)


class _Warnings(logging.StreamHandler):
    """Warnings for the terminal: the first of each kind, and at the end how many more came."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self._counts[str(record.msg)] += 1
        if self._counts[str(record.msg)] <= ALIKE:
            super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        return printable(record.getMessage())

    def summarise(self) -> None:
        for kind, n in self._counts.items():
            if n > ALIKE:
                print(f"{n - ALIKE:,} more like: {kind.replace('%s', '…')}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "report",
        description="Comparison tables and figures of suites, made from their records alone.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=["published"],
        help="show the papers' own tables instead, with what each number measures and what is "
        "wrong with it; printed unless --format says otherwise",
    )
    parser.add_argument(
        "--suite", type=_name, help="whose records to report; default: all that have some"
    )
    parser.add_argument(
        "--profile", type=_name, help="only this profile; default: a table for each"
    )
    parser.add_argument(
        "--root", type=Path, default=RUNS, help="the folder of all suites' records (%(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("reports/out"), help="where files go (%(default)s)"
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        metavar="FORMAT",
        help="console (printed), csv, json, latex, figures (to OUT/SUITE, as PDF and PNG), page "
        "(index.html, with its figures); default: all of them",
    )
    parser.add_argument(
        "--metrics",
        type=_names,
        metavar="A,B",
        help="columns of the printed and the LaTeX table and panels of the figure with a point a "
        "run; csv and json hold all",
    )
    parser.add_argument(
        "--figures",
        type=_most,
        metavar="N",
        help=f"draw no more figures of a suite than this, or all; default: {MOST}, or {FEW} of a "
        f"suite with more than {LARGE:,} records",
    )
    parser.add_argument(
        "--mixed",
        action="store_true",
        help="report records of different code, metric or data versions together, and say so",
    )
    return parser


def _most(text: str) -> int:
    """0 stands for all."""
    if text == "all":
        return 0
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 1 nor all")
    return int(text)


def _name(text: str) -> str:
    if not text:  # as of a shell's variable that is not set
        raise argparse.ArgumentTypeError("'' names nothing; leave the option out for all")
    return text


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing; leave the option out for all")
    for name in names:
        if name not in metrics.names():
            raise argparse.ArgumentTypeError(unknown_name("metric", name, metrics.names()))
    return names


def _reports(options: argparse.Namespace) -> int:
    """Of the named suite, or of every one with records; one that fails spares the others."""
    formats = options.format or FORMATS
    if options.suite:
        (store,) = stores(options.suite, options.root)
        _report(options, store, indexed=(options.out / INDEX).is_file())
        return 0
    found = [store for store in stores(root=options.root) if store.keys()]
    if not found:
        raise UserError(
            f"no suite has records in {options.root}; "
            f"make some with: python -m benchmarks.run --suite digits_raw"
        )
    paged = "page" in formats
    listed: list[tuple[str, list[Record], str]] = []
    for i, store in enumerate(found):
        name = store.folder.name
        if "console" in formats:
            print("\n" * (2 if i else 0) + f"# {name}\n")
        try:
            listed.append((name, _report(options, store, indexed=paged), ""))
        except UserError as error:
            print(printable(f"reports: {name}: {error}"), file=sys.stderr)
            listed.append((name, list(store.load(history=False)), str(error)))
    if paged:
        from deep_em_bench.reports.page import Suite

        index_file(options.out, [Suite(name=n, records=r, problem=p) for n, r, p in listed])
    return int(any(problem for _, _, problem in listed))


def _report(options: argparse.Namespace, store: Store, *, indexed: bool) -> list[Record]:
    return suite_files(
        store,
        options.out,
        options.format or FORMATS,
        profile=options.profile,
        metrics=options.metrics,
        mixed=options.mixed,
        most=options.figures,
        indexed=indexed,
    )


if __name__ == "__main__":
    sys.exit(main())
