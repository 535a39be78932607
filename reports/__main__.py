"""``python -m reports``: tables and figures of suites, from their records alone.

``python -m reports published`` prints the papers' own tables, with what is wrong with them.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from deep_em_bench import datasets, methods, metrics
from deep_em_bench.core import UserError, unknown_name
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.parser import CommandParser
from deep_em_bench.reports.data.differences import Procedure
from deep_em_bench.reports.data.gathered import Choice, gathered
from deep_em_bench.reports.output import write
from deep_em_bench.reports.render.console import printable
from deep_em_bench.reports.report import FORMATS, INDEX, MOST, Report, published_files
from deep_em_bench.results import RUNS, Store, stores

__all__ = ["main"]

ALIKE = 5
"""Warnings of one kind that are printed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the reports; the exit status: 0, or 1 with one line on standard error."""
    options = _parser().parse_args(arguments)
    os.environ["MPLBACKEND"] = "agg"  # that of a notebook cannot be loaded here
    logging.basicConfig(level=logging.WARNING, handlers=[warnings := _Warnings()])
    try:
        return guarded(lambda: _reported(options), prefix="reports")
    finally:
        warnings.summarise()


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
    add = parser.add_argument
    add("what", nargs="?", choices=["published"], help="show the papers' own tables instead")
    add("--suite", type=_name, help="a suite, or the path of its file; default: all with records")
    add("--profile", type=_name, help="only this profile; default: tables for each")
    add("--methods", type=_names, metavar="A,B", help="rows by label, name or glob, as in 'gan*'")
    add("--datasets", type=_names, metavar="A,B", help="only these data sets, by name or glob")
    add("--metrics", type=_names, metavar="A,B", help="columns, and panels of the figures")
    add("--split", choices=["train", "test", "generation"], help="only this split")
    add("--against", type=_name, metavar="ROW", help="compare with this row, not with the best")
    add("--test", choices=["wilcoxon", "nemenyi"], default="wilcoxon", help="of all tables")
    add(
        "--rename", action="append", default=[], metavar="LABEL=NAME", help="print a row's name so"
    )
    add(
        "--plugin", action="append", default=[], type=Path, metavar="FILE.py", help="load it first"
    )
    add("--root", type=Path, default=RUNS, help="the folder of all suites' records (%(default)s)")
    add("--out", type=Path, default=Path("reports/out"), help="where files go (%(default)s)")
    add(
        "--format",
        nargs="+",
        choices=FORMATS,
        metavar="FORMAT",
        help=f"some of {', '.join(FORMATS)}; default: all",
    )
    add(
        "--figures", type=_most, metavar="N", help=f"no more than N figures, or all (up to {MOST})"
    )
    add("--mixed", action="store_true", help="show records of different versions together")
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


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing; leave the option out for all")
    return names


def _reported(options: argparse.Namespace) -> int:
    for path in options.plugin:
        for registry in (methods.registry, datasets.registry, metrics.registry):
            registry.load_plugin(path)
    if options.what:
        published_files(options.out, options.format or ["console"])
        return 0
    formats = options.format or FORMATS
    choice = _choice(options)
    if options.suite:
        name, rows = _suite(options.suite)
        (store,) = stores(name, options.root)
        _report(options, store, choice, rows, indexed=(options.out / INDEX).is_file())
        return 0
    return _all(options, choice, formats)


def _choice(options: argparse.Namespace) -> Choice:
    for name in options.metrics or ():
        if name not in metrics.names():
            raise UserError(unknown_name("metric", name, metrics.names()))
    rename = {}
    for text in options.rename:
        label, sign, title = text.rpartition("=")
        if not (sign and label and title):
            raise UserError(
                f"--rename {text!r}: expected LABEL=NAME, as in 'gan_em[stable]=GAN-EM'"
            )
        rename[label] = title
    return Choice(
        profile=options.profile,
        methods=options.methods or (),
        datasets=options.datasets or (),
        metrics=options.metrics or (),
        split=options.split,
        rename=rename,
        procedure=Procedure(test=options.test, against=options.against),
        mixed=options.mixed,
    )


def _suite(name: str) -> tuple[str, list[str] | None]:
    """The folder of a suite's records, and the labels of its rows where its file is known."""
    from deep_em_bench.benchmarks.suite import Suite, suite_files

    if not name.endswith(".toml") and name not in suite_files():
        return name, None
    suite = Suite.find(name)
    labels = []
    for row in suite.methods:
        declared = methods.registry.declarations().get(row.name)
        presets = list(declared.attributes.get("presets", ())) if declared else []
        default = "stable" if "stable" in presets else next(iter(presets), None)
        preset = row.preset or default
        if row.label is None and preset is None:
            return suite.name, None  # of a plugin that is not loaded
        labels.append(row.label or f"{row.name}[{preset}]")
    return suite.name, labels


def _all(options: argparse.Namespace, choice: Choice, formats: Sequence[str]) -> int:
    """Of every suite with records; one that fails spares the others."""
    from deep_em_bench.reports.render.page import Listed, index_page, listed

    found = [store for store in stores(root=options.root) if store.keys()]
    if not found:
        raise UserError(
            f"no suite has records in {options.root}; "
            f"make some with: python -m benchmarks.run --suite digits_raw"
        )
    paged = "page" in formats
    lines: list[Listed] = []
    for i, store in enumerate(found):
        name = store.folder.name
        if "console" in formats:
            print("\n" * (2 if i else 0) + f"# {name}\n")
        try:
            rows = _suite(name)[1]
            lines.append(listed(_report(options, store, choice, rows, indexed=paged).data))
        except UserError as error:
            print(printable(f"reports: {name}: {error}"), file=sys.stderr)
            lines.append(Listed(name=name, problem=str(error)))
    if paged:
        write(options.out, {INDEX: index_page(lines)})
    return int(any(line.problem for line in lines))


def _report(
    options: argparse.Namespace,
    store: Store,
    choice: Choice,
    rows: Sequence[str] | None,
    *,
    indexed: bool,
) -> Report:
    data = gathered(store, choice, rows=rows)
    report = Report(data=data, most=options.figures, indexed=indexed)
    formats = options.format or FORMATS
    if "console" in formats:
        report.print()
    report.write(options.out, formats)
    return report


if __name__ == "__main__":
    sys.exit(main())
