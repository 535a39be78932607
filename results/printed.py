"""A printed number, its table and its paper, as :mod:`results.published` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from deep_em_bench.core.schema import Strict

__all__ = ["Entry", "Paper", "PublishedTable", "Selected", "Split", "Unit"]

Split = Literal["train", "test", "all"]
Unit = Literal["share", "percent", "score", "count", "class"]
Selected = Literal["best run", "best epoch"]


class Paper(Strict, frozen=True, kw_only=True):
    """A paper, and what is wrong with all of its tables."""

    name: str
    title: str
    cite: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One printed number. None: neither the paper nor its code says."""

    paper: Paper
    table: str
    """Where it is printed, as in "Table 1"."""
    row: str
    column: str
    printed: str
    """As printed, unit and K left out, as in "4.20(±0.51)"."""
    value: float
    """In the metric's own unit: a printed percentage is divided by 100."""
    std: float | None
    resolution: float
    """One unit of the last printed digit, in the same unit as ``value``."""
    bold: bool
    unit: Unit
    metric_printed: str
    metric: str
    """What it really is: a registered name, or "unknown"."""
    beside: tuple[str, ...]
    """Our metrics that it may be compared with."""
    dataset: str
    words: Mapping[str, Any]
    """Words of the data set that pick out what was clustered."""
    setting: Mapping[str, Any]
    """Words of the data set that are the paper's protocol."""
    features: str
    n: int | None
    """Points that were fitted on."""
    split: Split | None
    """Where it was scored."""
    n_clusters: int | None
    labelled: int
    """Labelled points that the fit saw."""
    runs: int | None
    selected: Selected | None
    """What was reported; None: the last state of every run, or unknown."""
    source: str
    suites: tuple[str, ...]
    """Suites of ours with a counterpart."""
    method: str
    """The registered name of the counterpart, or the one it would have."""
    presets: tuple[str, ...]
    """The counterpart's presets that are the paper's method; empty: any."""
    params: Mapping[str, Any]
    """Parameters that tell the counterpart from its variants."""
    remarks: tuple[str, ...]
    """What is wrong with this number, apart from its table and paper."""

    @property
    def where(self) -> str:
        """As in "GANMM Table 1"."""
        return f"{self.paper.name} {self.table}"


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A printed table, or the part of one whose numbers share their facts."""

    paper: Paper
    table: str
    title: str
    remark: str
    columns: tuple[str, ...]
    column_remarks: Mapping[str, str]
    rows: tuple[tuple[str, tuple[Entry | None, ...]], ...]
    """Name and cells of each row, in the order of the columns; None for an empty cell."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every number, row by row."""
        return tuple(entry for _, cells in self.rows for entry in cells if entry)
