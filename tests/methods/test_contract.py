"""Every registered method keeps the contract, and the contract's checks notice who does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from sklearn.utils.validation import check_is_fitted

from deep_em_bench import methods
from deep_em_bench.core import Registered
from deep_em_bench.methods.base import Callback, Generative, Method, Preset, Reducer, check_draw
from deep_em_bench.methods.parameters import Positive
from tests.methods.cases import case_digest, cases, factory
from tests.methods.contract import CHECKS

CASES = cases()
EVERY_CHECK = pytest.mark.parametrize("check", CHECKS)


@EVERY_CHECK
@pytest.mark.parametrize("case", CASES)
def test_method_keeps_the_contract(case: str, check: str, tmp_path: Path) -> None:
    CHECKS[check](factory(case), tmp_path)


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, str]:
    """Digests of all methods, fitted in one other process."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.methods.cases"]
    # Sums over several threads round otherwise than over one: here and there as many.
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_another_process_learns_the_same(case: str, elsewhere: Mapping[str, str]) -> None:
    assert elsewhere[case] == case_digest(case)


class Nearest(Method, Generative, Reducer):
    """A third-party method: K rows drawn as centres."""

    def __init__(
        self, n_clusters: Positive = 3, *, random_state: int = 0, callback: Callback | None = None
    ) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state
        self.callback = callback

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        X = self._fitting(X)
        rng = np.random.default_rng(self.random_state)
        self.centers_ = X[rng.choice(len(X), self.n_clusters, replace=False)].copy()
        self.labels_ = self.predict(X)
        self.n_iter_, self.converged_ = 1, True
        self.history_ = [{"iteration": 1}]
        if self.callback is not None:
            self.callback(self.history_[0])
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        flat, centers = (a.reshape(len(a), -1) for a in (self._checked(X), self.centers_))
        return np.linalg.norm(flat[:, None] - centers, axis=2)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        nearest = self.transform(X).argmin(axis=1)
        return np.eye(self.n_clusters, dtype=np.float32)[nearest]

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        check_draw(n, component, self.n_clusters)
        rng = np.random.default_rng(random_state)
        c = rng.integers(self.n_clusters, size=n) if component is None else np.full(n, component)
        drawn = self.centers_[c] + rng.normal(size=(n, *self.centers_.shape[1:])) * 1e-3
        drawn = drawn.clip(0, 1) if drawn.ndim == 4 else drawn
        return drawn.astype(np.float32), c


@pytest.fixture
def make_factory(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Method]], Callable[..., Any]]:
    """Registers a class for one test, and gives its factory."""

    def register(cls: type[Method]) -> Callable[..., Any]:
        presets = {"default": Preset(source="a test")}
        entry = Registered(name="ours", value=cls, attributes={"presets": presets})
        monkeypatch.setitem(methods.registry._registered, "ours", entry)
        return factory("ours:default")

    return register


@EVERY_CHECK
def test_third_party_method_runs_through_the_same_checks(
    check: str, make_factory: Callable[..., Any], tmp_path: Path
) -> None:
    CHECKS[check](make_factory(Nearest), tmp_path)


class ComputesInInit(Nearest):
    def __init__(
        self, n_clusters: Positive = 3, *, random_state: int = 0, callback: Callback | None = None
    ) -> None:
        super().__init__(int(n_clusters), random_state=random_state, callback=callback)
        self.seen = 0


class Doubles(Nearest):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return 2 * super().predict_proba(X)


class Jumps(Nearest):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.labels_ = self.labels_[::-1].copy()
        return self


class Mixes(Nearest):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.roll(super().predict_proba(X), len(X) % 2, axis=1)


class WritesNumpy(Nearest):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.history_ = [{"iteration": 1, "loss": np.float64(1.0)}]
        return self


class IsSilent(Nearest):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        callback, self.callback = self.callback, None
        super().fit(X)
        self.callback = callback
        return self


class Seeds(Nearest):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        np.random.seed(self.random_state)  # noqa: NPY002
        return super().fit(X)


class Listens(Nearest):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.centers_ += np.random.random()  # noqa: NPY002
        return self


class Accumulates(Nearest):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        before = getattr(self, "history_", [])
        super().fit(X)
        self.history_ = before + self.history_
        return self


class Trusts(Nearest):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        return super().fit(np.nan_to_num(X))


class Peeks(Nearest):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        if y is not None:
            self.centers_ = np.stack([X[y == i].mean(axis=0) for i in range(self.n_clusters)])
        return self


class Standardises(Nearest):
    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        drawn, c = super().sample(n, component, random_state=random_state)
        return drawn - self.centers_.mean(axis=0), c


class Invents(Nearest):
    """Draws before there is anything to draw from."""

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        if not hasattr(self, "centers_"):
            return np.zeros((n, 4), np.float32), np.zeros(n, np.int64)
        return super().sample(n, component, random_state=random_state)


class Moves(Nearest):
    """Goes on learning after its last row."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.centers_ = self.centers_[::-1].copy()
        self.labels_ = self.predict(X)
        return self


class Notices(Nearest):
    """Its draws and its fit share a stream."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        self.draws_ = 0
        super().fit(X)
        self.centers_ = self.centers_ + np.float32(0.01 * self.draws_)
        return self

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        self.draws_ += 1
        return super().sample(n, component, random_state=random_state)


class Forgets(Nearest):
    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.centers_ = arrays["centers_"][::-1]


class Hides(Nearest):
    """Keeps a part of what it learns where pickle does not look."""

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "centers_"}

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        self.centers_ = getattr(self, "centers_", np.zeros((self.n_clusters, 4), np.float32))
        return super().predict_proba(X)


@pytest.mark.parametrize(
    ("cls", "check"),
    [
        (ComputesInInit, "init_only_stores"),
        (Doubles, "outputs_have_shapes_types_and_ranges"),
        (Jumps, "outputs_have_shapes_types_and_ranges"),
        (Mixes, "a_row_is_judged_alone"),
        (WritesNumpy, "history_is_plain_and_the_callback_sees_it"),
        (IsSilent, "history_is_plain_and_the_callback_sees_it"),
        (Listens, "a_seed_determines_everything"),
        (Seeds, "global_random_state_is_untouched"),
        (Trusts, "unusable_data_are_refused_with_a_sentence"),
        (Invents, "what_is_not_fitted_or_not_there_is_refused"),
        (Accumulates, "fitting_again_starts_afresh"),
        (Peeks, "labels_are_seen_only_by_the_semi_supervised"),
        (Moves, "a_callback_may_sample"),
        (Notices, "a_callback_may_sample"),
        (Standardises, "samples_look_like_the_data"),
        (Forgets, "saved_and_loaded_is_the_same"),
        (Hides, "scikit_learns_tools_work_with_it"),
    ],
)
def test_checks_catch_what_they_are_for(
    cls: type[Method], check: str, make_factory: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        CHECKS[check](make_factory(cls), tmp_path)
