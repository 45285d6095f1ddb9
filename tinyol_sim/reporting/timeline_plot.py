"""The course of a replay by time: labels, predictions, what was noticed, score and error."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from tinyol_sim.counted import counted
from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting.error_groups import NO_LABEL
from tinyol_sim.reporting.noticed_band import band_height, draw_noticed
from tinyol_sim.reporting.notices import notices
from tinyol_sim.reporting.plot_style import contrasting, new_figure, style
from tinyol_sim.reporting.theme import WIDTH_IN, Theme
from tinyol_sim.reporting.trace_plot import MAX_COLUMNS, draw_errors, draw_scores, has_scores

MAX_GAPS = 60  # more gaps than this would hide what they part
Colour = tuple[float, float, float]
_BAND_ROWS = 30
_FINE_COLUMNS = 8 * MAX_COLUMNS  # of a band that shows each window for itself
NO_PREDICTION = "no prediction"


def timeline(result: ReplayResult, theme: Theme) -> Figure | str:
    """Bands of truth, predictions and notices over traces of score and error; seconds."""
    entries = _legend(result, theme)
    names = [name for name, _ in entries]
    n_columns = max(1, int(WIDTH_IN / (0.6 + 0.1 * max(map(len, names)))))
    found = notices(result)
    # What is drawn, from top to bottom, and how high each is.
    heights = {"label": 0.45, "predicted": 0.45}
    if found:
        heights["noticed"] = band_height(found)
    if has_scores(result):
        heights["score"] = 1.6
    heights["error"] = 2.6
    legend_in = 0.2 * (-(-len(entries) // n_columns))
    figure = new_figure(theme, 0.9 + sum(heights.values()) + legend_in)
    drawn = figure.subplots(len(heights), 1, sharex=True, height_ratios=tuple(heights.values()))
    axes_of = dict(zip(heights, drawn, strict=True))
    truth_axes, predicted_axes = axes_of["label"], axes_of["predicted"]
    error_axes = axes_of["error"]
    duration_s = result.stream.duration_s
    column = _columns(result)
    predicted = result.windows.predicted
    _draw_band(truth_axes, "label", result.truth, theme.no_label, column, result, theme)
    _draw_band(predicted_axes, "predicted", predicted, theme.no_prediction, column, result, theme)
    _name_stretches(truth_axes, result, theme)
    if found:
        draw_noticed(axes_of["noticed"], found, result, theme)
    draw_errors(error_axes, column, result, theme)
    traces = [error_axes]
    if "score" in axes_of:
        draw_scores(axes_of["score"], column, result, theme)
        traces.append(axes_of["score"])
    for gap in _gaps_drawn(result):
        at = gap / result.stream.rate_hz
        for axes in traces:
            axes.axvline(at, color=theme.quiet, linewidth=0.7, linestyle=":", zorder=1)
    error_axes.set_xlim(0, duration_s)
    error_axes.set_xlabel("time in the recordings, s")
    figure.legend(
        [Patch(color=colour) for _, colour in entries],
        [f" {name}" for name in names],  # one that begins with "_" would be left out
        loc="outside upper center",
        ncols=min(len(entries), n_columns),
        frameon=False,
        fontsize=9,
        labelcolor=theme.ink,
    )
    return figure


def timeline_remarks(result: ReplayResult) -> str:
    """Sentences for the caption, a space before each: of gaps, and of columns of many windows."""
    remarks = ""
    n_gaps = len(result.stream.gaps)
    if len(_gaps_drawn(result)):
        remarks += " Dotted lines are gaps in the recordings."
    elif n_gaps:
        remarks += f" The {counted(n_gaps, 'gap')} in the recordings are too many to be drawn."
    if len(result.windows) > MAX_COLUMNS:
        remarks += (
            " A column of the two bands stands for several windows: where these differ, each"
            " class fills its share of the height."
        )
    return remarks


def _gaps_drawn(result: ReplayResult) -> NDArray[np.int64]:
    gaps = result.stream.gaps
    return gaps if len(gaps) <= MAX_GAPS else gaps[:0]


def _legend(result: ReplayResult, theme: Theme) -> list[tuple[str, Colour]]:
    """Name and colour of the classes in sight, then of no label and of no prediction."""
    truth, predicted = result.truth, result.windows.predicted
    present = np.unique(np.concatenate([truth, predicted])).tolist()
    entries = [(_name(i, result), theme.class_colour(i)) for i in present if i >= 0]
    if (truth < 0).any():
        entries.append((NO_LABEL, to_rgb(theme.no_label)))
    if (predicted < 0).any():
        entries.append((NO_PREDICTION, to_rgb(theme.no_prediction)))
    return entries


def _name(index: int, result: ReplayResult) -> str:
    return result.class_names[index] if index >= 0 else NO_LABEL


def _columns(result: ReplayResult) -> NDArray[np.int64]:
    """The picture's column of each window, (n,), rising; a column holds a window or more."""
    n = len(result.windows)
    n_columns = min(MAX_COLUMNS, n)
    column = result.sample_index * n_columns // result.stream.n_samples
    return column.astype(np.int64)


def _draw_band(
    axes: Axes,
    title: str,
    labels: NDArray[np.int16],
    none_colour: str,
    column: NDArray[np.int64],
    result: ReplayResult,
    theme: Theme,
) -> None:
    n_classes = len(result.class_names)
    if len(labels) <= MAX_COLUMNS:
        chosen = _window_by_window(labels, result)
    else:
        chosen = _by_shares(labels, column, n_classes)
    colours = np.array([*(theme.class_colour(i) for i in range(n_classes)), to_rgb(none_colour)])
    axes.imshow(
        colours[chosen],  # -1 is the last one: none
        extent=(0, result.stream.duration_s, 0, 1),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    style(axes, theme, grid=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
    axes.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9, labelpad=6)


def _window_by_window(labels: NDArray[np.int16], result: ReplayResult) -> NDArray[np.int64]:
    """Classes by [0, column]: each window from the end of the one before to its own."""
    at_s = (np.arange(_FINE_COLUMNS) + 0.5) / _FINE_COLUMNS * result.stream.duration_s
    index = np.searchsorted(result.time_s, at_s).clip(max=len(labels) - 1)
    return labels[None, index].astype(np.int64)


def _by_shares(
    labels: NDArray[np.int16], column: NDArray[np.int64], n_classes: int
) -> NDArray[np.int64]:
    """Classes by [row, column]: a column is filled from below with its windows' shares."""
    n_columns = MAX_COLUMNS
    count = np.zeros((n_columns, n_classes + 1))
    np.add.at(count, (column, np.where(labels < 0, n_classes, labels)), 1)
    # Behind a gap a window takes longer to fill: the next one stands in.
    filled = np.flatnonzero(count.sum(axis=1))
    nearest = np.searchsorted(filled, np.arange(n_columns)).clip(max=len(filled) - 1)
    count = count[filled[nearest]]
    upto = np.cumsum(count, axis=1) / count.sum(axis=1, keepdims=True)
    height = (np.arange(_BAND_ROWS) + 0.5) / _BAND_ROWS
    chosen = np.sum(height[:, None, None] > upto[None], axis=2)
    return np.where(chosen >= n_classes, -1, chosen)


def _name_stretches(axes: Axes, result: ReplayResult, theme: Theme) -> None:
    """Writes the class into each stretch of the truth band that is long enough for its name."""
    starts = np.flatnonzero(np.diff(result.truth, prepend=-2))
    stops = np.append(starts[1:], len(result.truth)) - 1
    for start, stop in zip(starts, stops, strict=True):
        name, index = _name(result.truth[start], result), int(result.truth[start])
        begin_s, end_s = result.time_s[start], result.time_s[stop]
        if (end_s - begin_s) / result.stream.duration_s * WIDTH_IN > 0.3 + 0.1 * len(name):
            axes.text(
                (begin_s + end_s) / 2,
                0.5,
                name,
                ha="center",
                va="center_baseline",
                fontsize=8,
                color=contrasting(theme.class_colour(index)),
            )
