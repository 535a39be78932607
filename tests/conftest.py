"""Fixtures for every package's tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Nets of a few units gain nothing from a second thread, and wait for each other where the cores
# are busy. This comes before any test imports torch; a child process inherits it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's & and nohup have what they start ignore SIGINT, its children included; the commands
# that tests interrupt have to heed it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine may be slow or busy: an example fails for what it shows, never for how long it took.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Imports and collected tests are there to stay; to look through them for garbage again and again
# takes longer than all the rest of the start.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture
def data_root() -> Callable[..., Path]:
    """Call with the files that a test needs, by their path below the data root; gives the root.

    Skips the test where ``$DEEP_EM_BENCH_DATA`` is unset or lacks one of them.
    """

    def need(*files: str) -> Path:
        named = os.environ.get("DEEP_EM_BENCH_DATA")
        if not named:
            pytest.skip("needs real data files: set DEEP_EM_BENCH_DATA to the folder with them")
        for file in files:
            if not (Path(named) / file).is_file():
                pytest.skip(f"needs {file} below $DEEP_EM_BENCH_DATA, which lacks it")
        return Path(named)

    return need
