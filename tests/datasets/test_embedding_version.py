"""Which changes of the code compute features anew, and which do not."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path

import pytest

from deep_em_bench.datasets import embedding


@pytest.mark.parametrize(
    ("module", "before", "after", "counts"),
    [
        ("methods.nets.autoencoder", "MOMENTUM = 0.9", "MOMENTUM = 0.8", True),
        (
            "methods.nets.autoencoder",
            "MOMENTUM = 0.9",
            "MOMENTUM = 0.9  # as usual",
            False,
        ),
        (
            "methods.nets.autoencoder",
            "How an auto-encoder is trained.",
            "Its training.",
            False,
        ),
        (
            "methods.nets.autoencoder",
            "``sgd`` has momentum .9.",
            "With momentum.",
            False,
        ),
        ("methods.neural", "else (0.0, 1.0)", "else (0.0, 2.0)", True),
        ("methods.nets.runtime", "PREDICT_BATCH = 2048", "PREDICT_BATCH = 1024", False),
        ("core.seeds", '"big"', '"little"', True),
        ("datasets.embedding", '(seed, "training")', '(seed, "fit")', True),
        ("datasets.embedding", "LINE_EVERY = 30.0", "LINE_EVERY = 10.0", False),
    ],
)
def test_the_code_that_computes_counts(
    monkeypatch: pytest.MonkeyPatch, module: str, before: str, after: str, counts: bool
) -> None:
    module = f"deep_em_bench.{module}"
    version = embedding._sae10_version()
    assert before in Path(sys.modules[module].__file__ or "").read_text(encoding="utf-8")
    read = linecache.getlines
    monkeypatch.setattr(
        linecache,
        "getlines",
        lambda *file: [line.replace(before, after) for line in read(*file)],
    )
    assert (embedding._sae10_version() != version) is counts


def test_the_sizes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = [embedding._sae10_version()]
    for name, value in (("SAE_HIDDEN", (500, 500, 1000)), ("SAE_FEATURES", 11)):
        monkeypatch.setattr(embedding, name, value)
        versions.append(embedding._sae10_version())
    assert len(set(versions)) == 3
