"""A record's cell is run again from the record alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deep_em_bench.benchmarks.replay import cell_of
from deep_em_bench.benchmarks.run import main
from deep_em_bench.results.record import Record, replace
from deep_em_bench.results.store import Store

SUITE = """
title = "trial"
seeds = [3]
[[datasets]]
name = "moons"
words = { n_samples = 60, subset = 0.5 }
n_clusters = 3
[[methods]]
name = "steady"
preset = "other"
params = { steps = 2, mode = "slow" }
[[methods]]
name = "raising"
"""

Replay = Callable[..., int]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, plugin: Path) -> dict[str, Path]:
    """The files of two cells' records, by method."""
    folder = tmp_path_factory.mktemp("runs")
    suite = folder / "trial.toml"
    suite.write_text(SUITE, encoding="utf-8")
    arguments = ["--suite", suite, "--plugin", plugin, "--out", folder, "--threads", 1]
    assert main([str(argument) for argument in arguments]) == 1
    store = Store(folder / "trial")
    return {record.method.name: store.folder / f"{record.key}.json" for record in store}


@pytest.fixture
def replay(plugin: Path) -> Replay:
    return lambda path, *more: main(["--replay", str(path), "--plugin", str(plugin), *more])


def test_a_record_comes_out_the_same(
    records: dict[str, Path], replay: Replay, capsys: pytest.CaptureFixture[str]
) -> None:
    before = records["steady"].read_bytes()
    assert replay(records["steady"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["status", "ok", "ok", "equal"]
    metrics = json.loads(before)["metrics"]
    recorded = {f"{split}/{name}": v for split in metrics for name, v in metrics[split].items()}
    assert len(recorded) > 10
    assert {line.split()[0] for line in lines[1:]} == recorded.keys()
    for line in lines[1:]:
        name, was, now, verdict = line.split()
        assert was == now == str(recorded[name])
        assert verdict == "equal"
    assert "not the same" not in err
    assert records["steady"].read_bytes() == before


def test_a_failure_fails_again_in_the_same_way(
    records: dict[str, Path], replay: Replay, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(records["raising"]) == 0
    assert capsys.readouterr().out.split() == [
        "status",
        *("failed", "(RuntimeError)"),
        *("failed", "(RuntimeError)"),
        "equal",
    ]


def test_what_differs_is_said(
    records: dict[str, Path],
    replay: Replay,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = json.loads(records["steady"].read_text(encoding="utf-8"))
    data["metrics"]["train"]["ari"] = 0.125
    data["provenance"]["versions"]["numpy"] = "1.0"
    data["provenance"]["method_version"] = 9
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert replay(path) == 1
    out, err = capsys.readouterr()
    (line,) = [line for line in out.splitlines() if "DIFFERS" in line]
    assert line.split()[:2] == ["train/ari", "0.125"]
    assert "not the same: numpy was 1.0, is " in err
    assert "not the same: method_version was 9, is 1" in err


def test_the_cell_of_a_record_is_written_out(records: dict[str, Path]) -> None:
    record = Record.from_json(records["steady"].read_bytes())
    cell = cell_of(record)
    assert (cell.n_clusters, cell.seed, cell.preset) == (3, 3, "other")
    assert cell.params["sizes"] == (3, 4)  # a list in JSON
    assert dict(cell.dataset.words) == {**record.dataset.words}
    assert cell.dataset.words["subset"] == 0.5


def test_settings_that_json_has_no_numbers_for_come_back(records: dict[str, Path]) -> None:
    record = Record.from_json(records["steady"].read_bytes())
    params = {**record.method.params, "limit": float("inf")}
    method = replace(record.method, params=params)
    written = replace(record, method=method).to_json()
    assert cell_of(Record.from_json(written)).params["limit"] == float("inf")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"generation": {"foo": 1}}, "key `generation`: unknown key 'foo'; "),
        ({"dataset": {"subset": {"a": 1}}}, "subset is {'a': 1}; expected a count from 1 to "),
    ],
)
def test_a_record_of_what_no_suite_asks_for_is_one_line(
    records: dict[str, Path],
    replay: Replay,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    said: str,
) -> None:
    data = json.loads(records["steady"].read_text(encoding="utf-8"))
    data["dataset"]["words"].update(change.pop("dataset", {}))
    path = tmp_path / "changed.json"
    path.write_text(json.dumps({**data, **change}), encoding="utf-8")
    assert replay(path) == 1
    _, err = capsys.readouterr()
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "more", [("--dry-run",), ("--suite", "tiny"), ("--seeds", "0"), ("--cells", "1/2")]
)
def test_what_would_be_ignored_is_refused(
    replay: Replay, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as caught:
        replay(Path("record.json"), *more)
    assert caught.value.code == 2
    assert f"{more[0]} and --replay exclude each other" in capsys.readouterr().err


def test_nothing_in_a_record_steers_the_terminal(
    records: dict[str, Path], replay: Replay, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads(records["steady"].read_text(encoding="utf-8"))
    data["metrics"]["train"]["\x1b[31m"] = 0.5
    data["provenance"]["cpu"] = "a\x1b[31m"
    data["provenance"]["versions"]["\x1b[31m"] = "1"
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert replay(path) == 1
    assert "\x1b" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("path", ["/dev/zero", "pipe"])
def test_only_regular_files_are_replayed(
    replay: Replay, tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert replay(tmp_path / path) == 1
    assert "cannot be read (not a regular file); give" in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "", "{}", "\xff"])
def test_a_file_that_holds_no_record_is_one_line(
    replay: Replay, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    path = tmp_path / "record.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    assert replay(path) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "record.json" in err
    assert err.endswith("give the .json of a record\n")  # no advice to delete what is the user's
