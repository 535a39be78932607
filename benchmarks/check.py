"""The regression gate: a small suite's median scores must stay within stored bands.

Another processor rounds differently, and a GAN amplifies that: hence bands, not equality;
:func:`bands_of` says how wide. Data sets without their files are skipped with a message.

Exit status: 0 within all bands; 1 outside one, an extra or missing row, or a failed cell; 2 usage.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deep_em_bench.benchmarks.options import add_common, load_plugins, setting_from
from deep_em_bench.core import ConfigError, DataError, UserError
from deep_em_bench.core.files import claim_folder, temporary_beside
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.parser import CommandParser

if TYPE_CHECKING:
    from deep_em_bench.benchmarks.bands import Bands, Values
    from deep_em_bench.benchmarks.engine.job import Setting
    from deep_em_bench.benchmarks.plan import Cell
    from deep_em_bench.benchmarks.suite import Suite

__all__ = ["main"]

BASELINES = Path(__file__).with_name("baselines")
PROFILE = "tiny"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate; its exit status."""
    parser = CommandParser("check", description="Compare a suite's scores with its bands.")
    add_common(parser, suite_required=True)
    parser.add_argument("--baseline", type=Path, metavar="FILE.toml", help="the bands")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--update-baseline", action="store_true", help="write the bands instead of comparing"
    )
    instead.add_argument(
        "--widen-baseline",
        action="store_true",
        help="let the bands hold what another processor measures, too",
    )
    chosen = parser.parse_args(arguments)
    return guarded(lambda: _check(chosen))


def _check(chosen: argparse.Namespace) -> int:
    from deep_em_bench.benchmarks import bands
    from deep_em_bench.benchmarks.suite import Suite

    load_plugins(chosen.plugin)
    suite = Suite.find(chosen.suite)
    path = chosen.baseline or BASELINES / f"{suite.name}.toml"
    known = _known(path, anew=chosen.update_baseline)
    if chosen.update_baseline or chosen.widen_baseline:
        with _replacement(path) as part:  # before minutes are spent on measuring
            part.touch()
    with tempfile.TemporaryDirectory(prefix="deep-em-bench-") as folder:
        claim_folder(Path(folder))
        measured = _measured(suite, setting_from(chosen, suite.name, Path(folder)))
    if measured is None:
        return 1
    values, absent = measured
    skipped = {row: band for row, band in known.items() if row.dataset in absent}
    if chosen.update_baseline:
        _write(path, suite, {**bands.bands_of(values), **skipped})
        return 0
    if chosen.widen_baseline:
        _write(path, suite, bands.widened(known, values))
        return 0
    wrong = bands.outside(values, {row: known[row] for row in known.keys() - skipped.keys()})
    for sentence in wrong:
        print(sentence)
    print(
        f"{len(values)} rows measured, {len(skipped)} skipped, {len(wrong)} values off {path}",
        file=sys.stderr,
    )
    return int(bool(wrong))


def _known(path: Path, *, anew: bool) -> Bands:
    """The bands in the file; none where it is of no use and written anew."""
    from deep_em_bench.benchmarks import bands

    try:
        return bands.read(path)
    except ConfigError:
        if not anew:
            raise
        return {}


def _measured(suite: Suite, setting: Setting) -> tuple[Values, set[str]] | None:
    """What the suite scores, and the titles of the data sets that are not there.

    None, after saying why, where a cell failed.
    """
    from deep_em_bench.benchmarks import bands
    from deep_em_bench.benchmarks.engine.progress import work
    from deep_em_bench.benchmarks.plan import plan
    from deep_em_bench.results.store import Store

    cells, absent = _by_presence(plan(suite, PROFILE), setting)
    if not cells:
        raise DataError(f"suite {suite.name} has no data set whose files are here; get some")
    work(cells, setting)
    ended = [(cell, Store(setting.folder).read(cell.key)) for cell in cells]
    failed = [record for _, record in ended if record.error]
    for record in failed:
        assert record.error is not None
        print(
            f"{record.dataset.title} · {record.label} · seed {record.seed}: {record.status}: "
            f"{record.error.type}: {record.error.message}\n{record.error.traceback}"
        )
    return None if failed else (bands.values_of(ended), absent)


def _by_presence(cells: Sequence[Cell], setting: Setting) -> tuple[list[Cell], set[str]]:
    """The cells whose data are there, and the titles of the data sets that are not."""
    from deep_em_bench.benchmarks.bands import title
    from deep_em_bench.benchmarks.engine.engine import look_at

    absent: set[str] = set()
    for cell in {title(cell.dataset): cell for cell in cells}.values():
        try:
            look_at([cell], setting)
        except DataError as error:
            print(f"skipped {title(cell.dataset)}: {error}", file=sys.stderr)
            absent.add(title(cell.dataset))
    return [cell for cell in cells if title(cell.dataset) not in absent], absent


def _write(path: Path, suite: Suite, new: Bands) -> None:
    from deep_em_bench.benchmarks.bands import text

    heading = (
        f"What suite {suite.name} scores in profile {PROFILE}, by `python -m benchmarks.check\n"
        f"--suite {suite.name} --update-baseline`, and --widen-baseline on other processors;\n"
        f"benchmarks/bands.py says how wide a band is."
    )
    with _replacement(path) as part:
        part.write_text(text(new, heading), encoding="utf-8")
        os.replace(part, path)
    print(f"{len(new)} rows written to {path}", file=sys.stderr)


@contextlib.contextmanager
def _replacement(path: Path) -> Iterator[Path]:
    """A name for what will replace the file; raises :class:`UserError` if it cannot be."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with temporary_beside(path) as part:
            yield part
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; permit it, or give another --baseline"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
