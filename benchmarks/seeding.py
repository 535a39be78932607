"""The global random generators of a cell's process, for methods and loaders that draw from them.

The project's own code never does. A user's may, as scikit-learn does without ``random_state``:
then other seeds must give other results, and a rerun the same.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import random
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np

from deep_em_bench.core import derive_seed

__all__ = ["SEEDED", "seed_globals"]

SEEDED = ("random", "numpy", "torch")
"""What :func:`seed_globals` seeds, as a record names it."""


def seed_globals(seed: int, purpose: str) -> None:
    """Seed ``random``, numpy's legacy generator and torch, which is seeded when it is imported."""
    state = derive_seed(seed, "global", purpose)
    random.seed(state)
    np.random.seed(state)  # noqa: NPY002 - this is the generator that is meant
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Torch)]
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(state)
    else:
        sys.meta_path.insert(0, _Torch(state))


class _Torch(importlib.abc.MetaPathFinder):
    """Seeds torch after its import, which would cost a cell that does not need it seconds."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                module.manual_seed(self._seed)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
