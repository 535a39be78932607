"""The parser of every command's options: the same name in usage, the same short errors."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

__all__ = ["CommandParser"]

FOLDERS = ("benchmarks", "datasets", "reports")
"""Folders of a checkout whose modules are run as ``python -m benchmarks.run``."""


class CommandParser(argparse.ArgumentParser):
    """Parses the options of ``deep-em-bench COMMAND``, which is also ``python -m MODULE``.

    A usage error is one line with the error and one with a hint; the exit status is 2.
    """

    def __init__(self, command: str = "", **options: Any) -> None:
        super().__init__(**{"prog": _program(command), **options})  # sub-parsers give their prog

    def error(self, message: str) -> NoReturn:
        """Print the error and the hint, and exit with status 2."""
        line = message.replace("\n", " ")
        self.exit(2, f"error: {line}\n{self.prog} --help lists the options\n")


def _program(command: str) -> str:
    """The command as the user called it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name.removesuffix(".__main__") if spec else ""
    if module.partition(".")[0] in FOLDERS:
        return f"python -m {module}"
    return f"deep-em-bench {command}"
