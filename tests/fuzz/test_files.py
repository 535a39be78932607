"""Every file of the harness may hold anything: what comes out is a value, or an error of ours.

The errors are those that commands print as one line. A pickle, wherever it stands, is never
loaded, and no file makes its reader ask for much more memory than it is long.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from deep_em_bench import methods, results
from deep_em_bench.benchmarks import bands
from deep_em_bench.benchmarks.plan import plan
from deep_em_bench.benchmarks.replay import cell_of
from deep_em_bench.benchmarks.suite import Suite, suite_files
from deep_em_bench.core import ConfigError, DataError
from deep_em_bench.metrics.weights import kept
from deep_em_bench.results.published import read_published
from tests.fuzz.mutations import fuzzed, mutated, refused_or_read

ROOT = Path(results.__file__).parents[1]
RECORDS = sorted((ROOT / "results" / "reference").glob("*/*.json"))[:5]
PUBLISHED = (ROOT / "results" / "published.toml").read_bytes()
PUBLISHED_IN_PART = PUBLISHED[: PUBLISHED.index(b"\n[[", 8000) + 1]
SUITES = [path.read_bytes() for path in suite_files().values()]


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.fixture(scope="module")
def imported() -> None:
    """What planning imports is no part of what a file takes."""
    for path in suite_files().values():
        plan(Suite.read(path), "quick")


@fuzzed
@given(content=mutated(SUITES))
def test_suites(tmp_path: Path, imported: None, content: bytes) -> None:
    def read(path: Path) -> None:
        suite = Suite.read(path)
        if len(suite.seeds) < 20:
            plan(suite, "quick")

    refused_or_read(read, tmp_path / "suite.toml", content)


@fuzzed
@given(content=mutated([path.read_bytes() for path in RECORDS]))
def test_records(tmp_path: Path, content: bytes) -> None:
    key = RECORDS[0].stem
    store = results.Store(tmp_path)
    path = tmp_path / f"{key}.json"
    refused_or_read(lambda _: cell_of(store.read(key)), path, content)
    refused_or_read(lambda _: store.read(key, history=False), path, content)
    refused_or_read(lambda _: store.arrays(key), path, content)


def with_arrays(folder: Path, content: bytes) -> tuple[str, Path]:
    """Write a record and arrays of these bytes; its key, and the path of the arrays."""
    record = results.Record.from_json(RECORDS[0].read_bytes())
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{record.key}.{digest[:12]}.npz"
    record = results.replace(record, artifacts={path.name: digest})
    (folder / f"{record.key}.json").write_bytes(record.to_json())
    path.write_bytes(content)
    return record.key, path


@fuzzed
@given(content=mutated([npz(labels_train=np.arange(9), w=np.eye(3, dtype=np.float16))]))
def test_arrays_beside_a_record(tmp_path: Path, content: bytes) -> None:
    """Their hash is the one that the record says: a record may be hostile as well."""
    key, path = with_arrays(tmp_path, content)
    store = results.Store(tmp_path)
    refused_or_read(lambda _: store.arrays(key), path, content)


@fuzzed
@given(content=mutated([PUBLISHED_IN_PART]))
def test_published_numbers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "published.toml"
    refused_or_read(read_published, path, content)
    path.write_bytes(PUBLISHED_IN_PART)
    assert read_published(path)


@fuzzed
@given(content=mutated([(ROOT / "benchmarks" / "baselines" / "tiny.toml").read_bytes()]))
def test_bands(tmp_path: Path, content: bytes) -> None:
    refused_or_read(bands.read, tmp_path / "bands.toml", content)


@fuzzed
@given(data=st.data())
@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_saved_methods(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    saved = tmp_path / "saved.safetensors"
    X = np.random.default_rng(0).random((30, 2), dtype=np.float32)
    methods.create("kmeans", n_clusters=3).fit(X).save(saved)
    path = saved.with_suffix(suffix)
    content = data.draw(mutated([path.read_bytes()]))
    refused_or_read(lambda _: methods.load(saved), path, content)


NET = {"weight": np.ones((2, 3), np.float32)}


def kept_net(path: Path) -> object:
    return kept(
        "net", "k" * 64, [path.parent], {n: a.shape for n, a in NET.items()}, lambda: (NET, {})
    )


@fuzzed
@given(
    content=mutated(
        [
            save(NET, {"key": "k" * 64, "facts": facts})
            for facts in (
                '{"accuracy": 0.9}',
                '{"a": 1e999}',
                "[" * 5000,
                '{"a": 1%s}' % ("0" * 400),
            )
        ]
    )
)
def test_weights_of_feature_nets(tmp_path: Path, content: bytes) -> None:
    refused_or_read(kept_net, tmp_path / f"net-{'k' * 16}.safetensors", content)


@fuzzed
@given(
    content=mutated([b"import methods\nnumber = 1\ntext = 'abc'\n\n\ndef f(x):\n    return x\n"])
)
def test_plugins(tmp_path: Path, content: bytes) -> None:
    """Made a new name for every one: a module is loaded once."""
    path = tmp_path / f"p{hashlib.sha256(content).hexdigest()[:16]}.py"
    refused_or_read(methods.registry.load_plugin, path, content)


def lying_npz(shape: str) -> bytes:
    """An array that is said to have that shape, and has none of it."""
    said = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    said += b" " * (64 - (10 + len(said) + 1) % 64) + b"\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said)
    return stream.getvalue()


@pytest.mark.parametrize("shape", ["(1000000000000000000,)", "(2000000000,)", "(-1,)", "(3, 'a')"])
def test_arrays_that_lie_about_their_size(tmp_path: Path, shape: str) -> None:
    content = lying_npz(shape)
    key = with_arrays(tmp_path, content)[0]
    with pytest.raises(DataError, match=r"not a \.npz of plain arrays"):
        results.Store(tmp_path).arrays(key)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deep_em_bench.results.store.MOST_BYTES", 10**6)
    content = npz(zeros=np.zeros(10**7, np.uint8))
    assert len(content) < 20_000
    key = with_arrays(tmp_path, content)[0]
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"not a \.npz of plain arrays"):
            results.Store(tmp_path).arrays(key)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_files_that_are_far_too_long_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deep_em_bench.results.store.MOST_TEXT", 1000)
    record = RECORDS[0]
    (tmp_path / record.name).write_bytes(record.read_bytes())
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        results.Store(tmp_path).read(record.stem)
    long = tmp_path / "long.toml"
    long.write_bytes(b"#" * 2**21)
    with pytest.raises(ConfigError, match="more than 1,048,576 bytes"):
        Suite.read(long)
