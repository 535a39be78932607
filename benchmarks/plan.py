"""From a suite to its cells: one data set, one method, one seed each, under one profile."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from msgspec import structs

from deep_em_bench.benchmarks.labelling import admits, check_admitted
from deep_em_bench.benchmarks.parameters import identity, resolve
from deep_em_bench.benchmarks.suite import (
    PROFILES,
    DatasetRow,
    Generation,
    MethodRow,
    Profile,
    Suite,
    setting,
)
from deep_em_bench.core import ConfigError, unknown_name
from deep_em_bench.core.schema import brief

__all__ = [
    "Cell",
    "DatasetSpec",
    "Override",
    "Selection",
    "parse_override",
    "parse_seeds",
    "parse_shard",
    "plan",
]

BARE_WORD = re.compile(r"(?!(?:true|false|inf|nan)$)[A-Za-z_][\w-]*")


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What ``datasets.load`` is asked for, but for the seed."""

    name: str
    words: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run, described completely: at equal keys the same thing is computed."""

    dataset: DatasetSpec
    n_clusters: int | None
    """None: as many as the data set has classes."""
    method: str
    preset: str
    label: str
    """The row of the suite's table; not part of the key."""
    params: Mapping[str, Any]
    """Every parameter of the constructor, except what the harness sets itself."""
    seed: int
    profile: str
    generation: Generation | None = None
    """How samples are scored; None: not at all, and then it is no part of the key."""

    @cached_property
    def key(self) -> str:
        """sha256 of the canonical JSON of everything that tells it from others."""
        identifying: dict[str, Any] = {
            "dataset": {"name": self.dataset.name, "words": dict(self.dataset.words)},
            "method": self.method,
            "n_clusters": self.n_clusters,
            "params": identity(self.method, self.params),
            "preset": self.preset,
            "profile": self.profile,
            "seed": self.seed,
        }
        if self.generation is not None:
            identifying["generation"] = structs.asdict(self.generation)
        text = json.dumps(identifying, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Override:
    """``--set target.param=value``; the target is a method or the label of a row."""

    target: str
    param: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The part of a suite that is asked for, and what is changed for this once."""

    methods: tuple[str, ...] = ()
    """Globs over labels and method names; none: all rows."""
    datasets: tuple[str, ...] = ()
    """Globs over data set names; none: all."""
    seeds: tuple[int, ...] | None = None
    """In place of the suite's."""
    overrides: tuple[Override, ...] = ()
    shard: tuple[int, int] = (1, 1)
    """(i, n): the i-th of n parts, from 1."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A method's row with its label, preset and parameters settled."""

    label: str
    method: str
    preset: str
    params: Mapping[str, Any]
    n_clusters: tuple[int, ...] | None
    labelled: bool | None


def plan(
    suite: Suite, profile: str = "quick", selection: Selection | None = None
) -> tuple[Cell, ...]:
    """The cells of ``suite`` under ``profile``, by data set, K, seed and row.

    Parameters, weakest first: the constructor's defaults, the preset, the profile by method name,
    the row's own, the profile by label, the overrides. On a data set with the word ``labelled``
    semi-supervised rows run alone, without it all but those that need labels. Imports the methods
    and the data sets, whose files are not looked at.

    Raises :class:`ConfigError` for whatever in suite, profile or selection names nothing.
    """
    selection = selection or Selection()
    if profile not in PROFILES:
        raise ConfigError(unknown_name("profile", profile, PROFILES))
    changes = suite.profiles.get(profile, Profile())
    rows = _rows(suite, profile, changes, selection)
    data_sets = [row.name for row in suite.datasets]
    where = f"{suite.path}: profiles.{profile}.datasets"
    _check_names(where, "data set", changes.datasets, data_sets)
    names = _chosen("data set", selection.datasets, [(name,) for name in data_sets])
    specs = [_spec(suite, dataset, changes) for dataset in suite.datasets]
    _check_names(f"{suite.path}: profiles.{profile}.only", "data set", changes.only, data_sets)
    names = [
        chosen and _wanted(spec, changes.only) for spec, chosen in zip(specs, names, strict=True)
    ]
    check_admitted(str(suite.path), rows, specs)
    cells = tuple(
        Cell(
            dataset=spec,
            n_clusters=k,
            method=row.method,
            preset=row.preset,
            label=row.label,
            params=row.params,
            seed=seed,
            profile=profile,
            generation=_generation(suite, dataset, changes),
        )
        for dataset, spec, chosen in zip(suite.datasets, specs, names, strict=True)
        if chosen
        for k in _all_clusters(dataset, rows)
        for seed in selection.seeds or changes.seeds or suite.seeds
        for row in rows
        if k in _clusters(dataset, row) and admits(row, spec)
    )
    if not cells:
        raise ConfigError(
            f"{suite.path}: of what is asked for, profile {profile} runs nothing; "
            f"see what its `drop` and `only` leave out"
        )
    _refuse_twins(suite, cells)
    return _shard(cells, *selection.shard)


def parse_override(text: str) -> Override:
    """``gan_em.max_iter=30`` or ``gan_em[official].network="mlp"``: the value as TOML writes it.

    A bare word is taken for a string. Raises :class:`ConfigError`.

    >>> parse_override("gmm[full].reg_covar=1e-2")
    Override(target='gmm[full]', param='reg_covar', value=0.01)
    """
    match = re.fullmatch(r"(.+?)\.([A-Za-z_]\w*)\s*=\s*(.+)", text)
    if not match:
        raise ConfigError(f"{text!r} sets nothing; expected method.parameter=value")
    target, param, value = match.groups()
    if BARE_WORD.fullmatch(value):
        return Override(target=target, param=param, value=value)
    try:
        parsed = tomllib.loads(f"value = {value}\n")
        checked = setting(parsed["value"], f"--set {text}:")
    except (ValueError, RecursionError) as error:  # of tomllib, of huge integers
        raise ConfigError(
            f"{brief(value)} for {target}.{param} is no TOML value ({error}); "
            f'write 3, 0.5, true, "text" or [1, 2]'
        ) from error
    return Override(target=target, param=param, value=checked)


def parse_seeds(text: str) -> tuple[int, ...]:
    """``0-9``, ``1,3,5`` or both mixed, in the order given.

    >>> parse_seeds("0-2,7")
    (0, 1, 2, 7)
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if last < first or last - first >= 10_000:
            raise ConfigError(f"seeds {text!r} are not understood; write 0-9 or 1,3,5")
        seeds += range(first, last + 1)
    return tuple(dict.fromkeys(seeds))


def parse_shard(text: str) -> tuple[int, int]:
    """``3/16``: the third of sixteen parts."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"cells {text!r} are not understood; write i/n with 1 <= i <= n: 3/16")
    return int(match[1]), int(match[2])


def _rows(suite: Suite, profile: str, changes: Profile, selection: Selection) -> list[_Row]:
    """The rows that are run, settled."""
    labelled = _labelled(suite)
    labels = [label for label, _ in labelled]
    targets = [*labels, *(row.name for row in suite.methods)]
    _check_names(f"{suite.path}: profiles.{profile}.methods", "row", changes.methods, targets)
    _check_names(f"{suite.path}: profiles.{profile}.drop", "row", changes.drop, labels)
    _check_names("--set", "row", [o.target for o in selection.overrides], targets)
    chosen = _chosen("row", selection.methods, [(label, row.name) for label, row in labelled])
    run = [
        (label, row)
        for (label, row), wanted in zip(labelled, chosen, strict=True)
        if wanted and label not in changes.drop
    ]
    for override in selection.overrides:
        if not any(override.target in (label, row.name) for label, row in run):
            raise ConfigError(
                f"--set {override.target}.{override.param} changes no row that is run; "
                f"leave it out, or have {override.target} run by --methods and --profile"
            )
    return [_settled(suite, label, row, changes, selection.overrides) for label, row in run]


def _labelled(suite: Suite) -> list[tuple[str, MethodRow]]:
    """Each row with its label: its own, or name[preset]."""
    labelled: list[tuple[str, MethodRow]] = []
    seen: set[str] = set()
    for row in suite.methods:
        preset, _ = _resolve(suite, row.label or row.name, row, {})
        label = row.label or f"{row.name}[{preset}]"
        if label in seen:
            raise ConfigError(f"{suite.path}: two rows are labelled {label!r}; give one a label")
        seen.add(label)
        labelled.append((label, row))
    return labelled


def _settled(
    suite: Suite,
    label: str,
    row: MethodRow,
    changes: Profile,
    overrides: Iterable[Override],
) -> _Row:
    by_name, by_label = changes.methods.get(row.name, {}), changes.methods.get(label, {})
    settings = {**by_name, **row.params, **by_label}
    preset, before = _resolve(suite, label, row, settings)
    overridden = {o.param: o.value for o in overrides if o.target in (label, row.name)}
    _, params = _resolve(suite, label, row, {**settings, **overridden})
    # A changed row is another row: its results must not be averaged with the suite's own.
    changed = [f"{name}={params[name]}" for name in overridden if params[name] != before[name]]
    return _Row(
        label=" ".join([label, *changed]),
        method=row.name,
        preset=preset,
        params=params,
        n_clusters=row.n_clusters,
        labelled=row.labelled,
    )


def _resolve(
    suite: Suite, label: str, row: MethodRow, settings: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    try:
        return resolve(row.name, row.preset, settings)
    except ConfigError as error:
        raise ConfigError(f"{suite.path}: row {label!r}: {error}") from error


def _spec(suite: Suite, dataset: DatasetRow, changes: Profile) -> DatasetSpec:
    from deep_em_bench import datasets

    words = {**changes.datasets.get(dataset.name, {}), **dataset.words}
    try:
        datasets.check_words(dataset.name, words)
    except ConfigError as error:
        raise ConfigError(f"{suite.path}: {error}") from error
    return DatasetSpec(name=dataset.name, words=words)


def _generation(suite: Suite, dataset: DatasetRow, changes: Profile) -> Generation | None:
    if suite.generation is None:
        return None
    return changes.generation.applied_to(dataset.generation.applied_to(suite.generation))


def _wanted(spec: DatasetSpec, only: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the profile runs the data set with these words."""
    return all(
        spec.words.get(word) in (values if isinstance(values, tuple) else (values,))
        for word, values in only.get(spec.name, {}).items()
    )


def _clusters(dataset: DatasetRow, row: _Row) -> tuple[int | None, ...]:
    return row.n_clusters or dataset.n_clusters or (None,)


def _all_clusters(dataset: DatasetRow, rows: Sequence[_Row]) -> list[int | None]:
    """Every K that some row runs with, in the order of first mention."""
    return list(dict.fromkeys(k for row in rows for k in _clusters(dataset, row)))


def _check_names(where: str, kind: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"{where}: {unknown_name(kind, name, set(known))}")


def _chosen(kind: str, patterns: Sequence[str], items: Sequence[tuple[str, ...]]) -> list[bool]:
    """Which items have a name that some pattern matches; every pattern must match something."""
    # Brackets belong to labels here: no character classes.
    globs = [pattern.replace("[", "[[]") for pattern in patterns]
    for pattern, glob in zip(patterns, globs, strict=True):
        if not any(fnmatchcase(name, glob) for names in items for name in names):
            raise ConfigError(unknown_name(kind, pattern, {name for name, *_ in items}))
    return [not globs or any(fnmatchcase(n, g) for g in globs for n in names) for names in items]


def _refuse_twins(suite: Suite, cells: Sequence[Cell]) -> None:
    seen: dict[str, Cell] = {}
    for cell in cells:
        twin = seen.setdefault(cell.key, cell)
        if twin is not cell:
            raise ConfigError(
                f"{suite.path}: rows {twin.label!r} and {cell.label!r} are the same run on "
                f"{cell.dataset.name} in profile {cell.profile}; drop one there"
            )


def _shard(cells: tuple[Cell, ...], part: int, parts: int) -> tuple[Cell, ...]:
    """Cells dealt out by key, so that no method's cells all fall to one part."""
    mine = set(sorted(cell.key for cell in cells)[part - 1 :: parts])
    return tuple(cell for cell in cells if cell.key in mine)
