"""Foreign text in LaTeX: every character escaped, long names broken over lines."""

from __future__ import annotations

import functools
import re
import unicodedata

__all__ = ["PIECES", "breakable", "escape", "named"]

PIECES = re.compile(r"[\[({]*[^\W_]+(?:[^\w\[({]|_)*|(?:[^\w\[({]|_)+|[\[({]+")
"""The parts of a long name between which a line may break: after signs, and before brackets."""

LONG_NAME = 20
"""Characters from which a name is broken over lines."""

LONG_WORD = 12
"""Characters from which a word is broken at its signs, and after which in any case."""

SPECIAL = {
    **{character: "\\" + character for character in "#$%&_{}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    "-": "-{}",  # no ligatures: -- is not an en dash
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "·": r"$\cdot$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "†": r"\dag{}",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "’": "'",
}

GREEK = {
    chr(code): rf"$\{'lambda' if name == 'lamda' else name}$"
    for code in range(ord("α"), ord("ω") + 1)
    if (name := unicodedata.name(chr(code)).rpartition(" ")[2].lower()) not in ("omicron", "sigma")
} | {"σ": r"$\sigma$", "ο": "o", "ς": r"$\varsigma$"}

ACCENTED = frozenset("ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿßØøÆæ")
"""Letters beyond ASCII that every LaTeX sets from UTF-8 in every font encoding."""

PLAIN = re.compile(r"[A-Za-z0-9 .,:;()\[\]=+*/'!?@]*")
"""What LaTeX prints as it is."""


@functools.lru_cache(maxsize=2**14)
def escape(text: str) -> str:
    r"""``text`` as LaTeX that prints it, whatever it holds; unprintable parts as code points.

    >>> print(escape("a_b & 50%"))
    a\_b \& 50\%
    """
    return text if PLAIN.fullmatch(text) else "".join(map(_escaped, text))


@functools.lru_cache(maxsize=2**12)
def breakable(text: str) -> str:
    r"""As :func:`escape`, and long words may be broken after signs, very long ones anywhere."""
    return " ".join(_broken(word) for word in text.split())


def named(name: str, box: str = r"\parbox[t]{9em}{\raggedright ", longest: int = LONG_NAME) -> str:
    r"""A name as a cell of a table; one of more characters in that box, over several lines."""
    if len(name) <= longest:
        escaped = escape(name)
        # A row that began with a bracket or a star would give it to the \\ or rule before it.
        return ("{}" if escaped.startswith(("[", "*")) else "") + escaped
    return rf"{box}{breakable(name)}\strut}}"


def _broken(word: str) -> str:
    if len(word) <= LONG_WORD:
        return escape(word)
    parts = (re.findall(rf".{{1,{LONG_WORD}}}", piece) for piece in PIECES.findall(word))
    pieces = [piece for part in parts for piece in part]
    return r"\allowbreak{}".join(escape(piece) for piece in pieces)


def _escaped(character: str) -> str:
    known = SPECIAL.get(character) or GREEK.get(character)
    if known is not None:
        return known
    if character.isspace():
        return " "
    if character in ACCENTED or (character.isascii() and character.isprintable()):
        return character
    return rf"[U+{ord(character):04X}]\allowbreak{{}}"
