r"""The comparison table as LaTeX: booktabs, best means in bold, every foreign string escaped.

A fragment needs ``\usepackage{booktabs}`` and nothing else, as its first line says. It fits the
line it stands in: long names are broken, a table is set at the largest of four sizes at which it
is no wider than the line, and one of many columns goes across both columns of a paper that has
two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deep_em_bench.reports.caption import caption
from deep_em_bench.reports.escaping import escape, named, spread
from deep_em_bench.reports.floats import Group, Note, Tabular, floating
from deep_em_bench.reports.summary import Block, Statistic, direction
from deep_em_bench.reports.tables import Part, parts
from deep_em_bench.reports.text import (
    ABSENT,
    EXTRACTORS,
    REAL_IMAGES,
    SPLIT_NAMES,
    named_seeds,
    number,
    seconds,
)

__all__ = ["ARROWS", "HEADINGS", "comparison", "fragment", "standalone"]

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

PACKAGES = r"\usepackage{booktabs}"

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


def comparison(blocks: Sequence[Block], shown: Sequence[str]) -> str:
    """The comparison tables of all blocks."""
    return "\n".join(_comparison(block, shown) for block in blocks)


def fragment(tables: str) -> str:
    r"""``tables`` as the text of a file to ``\input``; its first line names the package."""
    return f"% needs {PACKAGES} in the preamble\n{FITTED}{tables}"


def standalone(*tables: str) -> str:
    """``tables`` as a document that compiles by itself."""
    return PREAMBLE + "\n".join(tables) + "\\end{document}\n"


def _comparison(block: Block, shown: Sequence[str]) -> str:
    notes = [
        (failed.status, f"{failed.label}, {named_seeds(failed.seeds)}: {failed.message}")
        for failed in block.failures
    ]
    found = parts(block, shown)
    return "\n".join(_table(block, part, notes if part is found[-1] else []) for part in found)


def _table(block: Block, part: Part, notes: Sequence[Note]) -> str:
    heads = [f"{escape(HEADINGS.get(m, m))}{ARROWS[direction(m)]}" for m in part.columns]
    heads += [*(["Parameters"] if part.sized else []), "Fit (s)", "$n$"]
    titled = len(part.splits) > 1 or part.splits == ("test",)
    groups = [
        Group(title=SPLIT_NAMES[split] if titled else "", rows=list(_lines(block, part, split)))
        for split in part.splits
    ]
    if part.samples and any(block.real(metric) for metric in part.columns):
        cells = [_cell(block.real(metric), metric) for metric in part.columns]
        blank = [""] * (len(heads) - len(cells))
        groups.append(Group(rows=[[rf"\emph{{{REAL_IMAGES}}}", *cells, *blank]]))
    columns = "l" + "r" * len(heads)
    tabular = Tabular(columns=columns, heads=[["Method", *heads]], groups=groups)
    name = block.place
    if part.samples:
        name += " components" if part.components else " samples"
    sentences = caption(block, mark="in bold", columns=part.columns)
    return floating(tabular, sentences, name, notes)


def _lines(block: Block, part: Part, split: str) -> Iterator[list[str]]:
    for row in part.rows:
        fit = f"{seconds(row.fit_s.mean)} {block.ran_on(row)}" if row.fit_s else escape(ABSENT)
        cells = [
            _cell(row.statistic(split, metric), metric, row.label in block.best(split, metric))
            for metric in part.columns
        ]
        if part.sized:
            size = row.n_parameters
            cells.append(escape(ABSENT) if size is None else f"{size:,}")
        yield [named(row.label), *cells, fit.strip(), row.n]


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
