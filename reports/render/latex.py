r"""Tables and figures as LaTeX: booktabs, the best in bold, every foreign string escaped.

A fragment needs ``\usepackage{booktabs}`` and, for figures, ``graphicx``, as its first line says.
A table fits the line it stands in: long names are broken, it is set at the largest of four sizes
at which it is no wider than the line, one of many columns goes across both columns of a paper that
has two, and one of many rows goes on in another float.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from deep_em_bench.metrics import Direction
from deep_em_bench.reports.data.titles import slugs
from deep_em_bench.reports.render.escaping import breakable, escape, named
from deep_em_bench.reports.tables.clusters import Clusters
from deep_em_bench.reports.tables.model import Cell, Column, Group, Note, Table, written

__all__ = ["cluster_floats", "figure_floats", "fragment", "latex", "standalone"]

ARROWS: Mapping[Direction, str] = {
    "lower": r"\,$\downarrow$",
    "higher": r"\,$\uparrow$",
    "none": "",
}

NARROW = 4
"""Columns of a table that fits one column of a paper that has two."""

ROWS, TEXT = 34, 3600
"""Rows and characters of notes in one float, which cannot break over pages."""

ABREAST = 3
"""Small tables side by side."""

LONG = 34
"""Characters of a cell from which it is broken over lines."""

PACKAGES = r"\usepackage{booktabs,graphicx}"

FITTED = r"""\providecommand{\fittedtable}[1]{% at the largest of four sizes that fits the line
  \small\setlength{\tabcolsep}{4pt}\setbox0=\hbox{#1}%
  \ifdim\wd0>\linewidth\footnotesize\setlength{\tabcolsep}{3pt}\setbox0=\hbox{#1}\fi
  \ifdim\wd0>\linewidth\scriptsize\setlength{\tabcolsep}{2pt}\setbox0=\hbox{#1}\fi
  \ifdim\wd0>\linewidth\tiny\setlength{\tabcolsep}{0.6pt}\setbox0=\hbox{#1}\fi
  \leavevmode\box0 }
"""
"""What sets every table; defined in every file, since each may be used without the others."""

PREAMBLE = rf"""\documentclass{{article}}
\usepackage[a4paper, margin=2.5cm]{{geometry}}
{PACKAGES}
\extrafloats{{500}}
{FITTED}\begin{{document}}
"""
"""Without text between them floats wait for the end: LaTeX by itself keeps some fifty."""


def latex(tables: Sequence[Table]) -> str:
    """A float for each table, or several for a long one."""
    labels = slugs(table.name for table in tables)
    return "\n".join(part for table in tables for part in _floats(table, labels[table.name]))


def cluster_floats(clusters: Sequence[Clusters]) -> str:
    """The tables of each block, some abreast."""
    labels = slugs(f"clusters {each.block.name}" for each in clusters)
    return "\n".join(
        part
        for each, label in zip(clusters, labels.values(), strict=True)
        for part in _abreast(each, label)
    )


def figure_floats(figures: Mapping[str, str]) -> str:
    """A float for each figure: its caption by the stem of its file."""
    return "\n".join(
        f"\\begin{{figure}}[htbp]\n\\centering\n\\includegraphics[width=\\linewidth]{{{stem}}}\n"
        f"\\caption{{{breakable(caption)}}}\n\\label{{fig:{stem}}}\n\\end{{figure}}\n"
        for stem, caption in figures.items()
    )


def fragment(parts: str) -> str:
    r"""The text of a file to ``\input``; its first line names the packages."""
    return f"% needs {PACKAGES} in the preamble\n{FITTED}{parts}"


def standalone(*parts: str) -> str:
    """A document that compiles by itself."""
    return PREAMBLE + "\n".join(parts) + "\\end{document}\n"


def _floats(table: Table, name: str) -> Iterator[str]:
    pages = list(_pages(table))
    for i, (part, notes) in enumerate(pages):
        sentences = part.caption if i == 0 else (part.caption[0], "Continued.")
        label = rf"\label{{tab:{name}}}" if i == 0 else ""
        body = f"\\fittedtable{{%\n{_tabular(part)}%\n}}\n" if part.lines or not i else ""
        wide = len(table.columns) > NARROW
        yield _float(body, sentences, notes, label, wide=wide, again=i > 0)


def _pages(table: Table) -> Iterator[tuple[Table, Sequence[Note]]]:
    """Parts of no more rows than fit a page, and after the last its notes, as many as fit."""
    part: list[Group] = []
    room = ROWS
    for group in table.groups:
        lines = group.lines
        while lines:
            if room <= 2:
                yield replace(table, groups=tuple(part)), ()
                part, room = [], ROWS
            here, lines = lines[: room - 1], lines[room - 1 :]
            part.append(replace(group, lines=here))
            room -= len(here) + 1
    notes = [
        (about, piece) for about, text in table.notes for piece in textwrap.wrap(text, TEXT // 2)
    ]
    chunks: list[list[Note]] = [[]]
    used = (ROWS - room) * TEXT // ROWS // 2
    for about, text in notes:
        used += len(about) + len(text) + 40
        if used > TEXT and chunks[-1]:
            chunks.append([])
            used = len(text)
        chunks[-1].append((about, text))
    yield replace(table, groups=tuple(part)), chunks[0]
    for chunk in chunks[1:]:
        yield replace(table, groups=()), chunk


def _float(
    body: str,
    caption: Sequence[str],
    notes: Sequence[Note],
    label: str,
    *,
    wide: bool,
    again: bool = False,
) -> str:
    kind = "table*" if wide else "table"
    below = "".join(
        rf"\par\smallskip{{\footnotesize\raggedright {_note(note)}\par}}" + "\n" for note in notes
    )
    counter = "\\addtocounter{table}{-1}\n" if again else ""
    return (
        f"\\begin{{{kind}}}[htbp]\n\\centering\n{counter}"
        f"\\caption{{{breakable(' '.join(caption))}}}\n{label}\n\\smallskip\n"
        f"{body}{below}\\end{{{kind}}}\n"
    )


def _abreast(clusters: Clusters, name: str) -> Iterator[str]:
    for first in range(0, len(clusters.tables), ABREAST):
        some = clusters.tables[first : first + ABREAST]
        parts = [
            rf"\begin{{tabular}}[t]{{@{{}}c@{{}}}}{named(table.title)}\\[2pt]"
            f"\n{_tabular(table, place='[t]')}\\end{{tabular}}"
            for table in some
        ]
        body = "\\fittedtable{%\n" + "\\qquad\n".join(parts) + "%\n}\n"
        notes = [note for table in some for note in table.notes]
        label = rf"\label{{tab:{name}{f'-{first}' if first else ''}}}"
        yield _float(body, clusters.caption, notes, label, wide=True)


def _note(note: Note) -> str:
    about, text = note
    return (rf"\emph{{{breakable(about)}}}: " if about else "") + breakable(text)


def _tabular(table: Table, place: str = "") -> str:
    spec = "".join("r" if column.numeric else "l" for column in table.columns)
    heads = " & ".join(_head(column, i) for i, column in enumerate(table.columns))
    return "\n".join(
        [
            rf"\begin{{tabular}}{place}{{{spec}}}",
            "\\toprule",
            rf"{heads} \\",
            *_body(table),
            "\\bottomrule",
            r"\end{tabular}",
        ]
    )


def _head(column: Column, i: int) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    text = f"{column.title}{unit}"
    title = named(text, r"\parbox[b]{6em}{\raggedleft\hspace{0pt}", 16) if i else escape(text)
    return f"{title}{ARROWS[column.direction]}"


def _body(table: Table) -> Iterator[str]:
    for group in table.groups:
        yield r"\midrule"
        if group.title:
            title = rf"\emph{{{escape(group.title)}}}"
            yield rf"\multicolumn{{{len(table.columns)}}}{{l}}{{{title}}} \\"
        for line in group.lines:
            cells = (_cell(c, table.columns[i], i) for i, c in enumerate(line.cells))
            yield rf"{' & '.join(cells)} \\"


def _cell(cell: Cell, column: Column, i: int) -> str:
    text, small = written(cell, column)
    if cell.items:
        text = "; ".join([*filter(None, [text]), *cell.items])
    if i == 0 or not column.numeric:
        text = named(text, r"\parbox[t]{14em}{\raggedright ", LONG)
    else:
        text = escape(text.replace("-", "−"))  # a minus, not a hyphen
    if cell.best:
        text = rf"\textbf{{{text}}}"
    if small.startswith("±"):
        spread, _, mark = small.removeprefix("± ").partition(" ")
        return text + rf"$\scriptstyle\,\pm\,{spread}$" + (f" {escape(mark)}" if mark else "")
    return f"{text} {escape(small)}" if small else text
