"""Bytes that were a good file once: hypothesis draws what was done to them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

__all__ = ["mutated"]

TOKENS = (
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\x04K\x01.",  # a pickle
    b"nan",
    b"-1",
    b"1e999",
    b"9" * 5000,
    b'"',
    b"{",
    b"[" * 3000,
    b"\\ud800",
    b"\xed\xa0\x80",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"\n",
    b"= ",
)


@st.composite
def mutated(draw: st.DrawFn, contents: Sequence[bytes]) -> bytes:
    """One of ``contents`` after one edit or several: bits, cuts, repeats, tokens, other parts."""
    content = bytearray(draw(st.sampled_from(list(contents))))
    for _ in range(draw(st.integers(1, 4))):
        edit = draw(st.sampled_from(["flip", "cut", "end", "token", "over", "repeat", "splice"]))
        at = draw(st.integers(0, len(content)))
        to = min(len(content), at + draw(st.sampled_from([1, 2, 8, 64, 4096])))
        if edit == "flip" and at < len(content):
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif edit == "cut":
            del content[at:to]
        elif edit == "end":
            del content[at:]
        elif edit == "token":
            content[at:at] = draw(st.sampled_from(TOKENS))
        elif edit == "over":
            token = draw(st.sampled_from(TOKENS))
            content[at : at + len(token)] = token
        elif edit == "repeat":
            content[at:at] = content[at:to]
        elif edit == "splice":
            other = draw(st.sampled_from(list(contents)))
            content[at:] = other[draw(st.integers(0, len(other))) :]
    return bytes(content)
