"""The command that turns a large official archive into one compact file.

The archive is downloaded into the data root if it is missing, and its digest is compared. The
compact file is an .npz in the same root; the data set's loader reads it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deep_em_bench.core import ConfigError, unknown_name
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.npz import write_npz
from deep_em_bench.core.parser import CommandParser
from deep_em_bench.datasets import celeba, celeba_prepare, flowers
from deep_em_bench.datasets.base import data_root
from deep_em_bench.datasets.download import OfficialFile, obtain, verify_all

__all__ = ["PREPARATIONS", "Preparation", "main", "prepare"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How the compact file of a data set is made."""

    files: tuple[OfficialFile, ...]
    target: str
    """Path of the compact file below the data root."""
    arrays: Callable[..., Mapping[str, np.ndarray]]
    """Makes the compact file's arrays from the paths of ``files``, whose digests are verified.
    Raises ``DataError`` for a file that it cannot use."""


PREPARATIONS: dict[str, Preparation] = {
    "celeba": Preparation(
        files=(celeba_prepare.ATTRIBUTES_FILE,),
        target=celeba.FACES_FILE.path,
        arrays=celeba_prepare.compact_arrays,
    ),
    "flowers102": Preparation(
        files=flowers.OFFICIAL, target=flowers.COMPACT, arrays=flowers.compact_arrays
    ),
}


def prepare(name: str, *, data_dir: str | Path | None = None, force: bool = False) -> Path:
    """Make the compact file of the data set ``name`` if it is missing; return its path.

    With ``force`` it is made again. The file is written whole or not at all. Raises
    ``ConfigError`` for a data set that needs no preparation, and ``DataError`` for a file that
    cannot be downloaded or written, or is not the official one.
    """
    if name not in PREPARATIONS:
        raise ConfigError(unknown_name("data set to prepare", name, PREPARATIONS))
    chosen, root = PREPARATIONS[name], data_root(data_dir)
    target = root / chosen.target
    if target.exists() and not force:
        log.info("%s exists; --force makes it again", target)
        return target
    paths = [obtain(file, root) for file in chosen.files]
    log.info("verifying %s", ", ".join(map(str, paths)))
    verify_all(chosen.files, paths)
    log.info("making %s", target)
    write_npz(target, chosen.arrays(*paths))
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the path of the compact file; the exit status."""
    parser = CommandParser("prepare", description="Make the compact file of a data set.")
    parser.add_argument("name", choices=sorted(PREPARATIONS))
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="the data root")
    parser.add_argument("--force", action="store_true", help="make the file again")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)

    def run() -> int:
        print(prepare(chosen.name, data_dir=chosen.data_dir, force=chosen.force))
        return 0

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
