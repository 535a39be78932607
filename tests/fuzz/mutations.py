"""Bytes that were a good file once: hypothesis draws what was done to them.

And what is asked of whoever reads them: a value or an error of ours, soon, in little memory.
"""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from deep_em_bench.core import UserError

__all__ = ["Read", "fuzzed", "mutated", "refused_or_read"]

Read = Callable[[Path], object]

MOST_SECONDS = 5.0
"""Of the processor, for one file; reading one takes some milliseconds."""

MOST_MEMORY = 2**26
"""Bytes held at most while one file is read; those that are read here have some ten thousand."""

fuzzed = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

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


def refused_or_read(
    read: Read, path: Path, content: bytes, *, most_memory: int = MOST_MEMORY
) -> None:
    """Let ``read`` have the content; any error but a :class:`UserError` comes out here."""
    path.write_bytes(content)
    started = time.process_time()
    tracemalloc.start()
    try:
        with contextlib.suppress(UserError):
            read(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < most_memory, f"{len(content):,} bytes took {most:,} to read"
    seconds = time.process_time() - started
    assert seconds < MOST_SECONDS, f"{len(content):,} bytes took {seconds:.1f} s to read"
