"""The traces of a replay by time: reconstruction error, and the anomaly detector's score."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting.error_groups import DETECTOR, threshold_of
from tinyol_sim.reporting.plot_style import log_ticks, style, threshold_line
from tinyol_sim.reporting.theme import Theme

MAX_COLUMNS = 1500  # more windows than this are shown by their shares and quantiles
MAX_DOTS = 100  # up to as many windows each gets a dot
_LEAST_SCORE, _MOST_SCORE = 1e-2, 1e2


def has_scores(result: ReplayResult) -> bool:
    """Whether the score says more than the error over its threshold does."""
    return bool(result.settings[DETECTOR]) and bool(np.any(result.windows.score > 0))


def draw_scores(axes: Axes, column: NDArray[np.int64], result: ReplayResult, theme: Theme) -> None:
    """The score against its limit of 1, cut to a hundredth of it and a hundred times it."""
    style(axes, theme)
    axes.set_yscale("log")
    judged = result.windows.score > 0
    scores = np.clip(result.windows.score, _LEAST_SCORE, _MOST_SCORE)
    if len(scores) <= 2 * MAX_COLUMNS:
        scores = np.where(judged, scores, np.float32(np.nan))  # the line breaks there
        judged = np.ones_like(judged)
    _draw_trace(axes, "score", result.time_s[judged], scores[judged], column[judged], theme.ink)
    axes.axhline(1.0, **threshold_line(theme))
    axes.set_ylim(_LEAST_SCORE / 1.3, _MOST_SCORE * 1.3)
    log_ticks(axes.yaxis, _LEAST_SCORE, _MOST_SCORE * 100)
    axes.set_ylabel("anomaly score", fontsize=10)


def draw_errors(axes: Axes, column: NDArray[np.int64], result: ReplayResult, theme: Theme) -> None:
    """The frozen net's and the fine-tuned layer's error, with the threshold that decides."""
    windows, threshold = result.windows, threshold_of(result)
    style(axes, theme)
    axes.set_yscale("log")
    traces = [("frozen net", windows.error, theme.frozen, np.ones(len(windows), np.bool_))]
    if result.tuned.any():
        traces.append(("fine-tuned layer", windows.tuned_error, theme.tuned, result.tuned))
    shown = []
    for name, errors, colour, where in traces:
        shown.append(errors[where])
        _draw_trace(axes, name, result.time_s[where], errors[where], column[where], colour)
    low, high = _limits(np.concatenate(shown), threshold)
    if threshold is not None:
        axes.axhline(threshold, label=f"threshold {threshold:.3g}", **threshold_line(theme))
    _mark_fine_tuning(axes, result, theme)
    axes.set_ylim(low, high)
    log_ticks(axes.yaxis, low, high)
    axes.set_ylabel("reconstruction error", fontsize=10)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor=theme.ink,
    )


def _limits(errors: NDArray[np.float32], threshold: float | None) -> tuple[float, float]:
    positive = errors[errors > 0]
    if not len(positive):
        return 0.1, 10.0
    low, high = (float(value) for value in np.quantile(positive, (0.002, 1.0)))
    if threshold is not None and low / 100 < threshold < high * 100:
        low, high = min(low, threshold), max(high, threshold)
    return low / 1.3, high * 1.5


def _draw_trace(
    axes: Axes,
    name: str,
    time_s: NDArray[np.float64],
    errors: NDArray[np.float32],
    column: NDArray[np.int64],
    colour: str,
) -> None:
    """One line; with many windows the median of each column, between its 5 and 95 % quantiles."""
    if len(errors) <= 2 * MAX_COLUMNS:
        dots = "o" if len(errors) <= MAX_DOTS else None
        axes.plot(time_s, errors, marker=dots, ms=3, color=colour, linewidth=0.7, label=name)
        return
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    pieces = np.split(errors, starts[1:])
    low, middle, high = np.array([np.quantile(piece, (0.05, 0.5, 0.95)) for piece in pieces]).T
    axes.fill_between(time_s[starts], low, high, color=colour, alpha=0.3, linewidth=0)
    axes.plot(time_s[starts], middle, color=colour, linewidth=0.9, label=name)


def _mark_fine_tuning(axes: Axes, result: ReplayResult, theme: Theme) -> None:
    errors, rate_hz = result.tally.errors, result.stream.rate_hz
    if errors.n_steps:
        axes.axvspan(
            errors.first_step / rate_hz,
            errors.last_step / rate_hz,
            color=theme.tuned,
            alpha=0.12,
            linewidth=0,
            label="fine-tuning",
        )
