"""What a suite file says: data sets, methods, seeds and profiles, read strictly from TOML.

Every key is checked here: an unknown one, or a value of the wrong kind, is a
:class:`ConfigError` that names the file, the key and what was expected. Nothing heavy is
imported; whether what is named exists is asked when cells are planned.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from deep_em_bench.core import ConfigError, unknown_name

__all__ = [
    "PROFILES",
    "DatasetRow",
    "Generation",
    "MethodRow",
    "Profile",
    "Suite",
    "brief",
    "generation_of",
    "setting",
    "suite_files",
]

PROFILES = ("tiny", "quick", "paper")
MAX_SEEDS = 10_000
MOST_BYTES = 2**20
FEWEST_SAMPLES = 10
"""An inception score has so many splits."""

T = TypeVar("T")
Reader = Callable[[Any, str], T]
"""Takes a TOML value and where it stands; returns it checked."""


@dataclass(frozen=True, kw_only=True)
class DatasetRow:
    """A data set of a suite. Without ``n_clusters`` there are as many clusters as classes."""

    name: str
    words: Mapping[str, Any] = field(default_factory=dict)
    n_clusters: tuple[int, ...] | None = None
    generation: Mapping[str, int] = field(default_factory=dict)
    """What of the suite's ``[generation]`` is another; a profile's own goes first."""


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    """A row of a suite's table: a method, its preset, and what is changed on top."""

    name: str
    preset: str | None = None
    label: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    """The word none stands for None, which TOML has no word for."""
    n_clusters: tuple[int, ...] | None = None
    labelled: bool | None = None
    """Run on data sets with labelled rows alone, or on those without alone; None: on both."""


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How the samples of generative methods are scored."""

    n: int = 5000
    """Samples of a fitted method."""
    every: int = 5
    """Rows of history from one point of the curve over training to the next; 0: no curve."""
    n_curve: int = 1000
    """Samples a point."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a budget changes. The default changes nothing."""

    seeds: tuple[int, ...] | None = None
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Words of ``datasets.load`` by data set name."""
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Parameters by method name or row label."""
    drop: tuple[str, ...] = ()
    """Labels of the rows that are not run."""
    only: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By data set name, for a word of its rows the value, or list of values, that are run."""
    generation: Mapping[str, int] = field(default_factory=dict)
    """What of the suite's ``[generation]`` is another."""


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
        if path.stem.startswith("."):  # of "...toml" it is "..", which leads out of the records
            raise ConfigError(
                f"suite {path} is named {path.stem!r}, as the folder of its records would be; "
                f"give its file a name that begins with no dot"
            )
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ConfigError(f"suite {path} has more than {MOST_BYTES:,} bytes; shorten it")
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"suite {path} cannot be read ({error.strerror}); give the path of a .toml file"
            ) from error
        except (ValueError, RecursionError) as error:  # of tomllib, of UTF-8, of huge integers
            raise ConfigError(f"suite {path} is not TOML: {error}") from error
        table = _Table(raw, f"{path}:")
        suite = cls(
            name=path.stem,
            path=path,
            title=table.take("title", _text),
            reproduces=table.take("reproduces", _text, "-"),
            seeds=table.take("seeds", _seeds),
            datasets=table.take("datasets", _rows(_dataset_row)),
            methods=table.take("methods", _rows(_method_row)),
            profiles=table.take("profiles", _named(_profile, PROFILES), {}),
            generation=table.take("generation", generation_of, None),
        )
        table.close()
        changes: list[tuple[str, Profile | DatasetRow]]
        changes = [(f"profiles.{name}", profile) for name, profile in suite.profiles.items()]
        changes += [(f"data set {row.name}", row) for row in suite.datasets]
        for where, change in changes:
            if change.generation and suite.generation is None:
                raise ConfigError(
                    f"{path}: generation of {where} changes a table [generation] that is missing; "
                    f"add it"
                )
        return suite


def suite_files() -> dict[str, Path]:
    """The suites that come with the package, by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("suites/*.toml"))}


def setting(value: Any, where: str) -> Any:
    """A finite number, string or boolean as it is; a list of them as a tuple.

    Raises :class:`ConfigError` for anything else.
    """
    if type(value) is list:
        return tuple(setting(item, f"{where}[{i}]") for i, item in enumerate(value))
    finite = type(value) is float and math.isfinite(value)
    if not finite and type(value) not in (str, int, bool):
        raise _mismatch(where, value, "a finite number, a string, a boolean or a list of these")
    return value


def generation_of(value: Any, where: str) -> Generation:
    """How samples are scored, by a table ``[generation]``. Raises :class:`ConfigError`."""
    return Generation(**_generation_words(value, where))


def brief(value: Any) -> str:
    """The value as a message shows it."""
    got = repr(value)
    return got if len(got) <= 60 else got[:57] + "..."


class _Table:
    """A TOML table whose keys are taken one by one; what is left over was not known."""

    def __init__(self, value: Any, where: str) -> None:
        if type(value) is not dict:
            raise _mismatch(where, value, "a table")
        self._left = dict(value)
        self._where = where
        self._taken: list[str] = []

    def take(self, key: str, read: Reader[T], *default: T) -> T:
        """The value of ``key`` as ``read`` gives it, or the default where there is one."""
        self._taken.append(key)
        if key in self._left:
            joint = " " if self._where.endswith(":") else "."
            return read(self._left.pop(key), f"{self._where}{joint}{key}")
        if default:
            return default[0]
        raise ConfigError(f"{self._where.removesuffix(':')}: key {key!r} is missing")

    def close(self) -> None:
        """Refuse the keys that nobody took."""
        for key in self._left:
            where = self._where.removesuffix(":")
            raise ConfigError(f"{where}: {unknown_name('key', key, self._taken)}")


def _dataset_row(value: Any, where: str) -> DatasetRow:
    table = _Table(value, where)
    row = DatasetRow(
        name=table.take("name", _text),
        words=table.take("words", _params, {}),
        n_clusters=table.take("n_clusters", _counts, None),
        generation=table.take("generation", _generation_words, {}),
    )
    table.close()
    return row


def _method_row(value: Any, where: str) -> MethodRow:
    table = _Table(value, where)
    row = MethodRow(
        name=table.take("name", _text),
        preset=table.take("preset", _text, None),
        label=table.take("label", _label, None),
        params=table.take("params", _params, {}),
        n_clusters=table.take("n_clusters", _counts, None),
        labelled=table.take("labelled", _flag, None),
    )
    table.close()
    return row


def _profile(value: Any, where: str) -> Profile:
    table = _Table(value, where)
    profile = Profile(
        seeds=table.take("seeds", _seeds, None),
        datasets=table.take("datasets", _named(_params), {}),
        methods=table.take("methods", _named(_params), {}),
        drop=table.take("drop", _texts, ()),
        only=table.take("only", _named(_params), {}),
        generation=table.take("generation", _generation_words, {}),
    )
    table.close()
    return profile


def _generation_words(value: Any, where: str) -> dict[str, int]:
    """Those that are there."""
    table = _Table(value, where)
    least = {"n": FEWEST_SAMPLES, "every": 0, "n_curve": FEWEST_SAMPLES}
    words = {word: table.take(word, _at_least(count), -1) for word, count in least.items()}
    table.close()
    return {word: count for word, count in words.items() if count >= 0}


def _rows(read: Reader[T]) -> Reader[tuple[T, ...]]:
    def rows(value: Any, where: str) -> tuple[T, ...]:
        if type(value) is not list or not value:
            raise _mismatch(where, value, "one table or more, each under [[double brackets]]")
        return tuple(read(item, f"{where}[{i}]") for i, item in enumerate(value))

    return rows


def _named(read: Reader[T], known: Iterable[str] = ()) -> Reader[dict[str, T]]:
    def tables(value: Any, where: str) -> dict[str, T]:
        if type(value) is not dict:
            raise _mismatch(where, value, "a table")
        for name in value:
            if known and name not in known:
                raise ConfigError(f"{where}: {unknown_name('profile', name, known)}")
        return {name: read(item, f"{where}.{name}") for name, item in value.items()}

    return tables


def _text(value: Any, where: str) -> str:
    if type(value) is not str or not value or not value.isprintable():
        raise _mismatch(where, value, "a string of one line")
    return value


def _flag(value: Any, where: str) -> bool:
    if type(value) is not bool:
        raise _mismatch(where, value, "true or false")
    return value


def _label(value: Any, where: str) -> str:
    if "," in _text(value, where):
        raise _mismatch(where, value, "a label without a comma, which --methods splits at")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if type(value) is not list:
        raise _mismatch(where, value, "a list of strings")
    return tuple(_text(item, f"{where}[{i}]") for i, item in enumerate(value))


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    if type(value) is int and 1 <= value <= MAX_SEEDS:
        return tuple(range(value))
    if type(value) is list and value and all(type(seed) is int and seed >= 0 for seed in value):
        if len(set(value)) == len(value):
            return tuple(value)
        raise _mismatch(where, value, "each seed once")
    raise _mismatch(where, value, f"a number of seeds from 1 to {MAX_SEEDS} or a list of seeds")


def _at_least(least: int) -> Reader[int]:
    def count(value: Any, where: str) -> int:
        if type(value) is not int or value < least:
            raise _mismatch(where, value, f"a whole number of at least {least}")
        return value

    return count


def _counts(value: Any, where: str) -> tuple[int, ...]:
    counts = value if type(value) is list else [value]
    if not counts or not all(type(count) is int and count >= 1 for count in counts):
        raise _mismatch(where, value, "a positive integer or a list of these")
    return tuple(dict.fromkeys(counts))


def _params(value: Any, where: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise _mismatch(where, value, "a table")
    return {name: setting(item, f"{where}.{name}") for name, item in value.items()}


def _mismatch(where: str, value: Any, expected: str) -> ConfigError:
    return ConfigError(f"{where} is {brief(value)}; expected {expected}")
