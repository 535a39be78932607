"""Hyper-parameters: each is declared once, with its type, range, default and meaning.

A method declares them as the fields of a class::

    @register("gan_em", version=1, title="GAN-EM", presets=PRESETS)
    @hyperparameters
    class GanEm(NeuralMethod):
        max_iter: Count = parameter(15, "maximum number of EM iterations")
        optimizer: Literal["adam", "rmsprop"] = parameter("adam", "optimiser of all nets")

From the fields come the constructor, ``get_params``, the checks of :func:`check_parameters` and
the listing of :func:`describe`. A method with a constructor of its own, as scikit-learn's
estimators have, is checked by the annotations of that constructor.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from deep_em_bench.core import ConfigError, unknown_name

__all__ = [
    "BatchSize",
    "Callback",
    "Count",
    "Decay",
    "Fraction",
    "MethodParameters",
    "NeuralParameters",
    "NonNegative",
    "Parameter",
    "Positive",
    "PositiveReal",
    "Precision",
    "Range",
    "SemiSupervisedParameters",
    "admits",
    "check_parameters",
    "converted",
    "describe",
    "earlier_values",
    "hyperparameters",
    "parameter",
    "parameter_hints",
]

T = TypeVar("T")

Callback = Callable[[Mapping[str, Any]], None]
"""Called with each row of ``history_`` as soon as it is there."""

Precision = Literal["fp32", "tf32", "bf16"]

MISSING: Any = object()


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        return f"at least {self.low}" if self.high == math.inf else f"{self.low} to {self.high}"


Count = Annotated[int, Range(0)]
Positive = Annotated[int, Range(1)]
BatchSize = Annotated[int, Range(2)]
"""Batch norm has no variance of a single row."""
NonNegative = Annotated[float, Range(0.0)]
PositiveReal = Annotated[float, Range(1e-6)]
Fraction = Annotated[float, Range(0.0, 1.0)]
Decay = Annotated[float, Range(0.0, 0.9999)]
"""Of a running mean: at 1 it would never move."""


def parameter(default: Any, meaning: str, *, before: Any = MISSING, kw_only: bool = True) -> Any:
    """A hyper-parameter of a class under :func:`hyperparameters`.

    Arguments:
        default: its value where no other is given.
        meaning: one line for whoever sets it.
        before: the value that reproduces results from before the parameter existed. At that value
            it is left out of a run's key; saved methods and records without it have this value.
        kw_only: False for the one argument that may be given by position.
    """
    metadata = {"meaning": meaning} | ({} if before is MISSING else {"before": before})
    return dataclasses.field(default=default, kw_only=kw_only, metadata=metadata)


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(parameter,))
def hyperparameters(kind: type[T]) -> type[T]:
    """Class decorator: a constructor that takes and stores the declared hyper-parameters.

    A value without annotation, ``max_iter = 20``, is another default of an inherited one.

    Raises ``TypeError`` for an annotated name that is not declared by :func:`parameter`: the
    constructor would ask for it.
    """
    own = vars(kind).get("__annotations__", {})
    for name, annotation in own.items():
        declared = isinstance(vars(kind).get(name), dataclasses.Field)
        if not declared and not str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            raise TypeError(
                f"{kind.__name__} annotates {name!r} without parameter(...); declare it so, or "
                f"assign a fitted name in fit without an annotation in the class"
            )
    inherited = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    changed = [field for field in inherited if field.name in vars(kind).keys() - own.keys()]
    hints = parameter_hints(kind) if changed else {}
    for field in changed:
        default = vars(kind)[field.name]
        new = dataclasses.field(default=default, kw_only=field.kw_only, metadata=field.metadata)
        setattr(kind, field.name, new)
    kind.__annotations__ = {**own, **{field.name: hints[field.name] for field in changed}}
    return dataclass(kw_only=True, eq=False, repr=False)(kind)


@hyperparameters
class MethodParameters:
    """What every method takes."""

    n_clusters: Positive = parameter(10, "number of clusters K", kw_only=False)
    random_state: int = parameter(0, "seed of every draw")
    callback: Callback | None = parameter(None, "called with every row of history_")


@hyperparameters
class NeuralParameters(MethodParameters):
    """What every method on torch takes besides."""

    device: str = parameter("auto", "auto, cpu, cuda, cuda:1 or mps")
    precision: Precision = parameter("fp32", "fp32, TF32 matrix products, or bf16 autocast")
    compile: bool = parameter(False, "CUDA graphs on a GPU, torch.compile elsewhere")


@hyperparameters
class SemiSupervisedParameters(MethodParameters):
    """What every method that reads labels takes besides."""

    semi_supervised: bool = parameter(
        False, "learn from y even where no row of it is -1", before=False
    )


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A hyper-parameter as a listing shows it."""

    name: str
    type: str
    default: Any
    meaning: str


def describe(kind: type) -> list[Parameter]:
    """The hyper-parameters of a method's class, in the order of their declaration."""
    hints, meanings = parameter_hints(kind), _metadata(kind, "meaning")
    signature = inspect.signature(kind.__init__)
    return [
        Parameter(
            name=name,
            type=_spelled(hints.get(name, Any)),
            default=None if argument.default is argument.empty else argument.default,
            meaning=meanings.get(name, ""),
        )
        for name, argument in list(signature.parameters.items())[1:]
    ]


def earlier_values(kind: type) -> dict[str, Any]:
    """Parameters that are newer than published results, with the value that reproduces these."""
    return _metadata(kind, "before")


def parameter_hints(kind: type) -> dict[str, Any]:
    """Annotation of each parameter of the constructor; none where names cannot be resolved."""
    home = next(base for base in kind.__mro__ if "__init__" in vars(base))
    try:
        if "__dataclass_fields__" not in vars(home):
            return get_type_hints(kind.__init__, include_extras=True)
        hints: dict[str, Any] = {}
        for base in reversed(home.__mro__):
            if "__dataclass_fields__" in vars(base):
                hints |= inspect.get_annotations(base, eval_str=True)
    except NameError:  # a plugin may annotate with names that only a type checker sees
        return {}
    return {field.name: hints[field.name] for field in dataclasses.fields(home)}


def _metadata(kind: type, key: str) -> dict[str, Any]:
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    return {field.name: field.metadata[key] for field in fields if key in field.metadata}


def check_parameters(name: str, kind: type, params: Mapping[str, Any]) -> None:
    """Raise :class:`ConfigError` for a value that the annotation of ``kind`` excludes."""
    hints = parameter_hints(kind)
    for key, value in params.items():
        converted(f"parameter {key!r} of {name}", value, hints.get(key, Any))


def converted(what: str, value: Any, hint: Any) -> Any:
    """``value`` in the form that the annotation gives it: integers as floats where it says so.

    Raises :class:`ConfigError` for a value that the annotation excludes.
    """
    plain, bounds = _parts(hint)
    if not admits(value, hint):
        choices = get_args(plain)
        if get_origin(plain) is Literal:
            raise ConfigError(unknown_name(f"value of {what}", str(value), map(str, choices)))
        expected = _spelled(plain) if bounds is None else f"{_spelled(plain)}, {bounds}"
        raise ConfigError(f"{what} is {value!r}; expected {expected}")
    kinds = [_parts(choice)[0] for choice in (plain, *get_args(plain))]
    return float(value) if type(value) is int and float in kinds and int not in kinds else value


def _parts(hint: Any) -> tuple[Any, Range | None]:
    """An annotation without its bounds, and these."""
    if get_origin(hint) is not Annotated:
        return hint, None
    plain, *rest = get_args(hint)
    return plain, next((part for part in rest if isinstance(part, Range)), None)


def admits(value: Any, hint: Any) -> bool:
    """Whether the annotation admits the value; one that is not understood admits all."""
    hint, bounds = _parts(hint)
    origin = get_origin(hint)
    if origin is Literal:
        return type(value) in map(type, get_args(hint)) and value in get_args(hint)
    if origin in (Union, types.UnionType):
        return any(admits(value, choice) for choice in get_args(hint))
    if origin is tuple or hint is tuple:
        inner = get_args(hint)
        items = inner[:1] * len(value) if inner[1:] == (...,) and type(value) is tuple else inner
        return type(value) is tuple and (
            not inner or (len(items) == len(value) and all(map(admits, value, items)))
        )
    if hint in (int, float):
        if isinstance(value, bool) or not isinstance(value, Integral if hint is int else Real):
            return False
        return bounds is None or bounds.low <= float(value) <= bounds.high
    if hint in (str, bool, type(None)):
        return type(value) is hint
    return True


def _spelled(hint: Any) -> str:
    """As a user would write it, the bounds in words."""
    plain, bounds = _parts(hint)
    inner = get_args(plain)
    if get_origin(plain) in (Union, types.UnionType):
        text = " | ".join(map(_spelled, inner))
    elif get_origin(plain) is tuple:
        text = f"tuple[{', '.join('...' if part is ... else _spelled(part) for part in inner)}]"
    elif plain is type(None):
        text = "None"
    else:
        text = plain.__name__ if isinstance(plain, type) and not inner else str(plain)
    return text if bounds is None else f"{text} of {bounds}"
