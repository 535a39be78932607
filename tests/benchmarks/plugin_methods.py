"""Methods for the harness's tests: a well-behaved one, and one for each way to misbehave."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from deep_em_bench.core.guard import UNGUARDED
from deep_em_bench.methods.base import (
    Callback,
    DivergenceError,
    Generative,
    Method,
    Preset,
    register,
)

PRESETS = {
    "stable": Preset(source="a test", params={"rate": 0.5}),
    "other": Preset(source="a test", params={"rate": 0.25, "sizes": (3, 4)}),
}


class Cut(Method):
    """Cuts the sorted first column into K equal parts."""

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        rate: float = 1.0,
        steps: int = 3,
        sizes: tuple[int, ...] = (1, 2),
        mode: Literal["fast", "slow"] = "fast",
        limit: float | None = None,
        pid_file: str = "",
        random_state: int = 0,
        callback: Callback | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.rate = rate
        self.steps = steps
        self.sizes = sizes
        self.mode = mode
        self.limit = limit
        self.pid_file = pid_file
        self.random_state = random_state
        self.callback = callback

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        self.saw_labels_ = y is not None
        first = np.sort(X.reshape(len(X), -1)[:, 0])
        self.edges_ = first[[len(X) * i // self.n_clusters for i in range(1, self.n_clusters)]]
        self.history_ = [self._row(step, X) for step in range(1, self.steps + 1)]
        for row in self.history_:
            if self.callback is not None:
                self.callback(row)
        self.labels_ = self.predict(X)
        self.n_iter_, self.converged_ = self.steps, True
        return self

    def _row(self, step: int, X: np.ndarray) -> dict[str, Any]:
        return {
            "iteration": step,
            "m_seconds": 0.25,
            "e_seconds": 0.5,
            "data": hashlib.sha256(X.tobytes()).hexdigest(),
            "random_state": self.random_state,
            "saw_labels": self.saw_labels_,
        }

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        part = np.searchsorted(self.edges_, X.reshape(len(X), -1)[:, 0], side="right")
        return np.eye(self.n_clusters, dtype=np.float32)[part]


@register("steady", presets=PRESETS)
class Steady(Cut, Generative):
    """Does everything right."""

    def sample(
        self, n: int, component: int | None = None, *, random_state: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        component = component or 0
        return np.full((n, 2), component, np.float32), np.full(n, component)


@register("twin", presets=PRESETS)
class Twin(Cut):
    """Does everything right, too."""


@register("portable", presets={"stable": Preset(source="a test")})
class Portable(Cut):
    """Takes what methods on torch take."""

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        device: str = "auto",
        precision: Literal["fp32", "tf32", "bf16"] = "fp32",
        compile: bool = False,
        random_state: int = 0,
        callback: Callback | None = None,
    ) -> None:
        super().__init__(n_clusters, random_state=random_state, callback=callback)
        self.device = device
        self.precision = precision
        self.compile = compile

    def _row(self, step: int, X: np.ndarray) -> dict[str, Any]:
        return {"device": self.device, "precision": self.precision, "compile": self.compile}


@register("raising", presets=PRESETS)
class Raising(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        raise RuntimeError("this method\nnever works")


@register("wordy", presets=PRESETS)
class Wordy(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        raise ValueError("x" * 10**5)


@register("diverging", presets=PRESETS)
class Diverging(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        raise DivergenceError("loss became nan in iteration 4")


@register("hanging", presets=PRESETS)
class Hanging(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        if self.pid_file:
            Path(self.pid_file).write_text(str(os.getpid()), encoding="utf-8")
        time.sleep(600)
        return self


@register("leaking", presets=PRESETS)
class Leaking(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        held = []
        while len(held) < 200:  # 1.6 GiB, which it keeps
            held.append(np.ones(2**20))
            time.sleep(0.01)
        time.sleep(600)
        return self


@register("leaking_elsewhere", presets=PRESETS)
class LeakingElsewhere(Cut):
    """Holds its memory in a process that it has started."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        code = "import time; held = b'x' * (1100 * 2**20); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code])
        Path(self.pid_file).write_text(str(child.pid), encoding="utf-8")
        child.wait()
        return self


def leave_a_process(pid_file: str) -> None:
    """Without a parent; on Linux in a session of its own, too."""
    code = f"import os, time; os.fork() and os._exit(0); open({pid_file!r}, 'w').write("
    code += "str(os.getpid())); time.sleep(600)"
    alone = sys.platform == "linux"
    subprocess.run([sys.executable, "-c", code], start_new_session=alone, check=True)
    while not Path(pid_file).read_text(encoding="utf-8"):
        time.sleep(0.01)


@register("orphaning", presets=PRESETS)
class Orphaning(Cut):
    """Leaves a process behind that it has started."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        leave_a_process(self.pid_file)
        os.kill(os.getpid(), 9)
        return self


@register("forgetful", presets=PRESETS)
class Forgetful(Cut):
    """Ends well, and leaves a process behind."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        leave_a_process(self.pid_file)
        return super().fit(X)


@register("crashing", presets=PRESETS)
class Crashing(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        ctypes.string_at(0)
        return self


@register("killed", presets=PRESETS)
class Killed(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        os.kill(os.getpid(), 9)
        return self


@register("leaving", presets=PRESETS)
class Leaving(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        sys.exit(3)


@register("leaving_at_once", presets=PRESETS)
class LeavingAtOnce(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        os._exit(3)


@register("unguarded", presets=PRESETS)
class Unguarded(Cut):
    """Ends as a cell's process does that imports a program without a guard."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        os._exit(UNGUARDED)


@register("without_descriptors", presets=PRESETS)
class WithoutDescriptors(Cut):
    """Ends well, and no file can be opened any more."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        self.files_ = []
        with contextlib.suppress(OSError):
            while True:
                self.files_.append(open(os.devnull))  # noqa: SIM115
        return self


@register("interrupting", presets=PRESETS)
class Interrupting(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        raise KeyboardInterrupt


@register("wrong_shape", presets=PRESETS)
class WrongShape(Cut):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return super().predict_proba(X)[:, :-1]


@register("nan_proba", presets=PRESETS)
class NanProba(Cut):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        proba = super().predict_proba(X)
        proba[0, 0] = np.nan
        return proba


@register("unnormalised", presets=PRESETS)
class Unnormalised(Cut):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return 2 * super().predict_proba(X)


@register("float_labels", presets=PRESETS)
class FloatLabels(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.labels_ = self.labels_.astype(np.float64)
        return self


@register("listed_labels", presets=PRESETS)
class ListedLabels(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.labels_ = self.labels_.tolist()
        return self


@register("listed_proba", presets=PRESETS)
class ListedProba(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.predict_proba = lambda X: np.eye(self.n_clusters)[self.labels_].tolist()
        return self


@register("far_labels", presets=PRESETS)
class FarLabels(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.labels_ = self.labels_ + 1
        return self


@register("odd_history", presets=PRESETS)
class OddHistory(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.history_ = [{"iteration": 1, "model": object()}]
        return self


@register("odd_precision", presets=PRESETS)
class OddPrecision(Cut):
    precision = 8


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt  # which is no Exception


@register("unspeakable", presets=PRESETS)
class Unspeakable(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        raise UnspeakableError


@register("chatty", presets=PRESETS)
class Chatty(Cut):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        print("this is no output of the harness")
        return super().fit(X)
