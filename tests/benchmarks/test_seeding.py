"""Methods that draw from global generators: another seed, another result; a rerun, the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deep_em_bench.benchmarks.run import main
from deep_em_bench.benchmarks.seeding import SEEDED
from deep_em_bench.results.store import Store

PLUGIN = """
import random
import numpy as np
from deep_em_bench.methods.base import Method, Preset, register


@register("careless", presets={"stable": Preset(source="a test")})
class Careless(Method):
    def __init__(self, n_clusters=2):
        self.n_clusters = n_clusters

    def fit(self, X, y=None):
        half = [random.randrange(self.n_clusters) for _ in range(20)]
        self.labels_ = np.append(half, np.random.randint(self.n_clusters, size=20))
        self.history_ = []
        return self

    def predict_proba(self, X):
        return np.full((len(X), self.n_clusters), 1 / self.n_clusters, dtype=np.float32)

    def n_parameters(self):
        return 0
"""
SUITE = """
title = "trial"
seeds = 4
datasets = [{ name = "moons", words = { n_samples = 40 } }]
methods = [{ name = "careless" }]
"""

LATE = """
import sys
from deep_em_bench.benchmarks.seeding import seed_globals
from deep_em_bench.core import derive_seed
seed_globals(3, "data")
seed_globals(3, "fit")
assert "torch" not in sys.modules
import torch
drawn = torch.rand(3)
torch.manual_seed(derive_seed(3, "global", "fit"))
assert torch.equal(drawn, torch.rand(3))
seed_globals(4, "fit")
assert not torch.equal(drawn, torch.rand(3))
"""


def test_four_seeds_give_four_results_and_each_rerun_the_same(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "trial.toml").write_text(SUITE, encoding="utf-8")
    files = ("--suite", str(tmp_path / "trial.toml"), "--plugin", str(tmp_path / "plugin.py"))
    labels: list[dict[int, list[int]]] = []
    for out in ("first", "second"):
        assert main([*files, "--out", str(tmp_path / out)]) == 0
        store = Store(tmp_path / out / "trial")
        records = list(store)
        assert {record.provenance.seeded for record in records} == {SEEDED}
        labels.append({r.seed: store.arrays(r.key)["labels_train"].tolist() for r in records})
    assert labels[0] == labels[1]
    for half in (slice(20), slice(20, None)):  # of random, and of numpy
        assert len({tuple(drawn[half]) for drawn in labels[0].values()}) == 4


def test_torch_is_seeded_when_it_is_imported_later() -> None:
    subprocess.run([sys.executable, "-c", LATE], check=True)
