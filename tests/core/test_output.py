from __future__ import annotations

import subprocess
import sys

import pytest

from core.output import READER_GONE, piped


def test_a_status_is_passed_on() -> None:
    assert [piped(lambda status=status: status) for status in (0, 1)] == [0, 1]


@pytest.mark.parametrize("lines", [1, 100_000])  # within the buffer, and beyond it
def test_a_reader_that_leaves_ends_the_command_without_a_traceback(lines: int) -> None:
    code = (
        "import sys; from core.output import piped\n"
        f"def command():\n    sys.stdin.read()\n    for i in range({lines}): print(i)\n"
        "    return 0\n"
        "sys.exit(piped(command))"
    )
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert child.stdout
    child.stdout.close()
    child.stdout = None
    _, error = child.communicate("")
    assert (child.returncode, error) == (READER_GONE, "")
