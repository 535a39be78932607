"""What ends a command is one line and a status."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import NoReturn

import pytest

from deep_em_bench.core import UserError
from deep_em_bench.core.guard import INTERRUPTED, UNGUARDED, guarded


def test_a_status_is_passed_on() -> None:
    assert [guarded(lambda status=status: status) for status in (0, 1, 2)] == [0, 1, 2]


def test_a_users_mistake_is_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        raise UserError("device \x1b[31m" + "x" * 10_000 + "\ny; use another")

    assert guarded(command, prefix="reports") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("reports: device ?[31mxxx")
    assert line.endswith("xxx y; use another")
    assert len(line) < 700


def test_a_programmers_mistake_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 // 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("swallowed", [None, ImportError, UserError])
def test_an_interruption_is_one_line_whatever_it_becomes(
    number: signal.Signals, swallowed: type[Exception] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt as error:
            raise (swallowed("initialization failed") if swallowed else error) from None
        return 0

    before = signal.getsignal(number)
    assert guarded(command) == INTERRUPTED
    assert capsys.readouterr().err == "interrupted: what was finished is kept\n"
    assert signal.getsignal(number) is before


def test_a_child_that_imports_the_program_does_not_run_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class EndedError(Exception):
        pass

    def end(status: int) -> NoReturn:
        raise EndedError(status)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(EndedError, match=str(UNGUARDED)):
        guarded(lambda: 0)
