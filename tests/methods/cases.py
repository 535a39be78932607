"""What the contract is checked on: every registered method and preset, small data, digests.

Run as a module it fits them all and prints their digests.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from deep_em_bench import methods
from deep_em_bench.methods import Generative, Method

Factory = Callable[..., Method]
"""Keyword parameters to an unfitted method."""

CUT = {
    # Smaller budgets and nets, for methods that have a parameter of the name.
    "max_iter": 2,
    "epochs": 2,
    "m_epochs": 1,
    "m_steps": 3,
    "steps": 3,
    "classifier_steps": 3,
    "e_steps": 3,
    "pretrain_steps": 3,
    "e_pretrain_steps": 3,
    "layer_steps": 3,
    "finetune_steps": 3,
    "update_interval": 3,
    "batch_size": 16,
    "e_batch_size": 16,
    "n_init": 1,
    "network": "mlp",
    "hidden": (16, 16),
    "noise_dim": 4,
    "device": "cpu",
}


def cases() -> list[str]:
    """``name:preset`` of all methods there are; only those from outside are imported for it."""
    if plugin := os.environ.get("DEEP_EM_BENCH_PLUGIN"):
        methods.registry.load_plugin(plugin)
    found = []
    for name, declared in sorted(methods.registry.declarations().items()):
        declared_presets = declared.attributes.get("presets")
        presets = declared_presets or methods.registry.get(name).attributes["presets"]
        found += [f"{name}:{preset}" for preset in presets]
    return found


def factory(case: str) -> Factory:
    """A factory of the method and preset of a ``name:preset``, its budget cut."""
    name, preset = case.split(":")
    full = methods.create(name, preset).get_params(deep=False)
    cut = {key: _at_most(CUT[key], full[key]) for key in CUT.keys() & full.keys()}

    def make(**params: Any) -> Method:
        return methods.create(name, preset, **{**cut, "n_clusters": 3, **params})

    return make


def _at_most(cut: Any, full: Any) -> Any:
    """A budget may only fall: steps that a preset does without stay away."""
    return min(cut, full) if isinstance(cut, int) and isinstance(full, int) else cut


def blobs(n: int = 40) -> np.ndarray:
    """Three clear blobs of ``n`` points in four dimensions, of another scale in each column."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0, 0], [9, 0, 9, 0], [0, 9, 9, 9]])
    points = centres[np.arange(n) % 3] + rng.normal(size=(n, 4))
    return (points * [1, 10, 0.1, 1] + [0, 1000, 0, -5]).astype(np.float32)


def images(n: int = 24, channels: int = 1) -> np.ndarray:
    """``n`` noisy 8x8 images of three kinds, lit in different rows."""
    rng = np.random.default_rng(1)
    X = rng.random((n, channels, 8, 8), dtype=np.float32) * 0.3
    for kind in range(3):
        X[kind::3, :, 2 * kind : 2 * kind + 2] += 0.7
    return X


def fit(method: Method, X: np.ndarray) -> Method:
    """``method`` fitted to ``X``, with labels on its first rows where it needs some.

    Those of ``blobs`` and ``images`` are their kinds, where there are three clusters.
    """
    if not getattr(method, "needs_labels", False):
        return method.fit(X)
    return method.fit(X, few_labels(len(X), method.n_clusters))


def few_labels(n: int, n_clusters: object = 3) -> np.ndarray:
    """Class ids in turn on the first rows, at most twelve of ``n``, and -1 on the others."""
    usable = n_clusters if isinstance(n_clusters, int) and n_clusters > 0 else 1
    return np.where(np.arange(n) < min(12, n - 1), np.arange(n) % usable, -1)


def digest(method: Method, X: np.ndarray) -> str:
    """Of all that a fit determines: labels, learnt numbers, responsibilities, draws."""
    parts = {f"learnt {name}": value for name, value in method._arrays().items()}
    parts |= {"labels": method.labels_, "proba": method.predict_proba(X)}
    if isinstance(method, Generative):
        parts["sample"] = method.sample(5, random_state=1)[0]
    state = hashlib.sha256()
    for name in sorted(parts):
        value = np.ascontiguousarray(parts[name])
        state.update(f"{name} {value.dtype} {value.shape}".encode() + value.tobytes())
    return state.hexdigest()


def case_digest(case: str) -> str:
    return digest(fit(factory(case)(random_state=5), blobs()), blobs())


def global_random_state() -> list[Any]:
    """Of every generator that a library might share between its callers."""
    state: list[Any] = [random.getstate(), repr(np.random.get_state(legacy=False))]  # noqa: NPY002
    if torch := sys.modules.get("torch"):
        state.append(torch.get_rng_state().numpy().tobytes())
        if torch.cuda.is_available():
            state += [s.numpy().tobytes() for s in torch.cuda.get_rng_state_all()]
        if torch.backends.mps.is_available():
            state.append(torch.mps.get_rng_state().numpy().tobytes())
    return state


if __name__ == "__main__":
    json.dump({case: case_digest(case) for case in cases()}, sys.stdout)
