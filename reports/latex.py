r"""The comparison table as LaTeX: booktabs, best means in bold, every foreign string escaped.

A fragment needs ``\usepackage{booktabs}`` and nothing else, as its first line says. It fits the
line it stands in: long names are broken, a table is set at the largest of four sizes at which it
is no wider than the line, and one of many columns goes across both columns of a paper that has
two.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Sequence

from reports.caption import caption
from reports.summary import Block, Statistic, direction
from reports.tables import Part, parts
from reports.text import (
    ABSENT,
    EXTRACTORS,
    PIECES,
    REAL_IMAGES,
    SPLIT_NAMES,
    named_seeds,
    number,
    seconds,
    slug,
)

__all__ = [
    "booktabs",
    "breakable",
    "comparison",
    "escape",
    "floating",
    "fragment",
    "named",
    "spread",
    "standalone",
]

HEADINGS = {
    "error_rate": "Error",
    "error_rate_classes": "Error (classes)",
    "error_rate_majority": "Error (many-to-one)",
    "error_rate_class_mode": "Error (class mode)",
    "purity": "Purity",
    "ari": "ARI",
    "rand_index": "Rand",
    "nmi": "NMI",
    "nmi_arithmetic": "NMI (arithmetic)",
    "active_clusters": "Clusters",
    "min_cluster_share": "Smallest share",
    "knn_accuracy": "k-NN accuracy",
    "n_parameters": "Parameters",
    **{
        f"{score}_{net}": f"{head} ({known})"
        for net, known in EXTRACTORS.items()
        for score, head in (
            *(("is", "IS"), ("fid", "FID"), ("kid", "KID")),
            *(("is_between", "IS between"), ("is_within", "IS within")),
            *(("fid_within", "FID within"),),
        )
    },
}
"""Column heads; a metric without one is headed by its name."""

ARROWS = {"lower": r"\,$\downarrow$", "higher": r"\,$\uparrow$", "none": ""}

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

PACKAGES = r"\usepackage{booktabs}"

FITTED = r"""\providecommand{\fittedtable}[1]{% at the largest of four sizes that fits the line
  \small\setlength{\tabcolsep}{4pt}\setbox0=\hbox{#1}%
  \ifdim\wd0>\linewidth\footnotesize\setlength{\tabcolsep}{3pt}\setbox0=\hbox{#1}\fi
  \ifdim\wd0>\linewidth\scriptsize\setlength{\tabcolsep}{2pt}\setbox0=\hbox{#1}\fi
  \ifdim\wd0>\linewidth\tiny\setlength{\tabcolsep}{0.6pt}\setbox0=\hbox{#1}\fi
  \leavevmode\box0 }
"""
"""What sets every table; defined in every file, since each may be used without the others."""

NARROW = 3
"""Columns of a table that fits one column of a paper that has two."""

PREAMBLE = rf"""\documentclass{{article}}
\usepackage[a4paper, margin=2.5cm]{{geometry}}
{PACKAGES}
{FITTED}\begin{{document}}
"""


def comparison(blocks: Sequence[Block], shown: Sequence[str]) -> str:
    """The comparison tables of all blocks, one ``table`` environment each."""
    return "\n".join(_comparison(block, shown) for block in blocks)


def fragment(tables: str) -> str:
    r"""``tables`` as the text of a file to ``\input``; its first line names the package."""
    return f"% needs {PACKAGES} in the preamble\n{FITTED}{tables}"


def standalone(*tables: str) -> str:
    """``tables`` as a document that compiles by itself."""
    return PREAMBLE + "\n".join(tables) + "\\end{document}\n"


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
        # A row that began with a bracket or a star would give it to the \\ or rule before it.
        return ("{}" if name.startswith(("[", "*")) else "") + escape(name)
    return rf"{box}{breakable(name)}\strut}}"


def spread(std: str) -> str:
    """A standard deviation after its mean: smaller than it, at any size of the table."""
    return rf"$\scriptstyle\,\pm\,{std}$"


def booktabs(heads: Sequence[Sequence[str]], body: Sequence[Sequence[str]], columns: str) -> str:
    """A ``tabular`` with these columns: lines of heads, and below a rule lines of cells."""
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *(rf"{' & '.join(line)} \\" for line in heads),
            r"\midrule",
            *(rf"{' & '.join(line)} \\" for line in body),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def floating(tabular: str, sentences: Sequence[str], label: str, notes: Sequence[str] = ()) -> str:
    """A float around ``tabular``: caption above, notes below, no overfull line."""
    below = "".join(
        rf"\par\smallskip{{\footnotesize\raggedright {note}\par}}" + "\n" for note in notes
    )
    columns = 1 + max(line.replace(r"\&", "").count("&") for line in tabular.splitlines())
    kind = "table" if columns <= NARROW else "table*"
    return (
        f"\\begin{{{kind}}}[htbp]\n\\centering\n"
        f"\\caption{{{breakable(' '.join(sentences))}}}\n\\label{{tab:{slug(label)}}}\n"
        f"\\smallskip\n\\fittedtable{{%\n{tabular.strip()}%\n}}\n{below}\\end{{{kind}}}\n"
    )


def _comparison(block: Block, shown: Sequence[str]) -> str:
    notes = [
        rf"\emph{{{failed.status}}}: "
        + breakable(f"{failed.label}, {named_seeds(failed.seeds)}: {failed.message}")
        for failed in block.failures
    ]
    found = parts(block, shown)
    return "\n".join(_table(block, part, notes if part is found[-1] else []) for part in found)


def _table(block: Block, part: Part, notes: Sequence[str]) -> str:
    heads = [f"{escape(HEADINGS.get(m, m))}{ARROWS[direction(m)]}" for m in part.columns]
    names = ["Split", "Method"]
    numbers = [*heads, *(["Parameters"] if part.sized else []), "Fit (s)", "$n$"]
    body = [line for split in part.splits for line in _lines(block, part, split)]
    if part.samples and any(block.real(metric) for metric in part.columns):
        cells = [_cell(block.real(metric), metric) for metric in part.columns]
        blank = [""] * (len(numbers) - len(cells))
        body.append(["", f"\\midrule\n\\emph{{{REAL_IMAGES}}}", *cells, *blank])
    left_out = len(part.splits) < 2  # the split
    lines = [line[left_out:] for line in ([*names, *numbers], *body)]
    columns = "l" * (len(names) - left_out) + "r" * len(numbers)
    tabular = booktabs(lines[:1], lines[1:], columns)
    name = block.place
    if part.samples:
        name += " components" if part.components else " samples"
    sentences = caption(block, mark="in bold", columns=part.columns)
    return floating(tabular, sentences, name, notes)


def _lines(block: Block, part: Part, split: str) -> Iterator[list[str]]:
    for i, row in enumerate(part.rows):
        rule = "\\midrule\n" if i == 0 and split != part.splits[0] else ""
        fit = f"{seconds(row.fit_s.mean)} {block.ran_on(row)}" if row.fit_s else escape(ABSENT)
        cells = [
            _cell(row.statistic(split, metric), metric, row.label in block.best(split, metric))
            for metric in part.columns
        ]
        if part.sized:
            size = row.n_parameters
            cells.append(escape(ABSENT) if size is None else f"{size:,}")
        yield [
            rule + (SPLIT_NAMES[split] if i == 0 else ""),
            named(row.label),
            *cells,
            fit.strip(),
            row.n,
        ]


def _cell(statistic: Statistic | None, metric: str, best: bool = False) -> str:
    if statistic is None:
        return escape(ABSENT)
    mean = _signed(number(statistic.mean, metric))
    if best:
        mean = rf"\textbf{{{mean}}}"
    if statistic.std is None:
        return mean
    return mean + spread(number(statistic.std, metric, statistic.mean))


def _signed(text: str) -> str:
    return text.replace("-", "$-$")


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
