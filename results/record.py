"""The record of one cell: what was run, on what, how it ended and what came out.

A record is one JSON file, a line a top-level key, with ``history`` last and a line each of its
rows: a reader that needs no history can stop there, and a diff of two records reads well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import numpy as np

from deep_em_bench.core import DataError, UnreadableError
from deep_em_bench.results.decode import ADDED, decode

__all__ = [
    "SCHEMA",
    "DatasetUsed",
    "Failure",
    "MethodUsed",
    "Provenance",
    "Record",
    "Resources",
    "Scores",
    "Status",
    "Timing",
]

SCHEMA = 1

Status = Literal["ok", "failed", "timeout", "memory", "diverged"]
"""How a cell ended: well; by an error; over its limit of seconds, or of memory; not finite."""

KEY = re.compile(r"[0-9a-f]{64}")
HISTORY_START = '\n"history": ['
END = "]\n}\n"


@dataclass(frozen=True, kw_only=True)
class DatasetUsed:
    """The data of a cell, as ``DatasetUsed(**dataset.describe())``; a None is not known."""

    name: str
    words: Mapping[str, Any] = field(default_factory=dict)
    """The words that ``datasets.load`` went by: subset, split, features, ..."""
    n: int | None = None
    """Training points, after the subset was drawn."""
    n_test: int | None = None
    """Held-out points; 0 without a held-out split."""
    shape: tuple[int, ...] | None = None
    """Of one point: (C, H, W) or (D,)."""
    n_classes: int | None = None
    class_names: tuple[str, ...] = field(default=(), metadata=ADDED)
    """In the order of the class ids; empty where not known."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    where: str | None = field(default=None, metadata=ADDED)
    """Whence the data came, as an address or a description."""

    def __post_init__(self) -> None:
        if self.shape is not None:
            object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "class_names", tuple(self.class_names))

    @property
    def title(self) -> str:
        """The name with the words that are set.

        >>> DatasetUsed(name="mnist", words={"subset": 10000, "features": None}).title
        'mnist(subset=10000)'
        """
        words = [f"{k}={v}" for k, v in sorted(self.words.items()) if v is not None]
        return f"{self.name}({', '.join(words)})" if words else self.name


@dataclass(frozen=True, kw_only=True)
class MethodUsed:
    """The method of a cell with all its resolved parameters."""

    name: str
    preset: str
    params: Mapping[str, Any] = field(default_factory=dict)
    n_parameters: int | None = None
    """Numbers the fitted model consists of; None where nothing was fitted."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a cell has no result."""

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Metric values by split and registered name; None where the value is not finite."""

    train: Mapping[str, float | None] = field(default_factory=dict)
    test: Mapping[str, float | None] = field(default_factory=dict)
    generation: Mapping[str, float | None] = field(default_factory=dict)
    """Of samples against real images: the held-out ones where there are some, else the fitted."""
    real: Mapping[str, float | None] = field(default_factory=dict, metadata=ADDED)
    """Of real images in the place of samples: floor of the distances, ceiling of the inception
    score; see :func:`floor`."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Wall-clock seconds; None for what did not happen or the method does not tell apart.

    Points of the curve over training (``generation_seconds`` of the history's rows) are left out
    of ``fit_s``, so that it is the method's own with a curve and without. Scores of samples are in
    ``evaluate_s``; extractors and the real images' own features and scores, which come before the
    fit, are in none of these.
    """

    fit_s: float | None = None
    m_step_s: float | None = None
    e_step_s: float | None = None
    predict_s: float | None = None
    evaluate_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the cell's own process ran on and used at its peak (MB = 2**20 bytes)."""

    peak_rss_mb: float | None = None
    peak_gpu_mb: float | None = None
    threads: int | None = None
    jobs: int = 1
    """Cells that ran at the same time: timings with more than one are no benchmark."""
    device: str = "cpu"
    precision: str | None = None
    """Of the nets, as in "fp32"; None for a method without one."""
    compile: bool | None = field(default=None, metadata=ADDED)
    """Whether the nets were compiled; None for a method that has none, or where not known."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Which code, on which machine, when."""

    code: str
    """sha256 of the method's own code: records of one label are compared only at equal code."""
    metrics_version: str
    """``metrics.VERSION`` at scoring."""
    git_sha: str | None = None
    dirty: bool | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    os: str = ""
    cpu: str = ""
    gpu: str | None = None
    utc: str = ""
    """When the cell ended, ISO 8601."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One cell: data set x method x seed under a profile.

    Raises :class:`DataError` for a key that is not 64 hexadecimal digits, and when ``error``
    does not go with ``status``: ``ok`` has none, every other status has one.
    """

    schema: int = SCHEMA
    key: str
    """sha256 of the cell's canonical JSON."""
    suite: str
    profile: str
    label: str
    """The row of the suite's table."""
    dataset: DatasetUsed
    n_clusters: int
    method: MethodUsed
    seed: int
    status: Status
    error: Failure | None = None
    metrics: Scores = field(default_factory=Scores)
    timing: Timing = field(default_factory=Timing)
    resources: Resources = field(default_factory=Resources)
    provenance: Provenance
    generation: Mapping[str, int] = field(default_factory=dict, metadata=ADDED)
    """The suite's ``[generation]``: n, every, n_curve; empty where no samples are scored."""
    extractors: tuple[Mapping[str, Any], ...] = field(default=(), metadata=ADDED)
    """The nets behind the generation scores: ``metrics.features.Extractor.describe()``, and how
    many images they saw: ``n_real``, ``n_fake``, ``n_floor`` (a side), ``n_curve`` (a point)."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """sha256 of each file beside the record; :meth:`Store.write` fills it."""
    history: tuple[Mapping[str, Any], ...] = ()
    """One row an EM iteration, keys the method's own; numbers that are not finite become None."""

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise DataError(f"key `key` is {self.key!r}, expected 64 hexadecimal digits")
        if self.status == "ok" and self.error is not None:
            raise DataError(f"key `error` is {self.error.type!r} with status 'ok', expected null")
        if self.status != "ok" and self.error is None:
            raise DataError(f"key `error` is null with status {self.status!r}, expected the error")

    def to_json(self) -> str:
        """The file's text. No bare NaN or Infinity: see :func:`_plain`.

        Raises :class:`DataError` for a value that JSON cannot hold.
        """
        lines = []
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name != "history":
                settings = item.name in ("dataset", "method")
                lines.append(f'"{item.name}": {_dumps(_plain(value, item.name, settings))}')
        rows = [_dumps(_plain(row, f"history[{i}]", False)) for i, row in enumerate(self.history)]
        return "{\n" + ",\n".join(lines) + "," + HISTORY_START + ",\n".join(rows) + END

    @classmethod
    def from_json(
        cls,
        text: str,
        *,
        where: str = "the record",
        history: bool = True,
        advice: str = "delete it and run the cell again",
    ) -> Record:
        """The record that ``text`` holds; errors name the file by ``where``, and give ``advice``.

        ``history=False`` leaves the history empty, without parsing it where the text is in the
        layout of :meth:`to_json`. Raises :class:`DataError` naming file and key.
        """
        head, found, _ = text.partition(HISTORY_START)
        if not history and found and text.endswith(END):
            try:
                return _decode(head.removesuffix(",") + ',"history":[]}', where, advice)
            except DataError:
                pass  # another layout, or damage that the whole text tells better
        record = _decode(text, where, advice)
        return record if history else dataclasses.replace(record, history=())

    @classmethod
    def history_of(cls, text: str, *, where: str = "the record") -> tuple[Mapping[str, Any], ...]:
        """The history alone of the record that :meth:`from_json` reads, at the cost of no more.

        Raises :class:`DataError` naming file and key.
        """
        _, found, rows = text.partition(HISTORY_START)
        if found and rows.endswith(END):
            with contextlib.suppress(ValueError, RecursionError):
                history = json.loads(
                    f"[{rows.removesuffix(END)}]", parse_constant=_refuse_constant
                )
                if all(type(row) is dict for row in history):
                    return tuple(history)
        return cls.from_json(text, where=where).history


def _decode(text: str, where: str, advice: str) -> Record:
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is damaged: not JSON ({error}); {advice}") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema is not None and schema != SCHEMA:
        later = type(schema) is int and schema > SCHEMA
        raise (UnreadableError if later else DataError)(
            f"{where}: key `schema` is {schema!r}, this version reads {SCHEMA}; "
            f"read it with the version that wrote it, or {advice}"
        )
    try:
        return decode(Record, data)
    except DataError as error:
        raise DataError(f"{where}: {error}; {advice}") from error


def _refuse_constant(token: str) -> NoReturn:
    raise ValueError(f"bare {token}")


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _plain(value: Any, key: str, settings: bool) -> Any:
    """``value`` in JSON's types; numpy scalars and arrays become numbers and lists.

    A float that is not finite becomes None among measurements and its name ("inf") among
    settings, where None means something else already.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value)) if settings else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v, f"{key}.{k}", settings) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f"{key}[{i}]", settings) for i, v in enumerate(value)]
    if dataclasses.is_dataclass(value):
        fields = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        return _plain(fields, key, settings)
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist(), key, settings)
    raise DataError(
        f"key `{key}` is a {type(value).__name__}, which JSON cannot hold; "
        f"give numbers, strings, lists or dicts of these"
    )
