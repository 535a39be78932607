"""Features that replace a data set's points, learnt from these points without labels.

An embedding is fitted once on the whole training split, whatever the seed and the subset of a
cell: all methods get the same features, as in GANMM's Table 3. Held-out points go through the same
net. ``features_seed`` gives another embedding.

What was computed is kept in ``features/`` of the data root, or, where the root cannot be written
to, in the user's cache folder. A file's name holds a hash of all that determines it: the points,
the recipe, the seed, the kind of device and the version of the embedding.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import stat
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deep_em_bench.core import ConfigError, derive_seed, unknown_name
from deep_em_bench.core.files import temporary_beside
from deep_em_bench.datasets.base import Dataset, check_choice, user_cache

__all__ = ["RAW", "Embedding", "embed", "embedding_words", "register_embedding"]

RAW = "raw"
FOLDER = "features"
LINE_EVERY = 30.0
"""Seconds between two log lines of one stage."""

Points = tuple[np.ndarray, np.ndarray | None]
"""The training and the held-out split, float32 each."""
Report = Callable[[Mapping[str, Any]], None]
"""Called while fitting with ``stage``, ``step`` of ``steps`` and ``loss``."""
Fit = Callable[[Points, str, int, str, Report], Points]
"""Takes points, recipe, seed, device and report; returns features ``(N, D)`` float32 of both
splits."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """A registered way to compute features."""

    name: str
    recipes: tuple[str, ...]
    """Budgets, the default one first."""
    fit: Fit
    version: int
    """Raised when its features change, so that older ones are computed anew."""


_embeddings: dict[str, Embedding] = {}


def register_embedding(
    name: str, *, recipes: tuple[str, ...], version: int
) -> Callable[[Fit], Fit]:
    """Decorator that registers a fit as ``features=name``; a second one of that name raises."""

    def decorate(fit: Fit) -> Fit:
        if name == RAW or name in _embeddings:
            raise ConfigError(f"embedding {name!r} is registered twice; rename one of them")
        _embeddings[name] = Embedding(name=name, recipes=recipes, fit=fit, version=version)
        return fit

    return decorate


def embedding_words(features: str, recipe: str | None, features_seed: int) -> dict[str, Any]:
    """The words of an embedding for a record; none for raw points.

    Raises ``ConfigError`` for an unknown embedding or recipe, and for words of an embedding where
    the points are raw.
    """
    if features not in (RAW, *_embeddings):
        raise ConfigError(unknown_name("features", str(features), [RAW, *_embeddings]))
    if isinstance(features_seed, bool) or not isinstance(features_seed, int):
        raise ConfigError(f"features_seed is {features_seed!r}; expected a whole number")
    if features == RAW:
        if recipe is not None or features_seed != 0:
            word = "features_seed" if recipe is None else "recipe"
            raise ConfigError(
                f"{word} is given for raw points; remove it, or name an embedding: "
                f"features={next(iter(_embeddings))!r}"
            )
        return {}
    recipes = _embeddings[features].recipes
    recipe = recipes[0] if recipe is None else recipe
    check_choice("recipe", recipe, recipes)
    return {"features": features, "recipe": recipe, "features_seed": features_seed}


def embed(
    data: Dataset, root: Path, *, features: str, recipe: str, features_seed: int, device: str
) -> Dataset:
    """``data`` with features ``(N, D)`` as points, and the digest of their file in its source.

    Raises :class:`ConfigError` if they must be computed and there is no such device.
    """
    embedding = _embeddings[features]
    points = (data.X, data.X_test)
    key = _key(embedding, points, recipe, features_seed, _kind(device))
    plain = re.sub(r"[^\w.-]", "_", data.name)
    name = f"{FOLDER}/{plain}-{features}-{recipe}-{key[:24]}.npz"
    folders = [root, *([] if root == (home := user_cache()) else [home])]
    places = [folder / name for folder in folders]
    packed = _read_any(places, data)
    if packed is None:
        with _Progress(f"{features} of {data.name}") as report:
            seed = derive_seed(features_seed, features)
            fitted = embedding.fit(points, recipe, seed, device, report)
            packed = _packed(_checked(embedding, fitted, data))
        # If another process was faster, all use its file.
        packed = _read_any(places, data, quiet=True) or packed
        _keep(packed, places)
    X, X_test = _unpacked(packed)
    sha256 = hashlib.sha256(packed).hexdigest()
    source = replace(data.source, sha256={**data.source.sha256, name: sha256})
    return replace(data, X=X, X_test=X_test, source=source)


def _key(embedding: Embedding, points: Points, recipe: str, seed: int, kind: str) -> str:
    digest = hashlib.sha256(f"{embedding.version}\n{recipe}\n{seed}\n{kind}\n".encode())
    for part in points:
        if part is not None:
            digest.update(f"{part.dtype} {part.shape}\n".encode())
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _kind(device: str) -> str:
    """``cpu`` or ``cuda``, without the number of a GPU."""
    if device != "auto":
        return device.partition(":")[0]
    from deep_em_bench.methods.nets.runtime import resolve_device

    return resolve_device(device).type


def _checked(embedding: Embedding, features: Points, data: Dataset) -> Points:
    """The features of a fit; raises ``ValueError`` if they break the contract of a fit."""
    if not _fits(features, data):
        raise ValueError(
            f"embedding {embedding.name!r} gave other than finite float32 features (N, D) of both "
            f"splits of {data.name}; fix it"
        )
    return features


def _fits(features: Points, data: Dataset) -> bool:
    """Whether these are finite float32 features of both splits of ``data``."""
    rows = [len(X) for X in (data.X, data.X_test) if X is not None]
    splits = [Z for Z in features if Z is not None]
    return (
        [len(Z) for Z in splits] == rows
        and all(Z.ndim == 2 and Z.dtype == np.float32 and np.isfinite(Z).all() for Z in splits)
        and len({Z.shape[1:] for Z in splits}) == 1
    )


def _packed(features: Points) -> bytes:
    stream = io.BytesIO()
    X, X_test = features
    arrays = {"X": X} if X_test is None else {"X": X, "X_test": X_test}
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _unpacked(packed: bytes) -> Points:
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return arrays["X"], arrays.get("X_test")


def _read_any(paths: list[Path], data: Dataset, *, quiet: bool = False) -> bytes | None:
    """The content of the first file with features of ``data``."""
    for path in paths:
        try:
            packed = path.read_bytes()
            if _fits(_unpacked(packed), data):
                return packed
            problem = "it has features of other data"
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if not quiet:
            log.warning("%s is damaged (%s); its features are computed again", path, problem)
    return None


def _keep(packed: bytes, paths: list[Path]) -> None:
    """Write the file to the first possible place, whole or not at all."""
    failures = []
    for path in paths:
        try:
            _check_writable(path.parent)
            with temporary_beside(path) as part:
                part.write_bytes(packed)
                os.replace(part, path)
            return
        except OSError as error:
            failures.append(f"{path.parent}: {error.strerror}")
    log.warning("features are not kept and will be computed again (%s)", "; ".join(failures))


def _check_writable(folder: Path) -> None:
    """Raise ``PermissionError`` for a read-only folder, also for root, who could write to it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    anyone = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    if not folder.stat().st_mode & anyone:
        raise PermissionError(13, "read-only", str(folder))


class _Progress:
    """A bar on a terminal, elsewhere lines in the log."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._stage: str | None = None
        self._bar: Any = None

    def __enter__(self) -> Report:
        self._started = self._last_line = time.perf_counter()
        log.info("computing %s", self._what)
        return self._report

    def __exit__(self, *_: object) -> None:
        self._close()
        log.info("computed %s in %.0f s", self._what, time.perf_counter() - self._started)

    def _report(self, row: Mapping[str, Any]) -> None:
        stage, step, steps, now = row["stage"], row["step"], row["steps"], time.perf_counter()
        if sys.stderr.isatty():
            if stage != self._stage:
                self._open(stage, steps)
            self._bar.set_postfix(loss=f"{row['loss']:.4g}", refresh=False)
            self._bar.update(step - self._bar.n)
        elif step == steps or now - self._last_line >= LINE_EVERY:
            facts = (self._what, stage, step, steps, row["loss"], now - self._started)
            log.info("%s · %s · update %d of %d · loss %.4g · %.0f s", *facts)
            self._last_line = now
        self._stage = stage

    def _open(self, stage: str, steps: int) -> None:
        from tqdm import tqdm

        self._close()
        self._bar = tqdm(desc=f"{self._what} · {stage}", total=steps, unit="update", leave=False)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


SAE_HIDDEN = (500, 500, 2000)
SAE_FEATURES = 10


@register_embedding("sae10", recipes=("quick", "full"), version=1)
def sae10(points: Points, recipe: str, seed: int, device: str, report: Report) -> Points:
    """Ten features by the stacked denoising auto-encoder of DEC (Xie et al., 2016).

    Layers D-500-500-2000-10. Recipes: ``full``, 50,000 updates a layer and 100,000 of the whole;
    ``quick``, minutes for MNIST on two CPU cores.
    """
    import torch

    from deep_em_bench.methods.nets.autoencoder import RECIPES, StackedAutoencoder
    from deep_em_bench.methods.nets.runtime import resolve_device
    from deep_em_bench.methods.neural import Scaling

    X, X_test = points
    scaling, where = Scaling.of(X), resolve_device(device)
    sizes = (X[0].size, *SAE_HIDDEN, SAE_FEATURES)
    weights = torch.Generator().manual_seed(derive_seed(seed, "weights"))
    stream = torch.Generator(where).manual_seed(derive_seed(seed, "training"))
    net = StackedAutoencoder(sizes, generator=weights, device=where)
    x = scaling.to_net(X).to(where)
    net.fit(x, RECIPES[recipe], generator=stream, report=report)
    Z = net.encode(x).cpu().numpy()
    if X_test is None:
        return Z, None
    return Z, net.encode(scaling.to_net(X_test).to(where)).cpu().numpy()
