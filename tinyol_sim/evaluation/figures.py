"""Measured figures: one row each as they come, and their mean and spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tinyol_sim.model_image import Pipeline


@dataclass(frozen=True)
class Figure:
    """One figure of one run.

    part: what was looked at, as "three classes"; case: of what, as a head or a state
    name: the figure; seed: of the autoencoder; window: see window_text
    order, draw: of the lessons, or where it began
    """

    part: str
    case: str
    name: str
    value: float
    seed: int
    window: str = ""
    order: str = ""
    draw: int = 0


def window_text(pipeline: Pipeline) -> str:
    """Window and hop in samples, as "64/64": what a figure was measured with."""
    return f"{pipeline.window_len}/{pipeline.hop}"


@dataclass(frozen=True)
class Summary:
    """A figure over seeds, orders and draws; std is the sample's deviation over all runs."""

    part: str
    case: str
    name: str
    window: str
    mean: float
    std: float
    least: float
    most: float
    runs: int


def summarise(figures: Iterable[Figure]) -> list[Summary]:
    """One summary for each part, case and name, in the order of their first figure."""
    groups: dict[tuple[str, str, str, str], list[float]] = {}
    for figure in figures:
        key = (figure.part, figure.case, figure.name, figure.window)
        groups.setdefault(key, []).append(figure.value)
    return [_summary(key, values) for key, values in groups.items()]


def find(summaries: Sequence[Summary], part: str, case: str, name: str) -> Summary | None:
    """The summary of that part, case and name, if there is one."""
    for one in summaries:
        if (one.part, one.case, one.name) == (part, case, name):
            return one
    return None


def order_gap(figures: Iterable[Figure], part: str, case: str, name: str) -> float | None:
    """The largest difference between the means of two orders; None with fewer than two."""
    groups: dict[str, list[float]] = {}
    for figure in figures:
        if (figure.part, figure.case, figure.name) == (part, case, name):
            groups.setdefault(figure.order, []).append(figure.value)
    means = [float(np.mean(values)) for values in groups.values()]
    return max(means) - min(means) if len(means) > 1 else None


def _summary(key: tuple[str, str, str, str], values: list[float]) -> Summary:
    array = np.asarray(values, np.float64)
    return Summary(
        *key,
        mean=float(array.mean()),
        std=float(array.std(ddof=1)) if len(array) > 1 else 0.0,
        least=float(array.min()),
        most=float(array.max()),
        runs=len(array),
    )
