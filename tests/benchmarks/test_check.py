"""The gate lets through what is as it was, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deep_em_bench.benchmarks.check import main

SUITE = """
title = "gate"
seeds = 1
[[datasets]]
name = "moons"
words = { n_samples = 40 }
[[datasets]]
name = "artificial_characters"
[[methods]]
name = "steady"
"""

Gate = Callable[..., int]


@pytest.fixture
def gate(tmp_path: Path, plugin: Path) -> Gate:
    """Call with further arguments: the status of the gate on moons, and on files not there."""
    suite = tmp_path / "gate.toml"
    suite.write_text(SUITE, encoding="utf-8")
    fixed = {
        "--suite": suite,
        "--plugin": plugin,
        "--baseline": tmp_path / "bands.toml",
        "--data-dir": tmp_path / "data",
        "--threads": 1,
    }
    flat = [str(part) for pair in fixed.items() for part in pair]
    return lambda *arguments: main([*flat, *arguments])


def test_the_gate_compares_with_what_was_written(
    gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bands = tmp_path / "bands.toml"
    assert gate() == 1
    assert "no baseline at" in capsys.readouterr().err
    assert not bands.exists()

    assert gate("--update-baseline") == 0
    written = bands.read_text(encoding="utf-8")
    assert written.count("[[rows]]") == 1
    _, err = capsys.readouterr()
    assert "skipped artificial_characters: " in err

    assert gate() == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 rows measured, 0 skipped, 0 values off" in err


def test_a_damaged_baseline_is_written_anew(
    gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bands = tmp_path / "bands.toml"
    bands.write_text("rows = 1", encoding="utf-8")
    for arguments in ([], ["--widen-baseline"]):
        assert gate(*arguments) == 1
        assert "cannot be used (key `rows` is " in capsys.readouterr().err
    assert gate("--update-baseline") == 0
    assert bands.read_text(encoding="utf-8").count("[[rows]]") == 1
    assert {path.suffix for path in tmp_path.iterdir()} == {".toml"}


@pytest.mark.parametrize("place", ["folder", "file/bands.toml", "x" * 300])
def test_a_baseline_that_cannot_be_written_is_named_before_anything_is_measured(
    gate: Gate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setattr("deep_em_bench.benchmarks.check._measured", None)
    assert gate("--baseline", str(tmp_path / place), "--update-baseline") == 1
    _, err = capsys.readouterr()
    assert err.startswith(f"error: cannot write {tmp_path / place}: ")
    assert err.count("\n") == 1


def test_a_value_outside_its_band_trips_the_gate(
    gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = "[[rows]]\ndataset = 'artificial_characters'\nn_clusters = 10\nlabel = 'steady'\n"
    absent += "bands.'train/nmi' = { low = 0.0, high = 1.0 }\n"
    bands = tmp_path / "bands.toml"
    bands.write_text(
        absent + "[[rows]]\ndataset = 'moons(n_samples=40)'\nn_clusters = 2\n"
        "label = 'steady[stable]'\nbands.'train/error_rate' = { low = 0.9, high = 1.0 }\n",
        encoding="utf-8",
    )
    assert gate() == 1
    out, err = capsys.readouterr()
    said = out.splitlines()
    assert said[0].startswith("moons(n_samples=40) · K=2 · steady[stable]: test/error_rate was")
    assert any("train/error_rate has median 0." in line for line in said)
    assert "1 skipped" in err

    # A baseline made on another processor is widened, and what was not measured keeps its band.
    assert gate("--widen-baseline") == 0
    text = bands.read_text(encoding="utf-8")
    assert "artificial_characters" in text
    assert '"train/error_rate" = { low = 0.' in text
    assert gate() == 0
    capsys.readouterr()

    # What could not be measured here keeps its band.
    assert gate("--update-baseline") == 0
    assert "artificial_characters" in bands.read_text(encoding="utf-8")


@pytest.mark.parametrize("more", [(), ("--update-baseline",)])
def test_a_gate_that_measures_nothing_fails(
    gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    moons = '[[datasets]]\nname = "moons"\nwords = { n_samples = 40 }\n'
    (tmp_path / "gate.toml").write_text(SUITE.replace(moons, ""), encoding="utf-8")
    bands = tmp_path / "bands.toml"
    bands.write_text("rows = []", encoding="utf-8")
    assert gate(*more) == 1
    assert "error: suite gate has no data set whose files are here" in capsys.readouterr().err
    assert bands.read_text(encoding="utf-8") == "rows = []"


def test_a_failing_cell_trips_the_gate(
    tmp_path: Path, plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = tmp_path / "gate.toml"
    rows = SUITE.replace('[[datasets]]\nname = "artificial_characters"\n', "")
    suite.write_text(rows + '[[methods]]\nname = "raising"\n', encoding="utf-8")
    bands = tmp_path / "bands.toml"
    arguments = ["--suite", suite, "--plugin", plugin, "--baseline", bands, "--threads", "1"]
    assert main([*map(str, arguments), "--update-baseline"]) == 1
    assert not bands.exists()
    out, _ = capsys.readouterr()
    assert "raising[stable] · seed 0: failed: RuntimeError: this method" in out
    assert "Traceback" in out
