"""Attributes, errors of runs on them, and the sheets that records make."""

from __future__ import annotations

from deep_em_bench.reports.attributes import by_attribute
from deep_em_bench.reports.summary import summarise

__all__ = ["ATTRIBUTES", "BY_SEED", "sheets_of"]

ATTRIBUTES = ("Bangs", "Male", "Smiling", "Wearing_Hat")
BY_SEED = ((0.4, 0.0), (0.4, 0.02), (0.3, 0.0), (0.3, 0.04))
"""Errors of the first attribute, and what a seed adds."""


def sheets_of(store):
    return by_attribute(summarise(store.load(history=False)))
