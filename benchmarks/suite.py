"""Suite files: data sets, methods, seeds and profiles, read strictly from TOML.

An unknown key or a wrong value is a :class:`ConfigError` that names the file, the key and what is
expected. Nothing heavy is imported: whether the methods and data sets exist is checked by
:mod:`benchmarks.plan`.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta
from msgspec.structs import asdict, force_setattr, replace

from deep_em_bench.core import ConfigError, unknown_name
from deep_em_bench.core.files import read_bounded
from deep_em_bench.core.schema import Strict, brief, converted

__all__ = [
    "PROFILES",
    "DatasetRow",
    "Generation",
    "MethodRow",
    "Profile",
    "Suite",
    "generation_of",
    "setting",
    "suite_files",
]

PROFILES = ("tiny", "quick", "full")
MAX_SEEDS = 10_000
MOST_BYTES = 2**20

Natural = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Samples = Annotated[int, Meta(ge=10, le=2**63 - 1)]
"""An inception score has ten splits."""

if TYPE_CHECKING:  # what the structs make of them
    Counts = tuple[int, ...]
    Seeds = tuple[int, ...]
else:
    Counts = Positive | Annotated[tuple[Positive, ...], Meta(min_length=1)]
    Seeds = Positive | Annotated[tuple[Natural, ...], Meta(min_length=1)]


class Generation(Strict, frozen=True, kw_only=True):
    """How the samples of generative methods are scored."""

    n: Samples = 5000
    """Samples of a fitted method."""
    every: Natural = 5
    """Rows of history from one point of the curve over training to the next; 0: no curve."""
    n_curve: Samples = 1000
    """Samples a point."""


class GenerationChange(Strict, frozen=True, kw_only=True):
    """What differs from the suite's ``[generation]``; None: nothing."""

    n: Samples | None = None
    every: Natural | None = None
    n_curve: Samples | None = None

    def applied_to(self, generation: Generation) -> Generation:
        """``generation`` with the changes."""
        return replace(generation, **_set(self))


class DatasetRow(Strict, frozen=True, kw_only=True):
    """A data set of a suite. Without ``n_clusters`` there are as many clusters as classes."""

    name: str
    words: Mapping[str, Any] = {}
    n_clusters: Counts | None = None
    generation: GenerationChange = GenerationChange()
    """A profile's own goes first."""

    def __post_init__(self) -> None:
        _check_text(name=self.name)
        force_setattr(self, "words", _settings("words", self.words))
        force_setattr(self, "n_clusters", _several(self.n_clusters))


class MethodRow(Strict, frozen=True, kw_only=True):
    """A row of a suite's table: a method, its preset, and the changes to it."""

    name: str
    preset: str | None = None
    label: str | None = None
    params: Mapping[str, Any] = {}
    """The word none stands for None, which TOML has no word for."""
    n_clusters: Counts | None = None
    labelled: bool | None = None
    """True: only on data sets with labelled rows; False: only on others; None: on both."""

    def __post_init__(self) -> None:
        _check_text(name=self.name, preset=self.preset, label=self.label)
        if self.label is not None and "," in self.label:
            raise ValueError(
                f"label is {self.label!r}; expected one without a comma, which --methods splits at"
            )
        force_setattr(self, "params", _settings("params", self.params))
        force_setattr(self, "n_clusters", _several(self.n_clusters))


class Profile(Strict, frozen=True, kw_only=True):
    """What a budget changes. The default changes nothing."""

    seeds: Seeds | None = None
    datasets: Mapping[str, Mapping[str, Any]] = {}
    """Words of ``datasets.load`` by data set name."""
    methods: Mapping[str, Mapping[str, Any]] = {}
    """Parameters by method name or row label."""
    drop: tuple[str, ...] = ()
    """Labels of the rows that are not run."""
    only: Mapping[str, Mapping[str, Any]] = {}
    """By data set name, for a word of its rows the value, or list of values, that are run."""
    generation: GenerationChange = GenerationChange()

    def __post_init__(self) -> None:
        force_setattr(self, "seeds", _all_seeds(self.seeds))
        for name in ("datasets", "methods", "only"):
            tables = getattr(self, name)
            checked = {key: _settings(f"{name}.{key}", table) for key, table in tables.items()}
            force_setattr(self, name, checked)


class _Profiles(Strict, frozen=True, kw_only=True):
    tiny: Profile | None = None
    quick: Profile | None = None
    full: Profile | None = None


class _File(Strict, frozen=True, kw_only=True):
    """The keys of a suite file."""

    title: str
    reproduces: str = "-"
    seeds: Seeds
    datasets: Annotated[tuple[DatasetRow, ...], Meta(min_length=1)]
    methods: Annotated[tuple[MethodRow, ...], Meta(min_length=1)]
    profiles: _Profiles = _Profiles()
    generation: Generation | None = None

    def __post_init__(self) -> None:
        _check_text(title=self.title, reproduces=self.reproduces)
        force_setattr(self, "seeds", _all_seeds(self.seeds))
        changes = [("data set", row) for row in self.datasets]
        changes += [("profile", profile) for profile in _set(self.profiles).values()]
        for kind, change in changes:
            if self.generation is None and _set(change.generation):
                raise ValueError(f"a {kind} changes the table [generation], which is missing")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite file. ``name`` is the file's stem and the folder of its records."""

    name: str
    path: Path
    title: str
    reproduces: str
    seeds: tuple[int, ...]
    datasets: tuple[DatasetRow, ...]
    methods: tuple[MethodRow, ...]
    profiles: Mapping[str, Profile]
    generation: Generation | None = None
    """None: samples are not scored."""

    @classmethod
    def find(cls, name: str) -> Suite:
        """The suite of that name in ``benchmarks/suites``, or in the ``.toml`` file of that path.

        Raises :class:`ConfigError`.
        """
        if name.endswith(".toml"):
            return cls.read(Path(name))
        files = suite_files()
        if name not in files:
            raise ConfigError(unknown_name("suite", name, files))
        return cls.read(files[name])

    @classmethod
    def read(cls, path: Path) -> Suite:
        """The suite in ``path``. Raises :class:`ConfigError`."""
        if path.stem.startswith(".") or not path.stem.isprintable():  # "...toml" has the stem ".."
            raise ConfigError(
                f"suite {path} gives its name {path.stem!r} to the folder of its records; "
                f"give the file a printable name that begins with no dot"
            )
        try:
            text = read_bounded(path, MOST_BYTES).decode("utf-8-sig")
            raw = tomllib.loads(text)
        except OSError as error:
            raise ConfigError(
                f"suite {path} cannot be read ({error.strerror}); give the path of a .toml file"
            ) from error
        except (ValueError, RecursionError) as error:  # of tomllib, of UTF-8, of huge integers
            raise ConfigError(f"suite {path} is not TOML: {error}") from error
        try:
            file = converted(_File, raw)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
        words = {name: getattr(file, name) for name in file.__struct_fields__}
        return cls(name=path.stem, path=path, **{**words, "profiles": _set(file.profiles)})


def suite_files() -> dict[str, Path]:
    """The suites that come with the package, by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("suites/*.toml"))}


def setting(value: Any, where: str) -> Any:
    """A finite number, string or boolean as it is; a list of them as a tuple.

    Raises :class:`ConfigError` for anything else.
    """
    if type(value) in (list, tuple):
        return tuple(setting(item, f"{where}[{i}]") for i, item in enumerate(value))
    finite = type(value) is float and math.isfinite(value)
    whole = type(value) is int and -(2**63) <= value < 2**63
    if not (finite or whole) and type(value) not in (str, bool):
        raise ConfigError(
            f"{where} is {brief(value)}; expected a finite number of 64 bits, a string, a boolean "
            f"or a list of these"
        )
    return value


def generation_of(value: Any, where: str) -> Generation:
    """How samples are scored, from a table ``[generation]``. Raises :class:`ConfigError`."""
    try:
        return converted(Generation, value)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _set(struct: Strict) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in asdict(struct).items() if value is not None}


def _check_text(**texts: str | None) -> None:
    for key, text in texts.items():
        if text is not None and not (text and text.isprintable()):
            raise ValueError(f"{key} is {brief(text)}; expected a string of one line")


def _settings(where: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """The table with each value checked. Raises ``ValueError``."""
    try:
        return {name: setting(value, f"{where}.{name}") for name, value in table.items()}
    except ConfigError as error:
        raise ValueError(str(error)) from error


def _several(counts: Any) -> tuple[int, ...] | None:
    """One number or several as several, each once."""
    return (counts,) if isinstance(counts, int) else counts and tuple(dict.fromkeys(counts))


def _all_seeds(seeds: Any) -> tuple[int, ...] | None:
    """The seeds themselves, where a number says how many. Raises ``ValueError``."""
    if isinstance(seeds, int):
        if seeds > MAX_SEEDS:
            raise ValueError(f"seeds is {seeds}; expected at most {MAX_SEEDS}, or a list of seeds")
        return tuple(range(seeds))
    if seeds is not None and len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds is {brief(list(seeds))}; expected each seed once")
    return seeds
