from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deep_em_bench.core.output import READER_GONE, piped


def test_a_status_is_passed_on() -> None:
    assert [piped(lambda status=status: status) for status in (0, 1)] == [0, 1]


@pytest.mark.parametrize("lines", [1, 100_000])  # within the buffer, and beyond it
def test_a_reader_that_leaves_ends_the_command_without_a_traceback(lines: int) -> None:
    code = (
        "import sys; from deep_em_bench.core.output import piped\n"
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


@pytest.mark.parametrize(
    ("shell", "status", "out", "message"),
    [
        ("{} >&-", 0, "", ""),
        ("{} >&- 2>&-", 0, "", ""),
        ("PYTHONIOENCODING=ascii {}", 0, "\\xb7\n", ""),
        ("{} >/dev/full", 1, "", "cannot write to standard output: No space left on device"),
    ],
)
@pytest.mark.parametrize("lines", [1, 10_000])  # within the buffer, and beyond it
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
def test_an_output_that_cannot_take_it_ends_no_command_in_a_traceback(
    shell: str, status: int, out: str, message: str, lines: int
) -> None:
    code = (
        "import sys; from deep_em_bench.core import UserError\n"
        "from deep_em_bench.core.output import piped\n"
        "def command():\n"
        f"    for i in range({lines}): print(chr(183))\n"
        "    return 0\n"
        "try: sys.exit(piped(command))\n"
        "except UserError as error: sys.exit(str(error))"
    )
    command = shell.format(shlex.join([sys.executable, "-c", code]))
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, out * lines)
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == bool(message)


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path, closed: str) -> None:
    code = (
        "import os, sys; from deep_em_bench.core.output import piped\n"
        "def command():\n"
        "    with open(sys.argv[1], 'w') as file:\n"
        "        print('printed'); print('an error', file=sys.stderr)\n"
        "        os.system('echo of a child; echo of a child >&2')\n"
        "        print(file.fileno() > 2, file=file)\n"
        "    return 0\n"
        "sys.exit(piped(command))"
    )
    file = tmp_path / "file"
    command = shlex.join([sys.executable, "-c", code, str(file)])
    assert subprocess.run(f"{command} {closed}", shell=True, capture_output=True).returncode == 0
    assert file.read_text(encoding="utf-8") == f"{'<' not in closed}\n"
