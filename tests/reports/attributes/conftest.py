"""Records of faces by attribute."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from deep_em_bench.results import DatasetUsed, Store
from tests.reports.attributes.cases import ATTRIBUTES


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "celeba")


@pytest.fixture
def put(store, make_record):
    def put(label, attribute, error, seed=0, labelled=None, arrays=None, files=(), **words):
        said = {"attribute": attribute} | ({"labelled": labelled} if labelled else {})
        metric = "error_rate_classes" if labelled else "error_rate"
        n = 300 + 10 * len(attribute)
        used = DatasetUsed(name="celeba", words=said, n=n, n_test=80, n_classes=2)
        used = replace(used, sha256=dict.fromkeys(files, "0" * 64))
        words = {"suite": "celeba", "n_clusters": 2, "dataset": used} | words
        record = make_record(label, seed, test={metric: error}, **words)
        return store.write(record, arrays if record.status == "ok" else None)

    return put


@pytest.fixture
def all_put(put):
    """Two methods on four attributes, two seeds, without labels and with 100."""
    for i, attribute in enumerate(ATTRIBUTES):
        for seed in (0, 1):
            put("kmeans", attribute, 0.4 + 0.01 * i + 0.02 * seed, seed)
            put("gan_em[stable]", attribute, 0.3 + 0.01 * i + 0.04 * seed, seed)
            put("gan_em[stable]", attribute, 0.2, seed, labelled=100)


@pytest.fixture
def failing(put):
    """Four seeds; GAN-EM ends well on one of each attribute, never on two of the same."""
    for seed in range(4):
        for attribute in ("Bangs", "Male"):
            put("kmeans", attribute, 0.4, seed)
            ok = seed == 0 or (attribute, seed) == ("Male", 1)
            put("gan_em", attribute, 0.1, seed, **({} if ok else {"status": "diverged"}))
