"""A command's exit status: its own, that of a user's mistake, or that of an interruption."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable

from deep_em_bench.core.errors import UserError, one_line
from deep_em_bench.core.output import piped

__all__ = ["INTERRUPTED", "UNGUARDED", "guarded"]

INTERRUPTED = 130
UNGUARDED = 86
"""Exit status of a child process that imports the program and so calls the command again."""

INTERRUPTION = "interrupted: what was finished is kept"


def guarded(command: Callable[[], int], *, prefix: str = "error") -> int:
    """The exit status of ``command``: a user's mistake is one line and 1, an interruption 130.

    The line begins with ``prefix``. SIGINT and SIGTERM interrupt: the first one ends the running
    cells; a second one ends this process at once, which the cells notice, and end too.
    """
    _refuse_to_run_on_import()
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        for number in caught:
            signal.signal(number, _leave)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # Signals that nohup and a shell's & have ignored stay ignored.
    caught = [n for n, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    with contextlib.ExitStack() as stack:
        for number in caught:
            signal.signal(number, interrupt)
            stack.callback(signal.signal, number, before[number])
        try:
            return piped(command)
        except (Exception, KeyboardInterrupt) as error:
            # An import that is interrupted may end in an error of its own.
            if interrupted or isinstance(error, KeyboardInterrupt):
                print(INTERRUPTION, file=sys.stderr)
                return INTERRUPTED
            if not isinstance(error, UserError):
                raise
            print(one_line(f"{prefix}: {error}"), file=sys.stderr)
            return 1


def _refuse_to_run_on_import() -> None:
    """End a child process whose import of the program has called the command."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if getattr(multiprocessing and multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)


def _leave(*_: object) -> None:
    os.write(2, f"{INTERRUPTION}\n".encode())
    os._exit(INTERRUPTED)
