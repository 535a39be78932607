from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from deep_em_bench import datasets
from deep_em_bench.core import ConfigError, DataError, derive_seed
from deep_em_bench.datasets import Dataset, Source
from deep_em_bench.datasets.load import draw_subset

ROOT_OF_PROJECT = Path(__file__).parents[2]

GOOD: dict[str, Any] = {
    "name": "made",
    "X": np.zeros((4, 2), np.float32),
    "y": np.array([0, 1, 1, 0]),
    "class_names": ("a", "b"),
    "source": Source(where="here", licence="none"),
}


def test_every_name_is_listed_with_its_facts_and_without_imports() -> None:
    program = (
        "import sys\n"
        "from deep_em_bench import datasets\n"
        "for d in datasets.registry.declarations().values():\n"
        "    print(d.name, d.attributes['origin'], d.attributes['n'], bool(d.summary))\n"
        "heavy = {'sklearn', 'scipy', 'pandas', 'torch', 'pooch', 'requests'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT_OF_PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said == [
        "celeba prepared 3200 True",
        "digits embedded 1797 True",
        "iris embedded 150 True",
        "moons generated 1000 True",
        "blobs generated 1000 True",
        "flowers102 prepared 100 True",
        "mnist download 60000 True",
        "fashion_mnist download 60000 True",
        "svhn download 73257 True",
        "image_segmentation download 2310 True",
        "artificial_characters by hand 30654 True",
        "[]",
    ]


@pytest.mark.parametrize("name", ["digits", "iris", "moons", "blobs"])
def test_a_listing_tells_the_truth(name: str) -> None:
    said = datasets.registry.declarations()[name].attributes
    found = datasets.load(name)
    assert (found.shape, len(found.X), found.n_classes) == (
        said["shape"],
        said["n"],
        said["n_classes"],
    )
    assert found.name == name
    assert np.isfinite(found.X).all()


def test_describe_is_plain_json() -> None:
    twenty: Any = np.int64(20)
    described = datasets.load("moons", n_samples=50, seed=3, subset=twenty).describe()
    assert described == {
        "name": "moons",
        "words": {"n_samples": 50, "noise": 0.05, "subset": 20},
        "n": 20,
        "n_test": 50,
        "shape": (2,),
        "n_classes": 2,
        "class_names": ("upper", "lower"),
        "sha256": {},
        "licence": "none needed: generated numbers",
        "where": f"drawn by scikit-learn {sklearn.__version__}: make_moons",
    }
    assert json.loads(json.dumps(described)) == {
        **described,
        "shape": [2],
        "class_names": ["upper", "lower"],
    }
    assert datasets.load("iris", subset=0.1).describe()["words"] == {"subset": 0.1}
    assert datasets.load("iris").describe()["words"] == {}


def test_unknown_names_and_words_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown data set 'digit'; did you mean 'digits'"):
        datasets.load("digit")
    with pytest.raises(ConfigError, match=r"unknown word of data set moons 'noize'.*'noise'"):
        datasets.load("moons", noize=0.1)
    with pytest.raises(ConfigError, match="unknown word of data set digits 'request'"):
        datasets.load("digits", request=None)
    with pytest.raises(ConfigError, match=r"unknown value of split 'test'; .*Known: all, train"):
        datasets.load("mnist", split="test")
    with pytest.raises(ConfigError, match=r"unknown value of reading 'gamm'.*'ganmm'"):
        datasets.load("artificial_characters", reading="gamm")


Subsets = st.one_of(st.integers(1, 200), st.floats(0, 1, exclude_min=True))


@settings(max_examples=100, deadline=None)
@given(subset=Subsets, seed=st.integers(0, 2**32))
def test_a_subset_is_so_many_different_rows_in_order(subset: int | float, seed: int) -> None:
    rows = draw_subset(200, subset, seed=seed)
    wanted = subset if isinstance(subset, int) else max(1, round(subset * 200))
    assert len(rows) == wanted
    assert (np.diff(rows) > 0).all()
    assert rows[0] >= 0
    assert rows[-1] < 200
    np.testing.assert_array_equal(rows, draw_subset(200, subset, seed=seed))


@settings(max_examples=50, deadline=None)
@given(sizes=st.tuples(st.integers(1, 200), st.integers(1, 200)), seed=st.integers(0, 1000))
def test_smaller_subsets_lie_within_larger_ones(sizes: tuple[int, int], seed: int) -> None:
    small, large = (set(draw_subset(200, n, seed=seed).tolist()) for n in sorted(sizes))
    assert small <= large


def test_subsets_have_a_stream_of_their_own() -> None:
    order = np.random.default_rng(derive_seed(4, "data", "subset")).permutation(50)
    np.testing.assert_array_equal(draw_subset(50, 10, seed=4), np.sort(order[:10]))


def test_seeds_draw_different_subsets_and_all_rows_alike() -> None:
    drawn = {tuple(draw_subset(1797, 100, seed=seed)) for seed in range(50)}
    assert len(drawn) == 50
    # Over 400 seeds each of 20 rows is drawn 100 times on average, with deviation 8.7.
    counts = sum(np.bincount(draw_subset(20, 5, seed=seed), minlength=20) for seed in range(400))
    assert np.all(np.abs(counts - 100) < 5 * 8.7)


def test_subsets_do_not_see_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = datasets.load("digits", subset=300, seed=7)
    entry = datasets.registry.get("digits")

    def relabelled(request: datasets.Request) -> Dataset:
        found = entry.value(request)
        return dataclasses.replace(found, y=np.sort(found.y))

    monkeypatch.setitem(
        datasets.registry._registered, "digits", dataclasses.replace(entry, value=relabelled)
    )
    again = datasets.load("digits", subset=300, seed=7)
    np.testing.assert_array_equal(kept.X, again.X)
    assert not np.array_equal(kept.y, again.y)


def test_a_subset_keeps_rows_with_their_labels_and_the_test_split_whole() -> None:
    whole = datasets.load("blobs", seed=2)
    part = datasets.load("blobs", seed=2, subset=0.25)
    rows = draw_subset(1000, 0.25, seed=2)
    np.testing.assert_array_equal(part.X, whole.X[rows])
    np.testing.assert_array_equal(part.y, whole.y[rows])
    assert part.X_test is not None
    assert part.y_test is not None
    np.testing.assert_array_equal(part.X_test, whole.X_test)
    np.testing.assert_array_equal(part.y_test, whole.y_test)
    np.testing.assert_array_equal(datasets.load("blobs", seed=2, subset=1.0).X, whole.X)


@pytest.mark.parametrize(
    "subset", [0, -1, 1798, 0.0, -0.5, 1.0001, float("nan"), float("inf"), True, "100", (5,)]
)
def test_subsets_out_of_range_are_refused(subset: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        datasets.load("digits", subset=subset)
    assert str(caught.value) == (
        f"subset is {subset!r}; expected a count from 1 to 1797 or a fraction in (0, 1]"
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"X": np.zeros((4, 2))}, r"X is float64 \(4, 2\); expected float32"),
        ({"X": csr_array(np.eye(4, 2))}, "X is a csr_array; expected a numpy array"),
        ({"y": None}, "y is a NoneType; expected a numpy array"),
        ({"X": np.zeros((4, 2, 2), np.float32)}, r"X is float32 \(4, 2, 2\); expected"),
        ({"X": np.zeros((0, 2), np.float32), "y": np.zeros(0, np.int64)}, "at least one row"),
        ({"y": np.array([0, 1, 1])}, r"y is int64 \(3,\); expected int64 \(4,\)"),
        ({"y": np.array([0, 1, 1, 0], np.uint8)}, "y is uint8"),
        ({"y": np.array([0, 1, 2, 0])}, r"y runs from 0 to 2; expected classes in 0\.\.1"),
        ({"y": np.array([0, -1, 1, 0])}, "y runs from -1 to 1"),
        ({"X_test": np.zeros((4, 2), np.float32)}, "only one of X_test and y_test"),
        (
            {"X_test": np.zeros((1, 3), np.float32), "y_test": np.array([0])},
            r"points of X_test have shape \(3,\); expected \(2,\)",
        ),
    ],
)
def test_a_data_set_is_what_it_says(change: dict[str, Any], sentence: str) -> None:
    assert Dataset(**GOOD).shape == (2,)
    with pytest.raises(DataError, match=sentence):
        Dataset(**GOOD | change)


def test_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEP_EM_BENCH_DATA", str(tmp_path / "named"))
    assert datasets.data_root(tmp_path / "given") == tmp_path / "given"
    assert datasets.data_root("~/given") == Path.home() / "given"
    assert datasets.data_root() == tmp_path / "named"
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("DEEP_EM_BENCH_DATA")
        else:
            monkeypatch.setenv("DEEP_EM_BENCH_DATA", unset)
        assert datasets.data_root().name == "deep-em-bench"
