"""The comparison table for the terminal, and all its numbers as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from deep_em_bench.reports.caption import caption
from deep_em_bench.reports.summary import Block, Row, Statistic, direction
from deep_em_bench.reports.text import (
    ABSENT,
    ARROWS,
    EXTRACTORS,
    REAL_IMAGES,
    SPLIT_NAMES,
    device_of,
    named_seeds,
    number,
    of_components,
    of_samples,
    seconds,
)
from deep_em_bench.results import Record

__all__ = [
    "Part",
    "aligned",
    "console",
    "measured",
    "parts",
    "printable",
    "shown_metrics",
    "to_csv",
    "to_json",
]

SHOWN = (
    *("error_rate_classes", "error_rate", "purity", "ari", "nmi", "active_clusters"),
    "knn_accuracy",
    *(
        f"{score}_{net}"
        for net in EXTRACTORS
        for score in ("is", "fid", "kid", "is_between", "is_within", "fid_within")
    ),
)
"""Metrics with a column in the tables for people; the rest is in CSV and JSON."""

CSV_COLUMNS = (
    *("suite", "profile", "dataset", "n_clusters", "label", "method", "preset", "split"),
    *("metric", "direction", "mean", "std", "median", "n", "n_ok", "n_runs", "best"),
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A table of its own: the scores of labels, of samples, or of samples by component."""

    splits: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def samples(self) -> bool:
        """Whether it holds scores of samples, which may have those of real images below."""
        return self.splits == ("generation",)

    @property
    def components(self) -> bool:
        """Whether these are the scores of the components' samples, each by itself."""
        return any(map(of_components, self.columns))

    @property
    def sized(self) -> bool:
        """Whether the rows have the sizes of their models: once, with the scores of samples."""
        return self.samples and not self.components


def parts(block: Block, shown: Sequence[str]) -> list[Part]:
    """The tables of a block with these columns: one of its labels' scores, one of its samples'.

    A third one, where any method's components were scored one by one, has the rows that were.
    Where nothing has a number, there is one of the rows alone.
    """
    drawn = tuple(name for name in shown if name in block.metrics("generation"))
    whole = tuple(name for name in drawn if not of_components(name))
    apart = tuple(name for name in drawn if of_components(name))
    labelled = tuple(split for split in block.splits(shown) if split != "generation")
    found = []
    if labelled or not drawn:
        of_labels = {name for split in labelled for name in block.metrics(split)}
        columns = (name for name in shown if name in of_labels or not of_samples(name))
        found.append(Part(splits=labelled or ("train",), columns=tuple(columns), rows=block.rows))
    if whole:
        found.append(Part(splits=("generation",), columns=whole, rows=block.generative))
    if apart:
        rows = (row for row in block.rows if any(_scored(record, apart) for record in row.ok))
        found.append(Part(splits=("generation",), columns=apart, rows=tuple(rows)))
    return found


def _scored(record: Record, names: Sequence[str]) -> bool:
    return not record.metrics.generation.keys().isdisjoint(names)


def measured(blocks: Sequence[Block]) -> list[str]:
    """Every metric that any table has a number of."""
    pairs = [(block, split) for block in blocks for split in block.splits()]
    return sorted({name for block, split in pairs for name in block.metrics(split)})


def shown_metrics(blocks: Sequence[Block]) -> list[str]:
    """The metrics with a column when none were asked for: :data:`SHOWN`, else all there are."""
    found = measured(blocks)
    return [name for name in SHOWN if name in found] or found


def console(blocks: Sequence[Block], shown: Sequence[str]) -> str:
    """One aligned plain-text table a block, its best means marked with an asterisk."""
    return "\n\n".join("\n".join(_console(block, shown)) for block in blocks)


def aligned(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """The cells of each line in columns, the first to the left and the others to the right."""
    widths = [max(map(_width, column)) for column in zip_longest(*lines, fillvalue="")]
    for line in lines:
        cells = (
            _pad(text, width, left=i == 0)
            for i, (text, width) in enumerate(zip(line, widths, strict=False))
        )
        yield "  ".join(cells).rstrip()


def printable(text: str) -> str:
    """``text`` with nothing that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def to_csv(blocks: Sequence[Block]) -> str:
    """Every number of every table, one a line: mean, spread, median, counts, whether it is best.

    Real images in the place of samples have the label "real images" and no method. Fit seconds
    have the metric name ``fit_s`` and no split. A row without a result keeps its lines, with the
    numbers empty and ``n_ok`` 0.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for block in blocks:
        for row in block.rows:
            method = row.records[0].method
            for split, metric, statistic in _numbers(block, row):
                writer.writerow(
                    {
                        "suite": block.suite,
                        "profile": block.profile,
                        "dataset": block.dataset,
                        "n_clusters": block.n_clusters,
                        "label": row.label,
                        "method": method.name,
                        "preset": method.preset,
                        "split": split,
                        "metric": metric,
                        "direction": direction(metric),
                        **(_held(statistic) if statistic else {}),
                        "n_ok": len(row.ok),
                        "n_runs": len(row.records),
                        "best": int(row.label in block.best(split, metric)),
                    }
                )
        for metric, statistic in _real(block):
            writer.writerow(
                {
                    "suite": block.suite,
                    "profile": block.profile,
                    "dataset": block.dataset,
                    "n_clusters": block.n_clusters,
                    "label": REAL_IMAGES,
                    "split": "generation",
                    "metric": metric,
                    "direction": direction(metric),
                    **_held(statistic),
                    "best": 0,
                }
            )
    return text.getvalue()


def to_json(blocks: Sequence[Block]) -> str:
    """The tables as JSON, a line a row: captions, rows with all statistics, failures."""
    return "[\n" + ",\n".join(_written(_json(block)) for block in blocks) + "\n]\n"


def _written(block: dict[str, Any]) -> str:
    """Line by line: an indented text of all would take five times as long to write and to read."""
    lines = []
    for name, value in block.items():
        if isinstance(value, list) and value:
            items = ",\n  ".join(json.dumps(item, allow_nan=False) for item in value)
            lines.append(f' "{name}": [\n  {items}\n ]')
        else:
            lines.append(f' "{name}": {json.dumps(value, allow_nan=False)}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _json(block: Block) -> dict[str, Any]:
    return {
        "suite": block.suite,
        "profile": block.profile,
        "dataset": block.dataset,
        "n": block.n,
        "n_test": block.n_test,
        "n_clusters": block.n_clusters,
        "seeds": block.seeds,
        "caption": " ".join(caption(block, mark="marked")),
        "mixed": block.mixed,
        "rows": [
            {
                "label": row.label,
                "method": row.records[0].method.name,
                "preset": row.records[0].method.preset,
                "params": row.records[0].method.params,
                "n_parameters": row.n_parameters,
                "devices": sorted({device_of(record) for record in row.ok}),
                "seeds": row.seeds,
                "n_ok": len(row.ok),
                "n_runs": len(row.records),
                "numbers": [
                    {
                        "split": split,
                        "metric": metric,
                        "direction": direction(metric),
                        "best": row.label in block.best(split, metric),
                        **_held(statistic),
                    }
                    for split, metric, statistic in _numbers(block, row)
                    if statistic
                ],
            }
            for row in block.rows
        ],
        "real_images": [
            {"metric": metric, "direction": direction(metric), **_held(statistic)}
            for metric, statistic in _real(block)
        ],
        "extractors": [dict(net) for net in block.extractors],
        "failures": [vars(failed) for failed in block.failures],
    }


def _held(statistic: Statistic) -> dict[str, Any]:
    """Its fields, uncopied."""
    return dict(vars(statistic))


def _numbers(block: Block, row: Row) -> Iterator[tuple[str, str, Statistic | None]]:
    for split in block.splits():
        for metric in block.metrics(split):
            yield split, metric, row.statistic(split, metric)
    yield "", "fit_s", row.fit_s


def _real(block: Block) -> Iterator[tuple[str, Statistic]]:
    """The scores of the real images by metric."""
    names = {name for record in block.records for name in record.metrics.real}
    for name in sorted(names):
        if (statistic := block.real(name)) is not None:
            yield name, statistic


def _console(block: Block, shown: Sequence[str]) -> Iterator[str]:
    said = caption(block, mark="marked *", columns=shown)
    yield from (printable(sentence) for sentence in said)
    for part in parts(block, shown):
        yield ""
        yield from aligned(list(_lines(block, part)))
    if block.failures:
        yield ""
    for failed in block.failures:
        seeds = named_seeds(failed.seeds)
        yield printable(f"{failed.status}: {failed.label}, {seeds}: {failed.message}")


def _lines(block: Block, part: Part) -> Iterator[list[str]]:
    columns = [f"{name} {ARROWS[direction(name)]}".strip() for name in part.columns]
    yield ["", *columns, *(["parameters"] if part.sized else []), "fit s", "n"]
    for split in part.splits:
        yield [SPLIT_NAMES[split] + (" by component" if part.components else "")]
        for row in part.rows:
            fit = f"{seconds(row.fit_s.mean)} {block.ran_on(row)}" if row.fit_s else ABSENT
            cells = [
                _cell(row.statistic(split, name), name, row.label in block.best(split, name))
                for name in part.columns
            ]
            size = [f"{row.n_parameters:,}" if row.n_parameters is not None else ABSENT]
            yield [
                *(f"  {printable(row.label)}", *cells, *(size if part.sized else [])),
                *(fit.strip(), row.n),
            ]
    if part.samples and any(block.real(name) for name in part.columns):
        yield []
        yield [f"  {REAL_IMAGES}", *(_cell(block.real(name), name) for name in part.columns)]


def _cell(statistic: Statistic | None, metric: str, best: bool = False) -> str:
    if statistic is None:
        return f"{ABSENT} "
    mean, std = statistic.mean, statistic.std
    spread = "" if std is None else f" ± {number(std, metric, mean)}"
    return number(mean, metric) + spread + ("*" if best else " ")


def _pad(text: str, width: int, *, left: bool) -> str:
    blanks = " " * (width - _width(text))
    return text + blanks if left else blanks + text


def _width(text: str) -> int:
    """Columns of a terminal that the text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
