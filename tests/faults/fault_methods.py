"""Fast methods for the fault harness: one that does its work, and one for each way to fail."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from typing import Self

import numpy as np

from deep_em_bench.methods.base import Method, Preset, register

DAEMON = "import os, time; os.fork() or (os.setsid(), os.fork() or time.sleep(600))"

PRESETS = {"stable": Preset(source="a test")}


class Slow(Method):
    """Cuts the first column into K parts, and takes ``seconds`` for it."""

    def __init__(
        self, n_clusters: int = 10, *, seconds: float = 0.15, random_state: int = 0
    ) -> None:
        self.n_clusters = n_clusters
        self.seconds = seconds
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        column = np.sort(X[:, 0])
        self.edges_ = column[[len(X) * i // self.n_clusters for i in range(1, self.n_clusters)]]
        # Numbers that do not compress well: writing them takes a while.
        self.noise_ = np.random.default_rng(self.random_state).random((97, self.n_clusters))
        time.sleep(self.seconds)
        self.labels_ = self.predict(X)
        self.history_ = [{"iteration": i, "loss": float(self.noise_[i, 0])} for i in range(50)]
        self.n_iter_, self.converged_ = 50, True
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        part = np.searchsorted(self.edges_, X[:, 0], side="right")
        proba = 2 * self.n_clusters * np.eye(self.n_clusters)[part]
        proba += self.noise_[np.arange(len(X)) % len(self.noise_)]
        return (proba / proba.sum(axis=1, keepdims=True)).astype(np.float32)


@register("fault_none", presets=PRESETS)
class Sound(Slow):
    """Does everything right."""


@register("fault_other", presets=PRESETS)
class Other(Slow):
    """Does everything right, too."""

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return super().predict_proba(X)[:, ::-1].copy()


@register("fault_descriptors", presets=PRESETS)
class Descriptors(Slow):
    """Ends well, without a free file descriptor."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        self.files_ = []
        with contextlib.suppress(OSError):
            while True:
                self.files_.append(open(os.devnull))  # noqa: SIM115
        return self


@register("fault_limits", presets=PRESETS)
class Limits(Slow):
    """Ends well, in a process that may write no file and open none."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        return self


@register("fault_daemon", presets=PRESETS)
class Daemon(Slow):
    """Ends well, and leaves a process in a session of its own, without a parent."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        subprocess.run([sys.executable, "-c", DAEMON], start_new_session=True, check=True)
        return super().fit(X)


@register("fault_daemon_crash", presets=PRESETS)
class DaemonCrash(Daemon):
    """The same, and crashes."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        super().fit(X)
        ctypes.string_at(0)
        return self


@register("fault_hang", presets=PRESETS)
class Hang(Slow):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        time.sleep(600)
        return self


@register("fault_leak", presets=PRESETS)
class Leak(Slow):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        held = []
        while len(held) < 60:  # 2 GB, which it keeps
            held.append(np.ones(4 * 10**6))
            time.sleep(0.02)
        time.sleep(600)
        return self


@register("fault_segfault", presets=PRESETS)
class Segfault(Slow):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        ctypes.string_at(0)
        return self


@register("fault_murder", presets=PRESETS)
class Murder(Slow):
    """Kills the worker that supervises it, as the system does for lack of memory."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        supervisor = multiprocessing.parent_process()
        assert supervisor is not None
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        time.sleep(600)
        return self


@register("fault_raise", presets=PRESETS)
class Raise(Slow):
    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        raise RuntimeError("this never works")


@register("fault_shape", presets=PRESETS)
class Shape(Slow):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return super().predict_proba(X)[:-1]


@register("fault_nan", presets=PRESETS)
class Nan(Slow):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        proba = super().predict_proba(X)
        proba[3, 1] = np.nan
        return proba
