"""Big official archives, turned once into compact files: ``python -m datasets.prepare NAME``.

The archive is downloaded into the data root unless it is there, compared with its pinned digest,
and turned into one .npz in the same root, which the loader of the data set reads.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deep_em_bench.core import ConfigError, UserError, unknown_name
from deep_em_bench.core.npz import write_npz
from deep_em_bench.datasets import celeba, celeba_prepare, flowers
from deep_em_bench.datasets.base import data_root
from deep_em_bench.datasets.download import OfficialFile, obtain, verify

__all__ = ["PREPARATIONS", "Preparation", "main", "prepare"]

INTERRUPTED = 130

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How one data set is turned into its compact file."""

    files: tuple[OfficialFile, ...]
    target: str
    """The compact file's place below the data root."""
    arrays: Callable[..., Mapping[str, np.ndarray]]
    """Called with the paths of ``files``, in their order, once their digests are known to be the
    pinned ones; gives the compact file's arrays. Raises ``DataError`` for what it cannot use."""


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
    """The path of the compact file of ``name``, made first unless it is there.

    With ``force`` it is made anew. It is written whole or not at all. Raises ``ConfigError`` for a
    data set that needs no preparation, ``DataError`` for a file that is missing and cannot be
    downloaded, is not the official one, or cannot be written.
    """
    if name not in PREPARATIONS:
        raise ConfigError(unknown_name("data set to prepare", name, PREPARATIONS))
    chosen, root = PREPARATIONS[name], data_root(data_dir)
    target = root / chosen.target
    if target.exists() and not force:
        log.info("%s is there; --force makes it anew", target)
        return target
    paths = [obtain(file, root) for file in chosen.files]
    for file, path in zip(chosen.files, paths, strict=True):
        log.info("comparing %s with its digest", path)
        verify(file, path)
    log.info("making %s", target)
    write_npz(target, chosen.arrays(*paths))
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the path of the compact file; 0, or 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m datasets.prepare", description=__doc__)
    parser.add_argument("name", choices=sorted(PREPARATIONS))
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="the data root")
    parser.add_argument("--force", action="store_true", help="make the compact file anew")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        print(prepare(chosen.name, data_dir=chosen.data_dir, force=chosen.force))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was changed", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
