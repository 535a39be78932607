"""The command: a comparison by name, one line for what cannot be done."""

from __future__ import annotations

import argparse

import pytest

from deep_em_bench.benchmarks.speed import __main__ as speed


def test_a_comparison_is_printed_with_what_it_ran_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def table(options: argparse.Namespace, device: str) -> str:
        return f"a table of {options.rounds} rounds with {options.network}"

    monkeypatch.setitem(speed.COMPARISONS, "ganmm", table)
    assert speed.main(["ganmm", "--network", "conv", "--rounds", "2"]) == 0
    expected = "ganmm, cpu, 1 threads\na table of 2 rounds with conv\n"
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["fid", "--network=conv"], "unrecognized arguments: --network=conv"),
        (["fid", "--device=cuda"], "unrecognized arguments: --device=cuda"),
        (["fid", "--rounds=0"], "argument --rounds: '0' is not a whole number of at least 1"),
        (["fid", "--threads=1.5"], "argument --threads: '1.5' is not a whole number"),
    ],
)
def test_an_option_that_cannot_be_used_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        speed.main(arguments)
    assert caught.value.code == 2
    assert f"error: {error}" in capsys.readouterr().err


def test_an_unusable_device_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(["gan_em", "--device", "cuda:99"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "cuda:99" in err
