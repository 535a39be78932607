"""Cells of one data set and seed stand in one table only where they had the same data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deep_em_bench import datasets
from deep_em_bench.benchmarks.pairing import data_digest
from deep_em_bench.benchmarks.run import main

PLUGIN = """
import numpy as np
from deep_em_bench.datasets.base import Dataset, Source, register

def dataset(X):
    return Dataset(
        name="d", X=X.astype(np.float32), y=(X[:, 0] > 0).astype(np.int64),
        class_names=("a", "b"), source=Source(where="a test", licence="none"),
    )

@register("table", origin="a test", shape=(2,), n=20, n_classes=2)
def table(request, *, path="{folder}/table.csv"):
    return dataset(np.loadtxt(path, delimiter=","))

@register("careless", origin="a test", shape=(2,), n=20, n_classes=2)
def careless(request):
    return dataset(np.random.standard_normal((20, 2)))  # a global generator, which is seeded

@register("unseeded", origin="a test", shape=(2,), n=20, n_classes=2)
def unseeded(request):
    return dataset(np.random.default_rng().standard_normal((20, 2)))
"""
ROWS = 'methods = [{ name = "steady" }, { name = "twin" }]'

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a plugin of three data sets, one of them a table."""
    folder = tmp_path_factory.mktemp("pairing")
    (folder / "plugin.py").write_text(PLUGIN.replace("{folder}", str(folder)), encoding="utf-8")
    return folder


@pytest.fixture
def run(folder: Path, plugin: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs both methods on a data set; the exit status and what stood on standard error."""

    def run(name: str, *options: str) -> tuple[int, str]:
        text = f'title = "t"\nseeds = 1\ndatasets = [{{ name = "{name}" }}]\n{ROWS}'
        suite = folder / f"{name}.toml"
        suite.write_text(text, encoding="utf-8")
        command = ["--suite", suite, "--out", folder, "--plugin", plugin]
        command += ["--plugin", folder / "plugin.py", *options]
        return main([str(argument) for argument in command]), capsys.readouterr().err

    return run


def test_cells_of_other_data_than_todays_are_refused(run: Run, folder: Path) -> None:
    np.savetxt(folder / "table.csv", np.arange(40.0).reshape(20, 2) - 15, delimiter=",")
    assert run("table", "--methods", "steady")[0] == 0
    np.savetxt(folder / "table.csv", np.arange(40.0).reshape(20, 2) - 16, delimiter=",")
    status, err = run("table")
    assert status == 1
    assert err.startswith("error: the data have changed since these cells were run: ")
    assert "table · steady[stable] · seed 0; run them again with --force" in err
    assert len(list((folder / "table").glob("*.json"))) == 1
    for other in (["--methods", "twin"], ["--seeds", "1"], ["--methods", "twin", "--force"]):
        status, err = run("table", *other)
        assert status == 1
        assert "table · steady[stable] · seed 0; run them again with --force" in err
    assert run("table", "--force")[0] == 0
    assert "nothing to do" in run("table")[1]


def test_a_loader_without_a_seed_is_not_paired_and_a_careless_one_is(run: Run) -> None:
    (unseeded, unseeded_err), (careless, careless_err) = run("unseeded"), run("careless")
    assert (unseeded, careless) == (0, 0)
    assert "not paired, for the methods had different data: unseeded, seed 0" in unseeded_err
    assert "not paired" not in careless_err


def test_every_part_of_the_data_counts() -> None:
    data = datasets.load("moons", n_samples=30)
    assert data.X_test is not None
    assert data_digest(data) == data_digest(datasets.load("moons", n_samples=30))
    changed = [
        replace(data, X=data.X + 1),
        replace(data, y=1 - data.y),
        replace(data, X_test=data.X_test + 1),
        replace(data, X_test=None, y_test=None),
        datasets.load("moons", n_samples=30, seed=1),
    ]
    assert len({data_digest(other) for other in [data, *changed]}) == 6
