"""A method that fails where another has its GPU. The GPUs are names alone."""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import os
import time
from pathlib import Path
from typing import Literal, Self

import numpy as np

from deep_em_bench.benchmarks import execute
from deep_em_bench.methods.base import Method, Preset, register

# There is none here for torch to find, nor to be asked what was taken of it.
execute._resolved_device = lambda device: device.replace("cuda", "gpu")


@register("on_gpu", presets={"stable": Preset(source="a test")})
class OnGpu(Method):
    """Fails where another cell has its GPU."""

    def __init__(
        self,
        n_clusters: int = 2,
        *,
        folder: str = "",
        seconds: float = 0.5,
        stubborn: bool = False,
        device: str = "auto",
        precision: Literal["fp32", "tf32", "bf16"] = "fp32",
        compile: bool = False,
        random_state: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.folder = folder
        self.seconds = seconds
        self.stubborn = stubborn
        self.device = device
        self.precision = precision
        self.compile = compile
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        supervisor = multiprocessing.parent_process()
        assert supervisor is not None
        with Path(self.folder, f"{self.device}.held").open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system's, as is the release
            Path(self.folder, "cell").write_text(str(os.getpid()), encoding="utf-8")
            with Path(self.folder, "log").open("a") as log:
                log.write(f"{supervisor.pid}\n")
            if self.stubborn:  # as a library that keeps Python's lock: no thread runs meanwhile
                ctypes.PyDLL(None).usleep(int(self.seconds * 1e6))
            else:
                time.sleep(self.seconds)
        self.labels_ = self.predict(X)
        self.n_iter_, self.converged_, self.history_ = 1, True, []
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.eye(self.n_clusters, dtype=np.float32)[np.arange(len(X)) % self.n_clusters]
