"""``python -m reports --suite NAME``: tables and figures of a suite, from its records alone."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import metrics
from core import UserError, unknown_name
from results import RUNS, stores

__all__ = ["main"]

FORMATS = ("console", "csv", "json", "latex", "figures")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the reports; the exit status: 0, or 1 with one line on standard error."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        _report(options)
    except UserError as error:
        print(f"reports: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Comparison tables and figures of a suite, made from its records alone.",
    )
    parser.add_argument("--suite", required=True, help="whose records to report")
    parser.add_argument("--profile", help="only this profile; default: a table for each")
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
        default=list(FORMATS),
        metavar="FORMAT",
        help="console (printed), csv, json, latex, figures (to OUT/SUITE, as PDF and PNG); "
        "default: all of them",
    )
    parser.add_argument(
        "--metrics",
        type=_names,
        metavar="A,B",
        help="columns of the printed and the LaTeX table and panels of the figure with a point a "
        "run; csv and json hold all",
    )
    parser.add_argument(
        "--mixed",
        action="store_true",
        help="report records of different code, metric or data versions together, and say so",
    )
    return parser


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in metrics.names():
            raise argparse.ArgumentTypeError(unknown_name("metric", name, metrics.names()))
    return names


def _report(options: argparse.Namespace) -> None:
    from reports import clusters, latex, tables
    from reports.summary import summarise

    (store,) = stores(options.suite, options.root)
    records = list(store.load(history=False))
    if not records:
        raise UserError(
            f"suite {options.suite!r} has no readable records in {store.folder}; "
            f"make them with: python -m benchmarks.run --suite {options.suite}"
        )
    blocks = summarise(records, profile=options.profile, mixed=options.mixed)
    shown = options.metrics or tables.shown_metrics(blocks)
    known = tables.measured(blocks)
    absent = [name for name in shown if name not in known]
    if absent:
        raise UserError(
            f"no record of suite {options.suite!r} has {', '.join(absent)}; "
            f"there are: {', '.join(known) or 'no metrics at all'}"
        )
    if "console" in options.format:
        print(tables.console(blocks, shown))
    files: dict[str, str] = {}
    if "csv" in options.format:
        files["table.csv"] = tables.to_csv(blocks)
    if "json" in options.format:
        files["table.json"] = tables.to_json(blocks)
    if "latex" in options.format:
        compared = latex.comparison(blocks, shown)
        by_cluster = clusters.cluster_tables(blocks, store)
        files["table.tex"] = latex.fragment(compared)
        files["clusters.tex"] = latex.fragment(by_cluster)
        files["table_standalone.tex"] = latex.standalone(compared, by_cluster)
    folder = options.out / options.suite
    _write(folder, files, ", ".join(files))
    if "figures" in options.format:
        from reports.figures import figures  # matplotlib, which tables do without

        drawn = figures(blocks, store, options.metrics)
        _write(folder, drawn, f"{len(drawn) // 2} figures (PDF and PNG)")


def _write(folder: Path, files: Mapping[str, str | bytes], said: str) -> None:
    try:
        for name, content in files.items():
            folder.mkdir(parents=True, exist_ok=True)
            held = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(held)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror}; free some space or give another --out"
        ) from error
    if files:
        print(f"wrote {said} to {folder}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
