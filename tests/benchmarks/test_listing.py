"""Lists come from source files; a method is described with its parameters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deep_em_bench.benchmarks import listing
from deep_em_bench.benchmarks.run import main


def test_a_list_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"suites", "methods", "datasets", "metrics"}
    names = {kind: [item["name"] for item in items] for kind, items in found.items()}
    assert {"digits_raw", "mnist_raw", "mnist_k", "tiny"} <= set(names["suites"])
    assert {"kmeans", "gmm", "gan_em", "steady"} <= set(names["methods"])  # a plugin's too
    assert {"digits", "mnist", "moons", "blobs", "iris"} <= set(names["datasets"])
    assert {"error_rate", "ari", "nmi", "purity"} <= set(names["metrics"])
    presets = {item["name"]: item.get("presets") for item in found["methods"]}
    assert presets["gmm"] == ["full", "pca_full"]

    assert main(["--list", "metrics"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0] == "metrics"
    assert table[1].split()[:2] == ["name", "direction"]


@pytest.mark.parametrize("arguments", [["--list"], ["--list", "--format", "json"]])
def test_listing_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        f"import sys; from deep_em_bench.benchmarks.run import main; status = main({arguments}); "
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas', 'joblib', 'pooch'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "gan_em" in done.stdout


def test_a_method_is_described_with_its_parameters_in_each_preset(
    plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described = ["methods", "steady", "--plugin", str(plugin), "--format", "json"]
    assert listing.main(described) == 0
    text = json.loads(capsys.readouterr().out)
    assert [item["name"] for item in text["methods"]] == ["steady"]
    parameters = {row["name"]: row for row in text["parameters"]}
    rate = {"name": "rate", "type": "float", "default": 1.0, "stable": 0.5, "other": 0.25}
    assert parameters["rate"] == {**rate, "meaning": ""}
    assert parameters["mode"]["type"] == "'fast' | 'slow'"
    assert parameters["callback"]["type"] == "callable | None"
    assert listing.main(["methods", "gan_em"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "max_iter" in [line.split()[0] for line in lines if line]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["methods", "gan_me"], "unknown method 'gan_me'; did you mean 'gan_em'?"),
        (["datasets", "mooons"], "unknown data set 'mooons'; did you mean 'moons'?"),
    ],
)
def test_an_unknown_name_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert listing.main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {error}")
    assert err.count("\n") == 1
