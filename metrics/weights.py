"""Weights of feature nets: checked when read, identified by content, kept after training.

Weights are arrays by name; this module does not import torch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_em_bench.core import DataError
from deep_em_bench.core.files import temporary_beside
from deep_em_bench.core.npz import read_npz

__all__ = ["Arrays", "content_sha256", "kept", "read_weights", "weights_sha256"]

Arrays = Mapping[str, np.ndarray]

log = logging.getLogger(__name__)


def content_sha256(*parts: np.ndarray | str) -> str:
    """Digest (hex) of arrays, with their types and shapes, and of strings, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
        else:
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        digest.update(b"\0")
    return digest.hexdigest()


def weights_sha256(arrays: Arrays) -> str:
    """Digest (hex) of a net's weights, whatever the file."""
    return content_sha256(*(part for name in sorted(arrays) for part in (name, arrays[name])))


def read_weights(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Finite float32 arrays of an .npz by name and shape; other arrays are not read.

    Raises ``DataError`` for any other file.
    """
    remedy = "get the file anew"
    expected = {name: (np.float32, shape) for name, shape in shapes.items()}
    arrays = read_npz(path, expected, remedy=remedy)
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise DataError(f"{path}: {name} has NaN or infinity; {remedy}")
    return arrays


def kept(
    stem: str,
    key: str,
    folders: Sequence[Path],
    shapes: Mapping[str, tuple[int, ...]],
    make: Callable[[], tuple[Arrays, Mapping[str, float]]],
) -> tuple[Arrays, Mapping[str, float]]:
    """Weights and facts about them from ``{stem}-{key}.safetensors``, or from ``make`` if missing.

    New weights are written to the first of ``folders`` that can be written to, whole or not at
    all. If two processes make them at the same time, both return those of the first to finish:
    weights may differ in their last bits. Without a folder to write to, a warning is logged, and
    they are made again each time.

    Raises ``DataError`` for a file of that name with other content.
    """
    places = [folder / f"{stem}-{key[:16]}.safetensors" for folder in folders]
    for place in places:
        if place.exists():
            return _read_kept(place, key, shapes)
    arrays, facts = make()
    from safetensors.numpy import save

    content = save(
        {name: np.ascontiguousarray(value) for name, value in arrays.items()},
        {"key": key, "facts": json.dumps(facts)},
    )
    for place in places:
        if _publish(content, place):
            return _read_kept(place, key, shapes)
    log.warning("no folder for %s can be written to; it will be made anew each time", stem)
    return arrays, facts


def _publish(content: bytes, place: Path) -> bool:
    """Write ``content`` to ``place`` unless there is a file; False if that is impossible."""
    try:
        with temporary_beside(place) as part:
            part.write_bytes(content)
            try:
                os.link(part, place)
            except FileExistsError:
                pass
            except OSError:  # a file system without hard links: the last one wins
                os.replace(part, place)
    except OSError:
        return False
    return True


def _read_kept(
    place: Path, key: str, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Arrays, Mapping[str, float]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(place, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = {str(name): float(value) for name, value in json.loads(metadata["facts"]).items()}
        expected = {name: (np.dtype(np.float32), shape) for name, shape in shapes.items()}
        if metadata["key"] != key or expected != {
            n: (a.dtype, a.shape) for n, a in arrays.items()
        }:
            raise ValueError("its key or its arrays are those of another net")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("its weights are not finite")
    except (
        *(OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError),
        *(OverflowError, RecursionError),  # huge numbers or deep lists among the facts
    ) as error:
        raise DataError(
            f"{place} is not the net of its name ({type(error).__name__}: {error}); "
            f"delete it, and it will be made anew"
        ) from error
    return arrays, facts
