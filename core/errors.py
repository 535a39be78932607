"""Errors that a user can mend: one line that says what came, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "DataError",
    "UnreadableError",
    "UserError",
    "one_line",
    "printable",
    "unknown_name",
]

MOST = 600
"""Characters of a line for the terminal."""


class UserError(Exception):
    """A mistake or circumstance that the user can mend; commands print its one line alone."""


class ConfigError(UserError):
    """A suite, an option or a parameter says something that cannot be done."""


class DataError(UserError):
    """A data file is missing, damaged, or not what its name says."""


class UnreadableError(DataError):
    """A data file that may be whole, though it cannot be read here and now."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that nobody registered, with the nearest one that somebody did.

    >>> unknown_name("method", "ganem", ["gan_em", "kmeans"])
    "unknown method 'ganem'; did you mean 'gan_em'? Known: gan_em, kmeans"
    """
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}; {hint}Known: {', '.join(choices) or 'none'}"


def one_line(text: str) -> str:
    """``text`` for the terminal: nothing that could steer it, and no more of it than can be read.

    What is too long loses its middle, for the remedy stands at the end.

    >>> one_line("a\\x1b[31m\\nb"), len(one_line("a" * 10**6))
    ('a?[31m b', 603)
    """
    line = " ".join(text.split())
    if len(line) > MOST:
        line = f"{line[: MOST // 2]} … {line[-MOST // 2 :]}"
    return printable(line)


def printable(text: str) -> str:
    """``text`` with a question mark for each character that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
