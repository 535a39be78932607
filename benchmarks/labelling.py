"""Which cells know labels, and the one place where a method is handed any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from deep_em_bench.core import ConfigError

if TYPE_CHECKING:
    from deep_em_bench.datasets.base import Dataset
    from deep_em_bench.methods.base import Method

__all__ = ["UNLABELLED", "admits", "check_admitted", "visible_labels"]

UNLABELLED = -1
"""What stands for an unknown class, as in scikit-learn."""

NEEDS = "needs_labels"
"""Of :class:`SemiSupervised`; a class without it needs none."""


class Row(Protocol):
    """What is asked of a suite's row."""

    @property
    def label(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def labelled(self) -> bool | None: ...


class Spec(Protocol):
    """What is asked of a data set."""

    @property
    def words(self) -> Mapping[str, Any]: ...


def admits(row: Row, spec: Spec) -> bool:
    """Whether the row runs on that data set.

    With ``labelled`` rows semi-supervised methods run, and no others: their numbers would stand
    among those of methods that know labels. Without, all run but those that need labels. A row may
    say that it wants one kind alone.
    """
    from deep_em_bench import methods
    from deep_em_bench.methods.base import SemiSupervised

    kind = methods.registry.get(row.method).value
    labelled = spec.words.get("labelled") is not None
    if row.labelled is not None and row.labelled != labelled:
        return False
    return issubclass(kind, SemiSupervised) if labelled else not getattr(kind, NEEDS, False)


def check_admitted(where: str, rows: Iterable[Row], specs: Sequence[Spec]) -> None:
    """Raise ``ConfigError`` for a row that no data set admits."""
    labelled = any(spec.words.get("labelled") is not None for spec in specs)
    for row in rows:
        if not any(admits(row, spec) for spec in specs):
            raise ConfigError(
                f"{where}: row {row.label!r} of {row.method} runs on no data set: "
                + (
                    "it does without labels; add a data set without the word labelled"
                    if labelled
                    else "it needs labels; give a data set the word labelled"
                )
            )


def visible_labels(method: Method, data: Dataset) -> np.ndarray | None:
    """What the method's ``fit`` may see of the classes: those of the labelled rows, -1 elsewhere.

    None where no row is labelled. Raises ``ConfigError`` for a method that is not semi-supervised
    on data with labelled rows.
    """
    from deep_em_bench.methods.base import SemiSupervised

    if data.labelled is None:
        return None
    if not isinstance(method, SemiSupervised):
        raise ConfigError(
            f"{type(method).__name__} is not semi-supervised; run it without the word labelled"
        )
    y = np.full(len(data.X), UNLABELLED, dtype=np.int64)
    y[data.labelled] = data.y[data.labelled]
    return y
