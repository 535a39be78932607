"""The command: a comparison by name, one line for what cannot be done."""

from __future__ import annotations

import pytest

from deep_em_bench.benchmarks.speed import __main__ as speed


def test_a_comparison_is_printed_with_what_it_ran_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[object] = []

    def table(*given: object) -> str:
        told.extend(given)
        return "a table"

    monkeypatch.setitem(speed.OF_THE_REST, "fid", table)
    monkeypatch.setitem(speed.OF_NETS, "ganmm", table)
    assert speed.main(["fid", "--rounds", "2"]) == 0
    assert speed.main(["ganmm", "--network", "conv"]) == 0
    shown = "fid, cpu, 1 threads\na table\nganmm, cpu, 1 threads\na table\n"
    assert capsys.readouterr().out == shown
    assert told == [2, "conv", "cpu", 3]


@pytest.mark.parametrize("what", ["fid", "harness", "reports"])
@pytest.mark.parametrize("option", ["--network=conv", "--device=cuda"])
def test_an_option_that_would_not_count_is_refused(
    what: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        speed.main([what, option])
    assert left.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: unrecognized arguments: {option}\n")


@pytest.mark.parametrize("option", ["--rounds", "--threads"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5"])
def test_a_count_of_nothing_is_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        speed.main(["fid", f"{option}={value}"])
    assert left.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f"argument {option}: '{value}' is not a whole number of at least 1")


def test_an_unusable_device_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(["gan_em", "--device", "cuda:99"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "cuda:99" in err
