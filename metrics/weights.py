"""Weights of feature nets: read without trust, identified by content, kept once they are trained.

No torch here: weights are arrays by name.
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
    """One digest (hex) of arrays, with their types and shapes, and of strings, in this order."""
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
    """The digest (hex) of a net's weights: the same in whatever file they are kept."""
    return content_sha256(*(part for name in sorted(arrays) for part in (name, arrays[name])))


def read_weights(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The float32 arrays of an .npz that have these names and shapes, finite throughout.

    Raises ``DataError`` for a file that is anything else; other arrays in it are not looked at.
    """
    remedy = "get the file anew"
    expected = {name: (np.float32, shape) for name, shape in shapes.items()}
    arrays = read_npz(path, expected, remedy=remedy)
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise DataError(f"{path}: {name} holds NaN or infinity; {remedy}")
    return arrays


def kept(
    stem: str,
    key: str,
    folders: Sequence[Path],
    shapes: Mapping[str, tuple[int, ...]],
    make: Callable[[], tuple[Arrays, Mapping[str, float]]],
) -> tuple[Arrays, Mapping[str, float]]:
    """Weights and facts about them from ``{stem}-{key}.safetensors``, or from ``make`` if missing.

    What is made is written to the first of ``folders`` that can be written to, whole or not at
    all. Where two processes make it at once the first to finish wins, and the other returns the
    first one's: weights trained elsewhere need not be equal to the last bit. With no folder to
    write to, it is made again each time and a warning is logged.

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
    """Put ``content`` at ``place`` unless something is there; False where that cannot be done."""
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
        with safe_open(place, framework="numpy") as found:
            said = found.metadata() or {}
            arrays = {name: found.get_tensor(name) for name in found.keys()}  # noqa: SIM118
        facts = {str(name): float(value) for name, value in json.loads(said["facts"]).items()}
        expected = {name: (np.dtype(np.float32), shape) for name, shape in shapes.items()}
        if said["key"] != key or expected != {n: (a.dtype, a.shape) for n, a in arrays.items()}:
            raise ValueError("its key or its arrays are those of another net")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("its weights are not finite")
    except (
        *(OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError),
        *(OverflowError, RecursionError),  # facts of numbers or lists beyond all bounds
    ) as error:
        raise DataError(
            f"{place} is not the net that its name says ({type(error).__name__}: {error}); "
            f"delete it, and it will be made anew"
        ) from error
    return arrays, facts
