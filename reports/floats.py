r"""Tables as floats, none of them taller than a page: what does not fit goes on in another.

TeX drops what hangs over the end of a page, and a float cannot break. How tall a row, a caption or
a note comes out is judged from its text, rather too tall than too short.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from deep_em_bench.reports.escaping import breakable
from deep_em_bench.reports.text import slug

__all__ = ["Group", "Note", "Tabular", "floating"]

NARROW = 3
"""Columns of a table that fits one column of a paper that has two."""

PAGE = 680.0
"""Points that a float may take: A4 with margins of 2.5 cm has 702."""

CAPTION = 1500
"""Characters of a caption from which its sentences go on among the notes."""

NOTE = 2500
"""Characters from which a note is broken in two, so that each fits a page."""

ROW, RULE, SMALLSKIP = 11.0, 6.0, 4.0
"""Points of a line in the table, of a rule and of the space above a note."""

CAPTION_LINE, NOTE_LINE = 12.0, 9.5
"""Points."""

CAPTION_WIDE, NOTE_WIDE, EM = 85, 95, 1.7
"""Characters in a line of the caption, in a line of a note, and in an em of a narrow box."""

BOX = re.compile(r"\\parbox\[[tb]\]\{(?P<ems>[0-9.]+)em\}(?P<text>.*)", re.DOTALL)
BREAK, COMMAND = re.compile(r"\\allowbreak\{\}|\s"), re.compile(r"\\[A-Za-z]+|[{}\\]")

Note = tuple[str, str]
"""What it is about, or nothing, and what is said of it: plain text."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows under a rule of their own, cells being LaTeX."""

    rows: Sequence[Sequence[str]]
    title: str = ""
    """LaTeX across the table, said again where the group goes on in another float."""


@dataclass(frozen=True, kw_only=True)
class Tabular:
    """A table before it is set."""

    columns: str
    """Of LaTeX's ``tabular``."""
    heads: Sequence[Sequence[str]]
    """Lines; the last has a cell for each column."""
    groups: Sequence[Group]

    @property
    def n(self) -> int:
        """Columns."""
        return len(self.heads[-1])


@dataclass(kw_only=True)
class _Page:
    """What one float holds, and how tall that is."""

    sentences: Sequence[str]
    tall: float
    rows: list[tuple[int, Sequence[str]]] = field(default_factory=list)
    """Each with the place of its group."""
    notes: list[Note] = field(default_factory=list)


def floating(
    tabular: Tabular, sentences: Sequence[str], label: str, notes: Sequence[Note] = ()
) -> str:
    """``tabular`` as floats of at most a page: caption above, notes below, no overfull line.

    The first float bears the label; one that goes on has its number and the first sentence.
    """
    said, more = _divided(sentences)
    pages = _pages(tabular, said, [*([("", " ".join(more))] if more else []), *notes])
    return "\n".join(_set(tabular, page, i, label) for i, page in enumerate(pages))


def _divided(sentences: Sequence[str]) -> tuple[list[str], list[str]]:
    """The sentences of the caption, and those that it has no room for."""
    ends = [sum(map(len, sentences[: i + 1])) for i in range(len(sentences))]
    n = max(1, sum(end <= CAPTION for end in ends))
    more = list(sentences[n:])
    return [*sentences[:n], *(["More is said below."] if more else [])], more


def _pages(tabular: Tabular, sentences: Sequence[str], notes: Sequence[Note]) -> list[_Page]:
    again = [*sentences[:1], "Continued."]
    heads = sum(map(_tall, tabular.heads)) + 3 * RULE
    pages = [_Page(sentences=sentences, tall=_caption_tall(sentences) + heads)]
    begun: set[int] = set()
    for place, group in enumerate(tabular.groups):
        above = RULE + (ROW if group.title else 0)
        for row in group.rows:
            tall = _tall(row) + (0 if place in begun else above)
            if pages[-1].rows and pages[-1].tall + tall > PAGE:
                pages.append(_Page(sentences=again, tall=_caption_tall(again) + heads))
                tall = _tall(row) + above
            begun.add(place)
            pages[-1].rows.append((place, row))
            pages[-1].tall += tall
    for about, text in notes:
        for part in textwrap.wrap(text, NOTE) or [""]:
            lines = math.ceil((len(about) + 2 + len(part)) / NOTE_WIDE)
            tall = SMALLSKIP + NOTE_LINE * lines
            if pages[-1].tall + tall > PAGE and (pages[-1].rows or pages[-1].notes):
                pages.append(_Page(sentences=again, tall=_caption_tall(again)))
            pages[-1].notes.append((about, part))
            pages[-1].tall += tall
    return pages


def _caption_tall(sentences: Sequence[str]) -> float:
    """With the space around it."""
    return 30 + CAPTION_LINE * math.ceil(sum(len(each) + 1 for each in sentences) / CAPTION_WIDE)


def _tall(row: Sequence[str]) -> float:
    return ROW * max(map(_lines, row), default=1)


def _lines(cell: str) -> int:
    """Of a cell: in a narrow box as many as its pieces take, else those that are stacked."""
    box = BOX.search(cell)
    if box is None:
        return 1 + cell.count(r"\\")
    n, used, wide = 1, 0, EM * float(box["ems"])
    for piece in BREAK.split(box["text"]):
        size = len(COMMAND.sub("", piece))
        if used and used + size > wide:
            n, used = n + 1, 0
        used += size
    return n


def _set(tabular: Tabular, page: _Page, i: int, label: str) -> str:
    kind = "table" if tabular.n <= NARROW else "table*"
    named = rf"\label{{tab:{slug(label)}}}" if i == 0 else ""
    below = "".join(
        rf"\par\smallskip{{\footnotesize\raggedright {_note(note)}\par}}" + "\n"
        for note in page.notes
    )
    return "".join(
        [
            f"\\begin{{{kind}}}[htbp]\n\\centering\n",
            "\\addtocounter{table}{-1}\n" if i else "",
            f"\\caption{{{breakable(' '.join(page.sentences))}}}\n{named}\n\\smallskip\n",
            f"\\fittedtable{{%\n{_booktabs(tabular, page)}%\n}}\n" if page.rows or i == 0 else "",
            f"{below}\\end{{{kind}}}\n",
        ]
    )


def _note(note: Note) -> str:
    about, text = note
    return (rf"\emph{{{breakable(about)}}}: " if about else "") + breakable(text)


def _booktabs(tabular: Tabular, page: _Page) -> str:
    lines = [rf"{' & '.join(line)} \\" for line in tabular.heads]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{tabular.columns}}}",
            *("\\toprule", *lines, *_body(tabular, page), "\\bottomrule"),
            r"\end{tabular}",
        ]
    )


def _body(tabular: Tabular, page: _Page) -> Iterator[str]:
    above = None
    for place, row in page.rows:
        if place != above:
            yield r"\midrule"
            if title := tabular.groups[place].title:
                yield rf"\multicolumn{{{tabular.n}}}{{l}}{{\emph{{{title}}}}} \\"
        above = place
        yield rf"{' & '.join(row)} \\"
