"""The record of one cell: what was run, on what, how it ended and what came out.

A record is one JSON file with a line for each top-level key. ``history`` comes last, a line for
each of its rows, so that a reader without need of it can stop before it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import replace

from deep_em_bench.core import DataError, UnreadableError
from deep_em_bench.core.schema import Strict, Value, Whole, explained

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
    "replace",
]

SCHEMA = 2

Status = Literal["ok", "failed", "timeout", "memory", "diverged"]
"""How a cell ended: ok; by an error; over its limit of seconds, or of memory; not finite."""

KEY = re.compile(r"[0-9a-f]{64}")
HISTORY_START = b'\n"history": ['
END = b"]\n}\n"


class DatasetUsed(Strict, frozen=True, kw_only=True):
    """The data of a cell, as ``DatasetUsed(**dataset.describe())``; None is unknown."""

    name: str
    words: Mapping[str, Value] = {}
    """The words of ``datasets.load``: subset, split, features, ..."""
    n: Whole | None = None
    """Training points, after the subset was drawn."""
    n_test: Whole | None = None
    """Held-out points; 0 without a held-out split."""
    shape: tuple[Whole, ...] | None = None
    """Of one point: (C, H, W) or (D,)."""
    n_classes: Whole | None = None
    class_names: tuple[str, ...] = ()
    """In the order of the class ids; empty where unknown."""
    data_digest: str | None = None
    """sha256 of the arrays X, y, X_test and y_test that the cell's process had in memory."""
    sha256: Mapping[str, str] = {}
    """Of the files."""
    licence: str | None = None
    where: str | None = None
    """The source of the data: an address or a description."""

    @property
    def title(self) -> str:
        """The name with the words that are set.

        >>> DatasetUsed(name="mnist", words={"subset": 10000, "features": None}).title
        'mnist(subset=10000)'
        """
        words = [f"{k}={v}" for k, v in sorted(self.words.items()) if v is not None]
        return f"{self.name}({', '.join(words)})" if words else self.name


class MethodUsed(Strict, frozen=True, kw_only=True):
    """The method of a cell with all its parameters."""

    name: str
    preset: str
    params: Mapping[str, Value] = {}
    n_parameters: Whole | None = None
    """Numbers in the fitted model; None where nothing was fitted."""


class Failure(Strict, frozen=True, kw_only=True):
    """Why a cell has no result."""

    type: str
    message: str
    traceback: str = ""


class Scores(Strict, frozen=True, kw_only=True):
    """Metric values by split and registered name; None where the value is not finite."""

    train: Mapping[str, float | None] = {}
    test: Mapping[str, float | None] = {}
    generation: Mapping[str, float | None] = {}
    """Of samples against real images: the held-out ones where there are some, else the fitted."""
    real: Mapping[str, float | None] = {}
    """Of real images in the place of samples: floor of the distances, ceiling of the inception
    score; see :func:`floor`."""


class Timing(Strict, frozen=True, kw_only=True):
    """Seconds, wall-clock unless named otherwise; None where the step did not happen.

    ``fit_s`` and ``fit_cpu_s`` leave out the points of the curve over training
    (``generation_seconds`` in the history). Scores of samples are in ``evaluate_s``. The feature
    extractors and the real images' own scores come before the fit and are in neither.
    """

    fit_s: float | None = None
    m_step_s: float | None = None
    e_step_s: float | None = None
    predict_s: float | None = None
    evaluate_s: float | None = None
    fit_cpu_s: float | None = None
    """CPU seconds of the fit, its child processes included."""
    cpu_s: float | None = None
    """CPU seconds (user and system) of the cell's process and its children, from load to end."""


class Resources(Strict, frozen=True, kw_only=True):
    """What the cell's own process ran on and used at its peak (MB = 2**20 bytes)."""

    peak_rss_mb: float | None = None
    peak_gpu_mb: float | None = None
    threads: Whole | None = None
    jobs: Whole = 1
    """Cells that ran at the same time: timings with more than one are no benchmark."""
    load: float | None = None
    """The machine's load average over the last minute when the cell started."""
    device: str = "cpu"
    precision: str | None = None
    """Of the nets, as in "fp32"; None for a method without one."""
    compile: bool | None = None
    """Whether the nets were compiled; None for a method without nets, or where unknown."""


class Provenance(Strict, frozen=True, kw_only=True):
    """Which code, on which machine, when. None is unknown."""

    package: str | None = None
    """Version of deep_em_bench in the cell's process."""
    method_version: Whole | None = None
    """``version`` of the method's @register: it rises when results change."""
    plugins: Mapping[str, str] = {}
    """sha256 of the plugin that registers the method, and of the modules of its folder that it
    imports; by path below that folder."""
    metrics_version: str
    """``metrics.VERSION`` at scoring."""
    seeded: tuple[str, ...] = ()
    """Global generators that were seeded from the cell's seed before the fit."""
    git_sha: str | None = None
    dirty: bool | None = None
    versions: Mapping[str, str] = {}
    python: str = ""
    os: str = ""
    cpu: str = ""
    gpu: str | None = None
    utc: str = ""
    """When the cell ended, ISO 8601."""

    @property
    def code(self) -> str:
        """The method's version and its plugin's digest in short; equal code has equal text.

        >>> Provenance(method_version=3, metrics_version="1").code
        'v3'
        """
        version = "v?" if self.method_version is None else f"v{self.method_version}"
        if not self.plugins:
            return version
        files = "".join(f"{path}:{digest}\n" for path, digest in sorted(self.plugins.items()))
        return f"{version}+sha:{hashlib.sha256(files.encode()).hexdigest()[:8]}"


class Record(Strict, frozen=True, kw_only=True):
    """One cell: data set x method x seed under a profile.

    Raises :class:`DataError` for a key that is not 64 hexadecimal digits, and when ``error``
    does not go with ``status``: ``ok`` has none, every other status has one.
    """

    schema: Literal[2] = SCHEMA
    key: str
    """sha256 of the cell's canonical JSON."""
    suite: str
    profile: str
    label: str
    """The row of the suite's table."""
    dataset: DatasetUsed
    n_clusters: Whole
    method: MethodUsed
    seed: Whole
    status: Status
    error: Failure | None = None
    metrics: Scores = Scores()
    timing: Timing = Timing()
    resources: Resources = Resources()
    provenance: Provenance
    generation: Mapping[str, Whole] = {}
    """The suite's ``[generation]``: n, every, n_curve; empty where no samples are scored."""
    extractors: tuple[Mapping[str, Value], ...] = ()
    """The nets behind the generation scores: ``metrics.features.Extractor.describe()``, and how
    many images they saw: ``n_real``, ``n_fake``, ``n_floor`` (a side), ``n_curve`` (a point)."""
    artifacts: Mapping[str, str] = {}
    """sha256 of each file beside the record; :meth:`Store.write` fills it."""
    history: tuple[Mapping[str, Value], ...] = ()
    """One row per EM iteration, keys the method's own; numbers that are not finite become None."""

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise DataError(f"key `key` is {self.key!r}, expected 64 hexadecimal digits")
        if self.status == "ok" and self.error is not None:
            raise DataError(f"key `error` is {self.error.type!r} with status 'ok', expected null")
        if self.status != "ok" and self.error is None:
            raise DataError(f"key `error` is null with status {self.status!r}, expected the error")

    def to_json(self) -> bytes:
        """The file's content, as :meth:`from_json` reads it.

        Raises :class:`DataError` for a value that the schema or JSON does not admit.
        """
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        fields["dataset"] = replace(self.dataset, words=_named(self.dataset.words))
        fields["method"] = replace(self.method, params=_named(self.method.params))
        rows = fields.pop("history")
        lines = (f'"{name}": '.encode() + _encoded(value, name) for name, value in fields.items())
        history = (_encoded(row, f"history[{i}]") for i, row in enumerate(rows))
        text = b"{\n" + b",\n".join(lines) + b"," + HISTORY_START + b",\n".join(history) + END
        self.from_json(text, advice="the method or its data gave it; change that")
        return text

    @classmethod
    def from_json(
        cls,
        text: bytes,
        *,
        where: str = "the record",
        history: bool = True,
        advice: str = "delete it and run the cell again",
    ) -> Record:
        """The record in ``text``; errors name the file by ``where``, and give ``advice``.

        ``history=False`` leaves the history empty, and skips it where the text has the layout of
        :meth:`to_json`. Raises :class:`DataError` naming file and key.
        """
        head, start, _ = text.partition(HISTORY_START)
        if not history and start and text.endswith(END):
            try:
                return RECORDS.decode(head.removesuffix(b",") + b"}")
            except (msgspec.DecodeError, DataError, RecursionError):
                pass  # another layout, or damage that the whole text shows better
        try:
            record = RECORDS.decode(text)
        except msgspec.ValidationError as error:
            raise _unfit(error, text, where, advice) from error
        except DataError as error:
            raise DataError(f"{where}: {error}; {advice}") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is damaged: not JSON ({error}); {advice}") from error
        return record if history else replace(record, history=())

    @classmethod
    def history_of(
        cls, text: bytes, *, where: str = "the record"
    ) -> tuple[Mapping[str, Any], ...]:
        """The history alone of the record that :meth:`from_json` reads, at the cost of no more.

        Raises :class:`DataError` naming file and key.
        """
        _, start, rows = text.partition(HISTORY_START)
        if start and rows.endswith(END):
            try:
                return ROWS.decode(b"[" + rows.removesuffix(END) + b"]")
            except (ValueError, RecursionError):
                pass  # as above
        return cls.from_json(text, where=where).history


RECORDS = msgspec.json.Decoder(Record)
ROWS = msgspec.json.Decoder(tuple[Mapping[str, Value], ...])


def _unfit(error: msgspec.ValidationError, text: bytes, where: str, advice: str) -> DataError:
    """The error for JSON that is not a record."""
    try:
        raw = msgspec.json.decode(text)
    except (ValueError, RecursionError) as problem:
        return DataError(f"{where} is damaged: not JSON ({problem}); {advice}")
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if schema is None or schema == SCHEMA:
        return DataError(f"{where}: {explained(error, Record, raw)}; {advice}")
    later = type(schema) is int and schema > SCHEMA
    return (UnreadableError if later else DataError)(
        f"{where}: key `schema` is {schema!r:.60}, this version reads {SCHEMA}; "
        f"read it with the version that wrote it, or {advice}"
    )


def _encoded(value: object, key: str) -> bytes:
    """One line of JSON; a float that is not finite becomes null."""
    try:
        return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=0)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(
            f"key `{key}` cannot be written as JSON ({error}); "
            f"give finite lists and dicts of numbers and strings"
        ) from error


def _plain(value: Any) -> Any:
    """Numpy's scalars and arrays, and mappings of other kinds, as Python's own."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no number, string, list or dict")


def _named(setting: Any) -> Any:
    """A setting whose infinite numbers go by name, since null means something else there."""
    if isinstance(setting, Mapping):
        return {name: _named(value) for name, value in setting.items()}
    if isinstance(setting, list | tuple):
        return [_named(value) for value in setting]
    if isinstance(setting, float) and not np.isfinite(setting):
        return str(float(setting))
    return setting
