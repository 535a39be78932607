"""The command: a comparison by name, one line for what cannot be done."""

from __future__ import annotations

import pytest

from benchmarks import speed


def test_a_comparison_is_printed_with_what_it_ran_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[object] = []
    monkeypatch.setitem(speed.COMPARISONS, "fid", lambda *given: told.extend(given) or "a table")
    assert speed.main(["fid", "--rounds", "2"]) == 0
    assert capsys.readouterr().out == "fid, cpu, 1 threads\na table\n"
    assert told == [None, "cpu", 2]


def test_an_unusable_device_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(["gan_em", "--device", "cuda:99"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "cuda:99" in err
