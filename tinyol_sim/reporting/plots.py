"""The pictures of a replay: error before and after, F1 by learning step, confusion matrix.

Each function gives a figure, or a sentence that says why there is nothing to draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting import scores
from tinyol_sim.reporting.error_groups import Spread, error_figures, error_groups, threshold_of
from tinyol_sim.reporting.plot_style import (
    contrasting,
    log_ticks,
    new_figure,
    style,
    threshold_line,
)
from tinyol_sim.reporting.theme import Theme

MAX_GROUPS = 10
ONE_CLASS = "There was one class only, so there was nothing to mistake it for: no F1 by step."
NO_CLASSIFIER = "No labelled window was predicted, so there is no F1 and no confusion."


@dataclass(frozen=True, eq=False)
class _DrawnGroup:
    """frozen, tuned: errors, and how many windows have each; tuned is None without such a layer."""

    name: str
    windows: int
    frozen: Spread
    tuned: Spread | None


def _drawn_groups(result: ReplayResult) -> list[_DrawnGroup]:
    """Window by window where all are there; else from the tally, within 0.8 % of each error."""
    if result.every > 1:
        return [
            _DrawnGroup(group.name, group.windows, group.frozen_spread, group.tuned_spread)
            for group in error_figures(result)
        ]
    return [
        _DrawnGroup(
            group.name,
            len(group.frozen),
            _each_once(group.frozen),
            None if group.tuned is None else _each_once(group.tuned),
        )
        for group in error_groups(result)
    ]


def _each_once(errors: NDArray[np.float32]) -> Spread:
    return errors, np.ones(len(errors), np.int64)


def error_histogram(result: ReplayResult, theme: Theme) -> Figure | str:
    """Reconstruction error of like windows, frozen net and fine-tuned layer (paper, Fig. 7)."""
    all_groups = _drawn_groups(result)
    groups = all_groups[:MAX_GROUPS]
    threshold = threshold_of(result)
    spreads = [s for group in groups for s in (group.frozen, group.tuned) if s is not None]
    positive = np.concatenate([errors for errors, _ in spreads])
    positive = positive[positive > 0]
    if not len(positive):
        return "Every reconstruction error is 0, which a logarithmic axis cannot show."
    low, high = _span(positive, threshold)
    bins = np.geomspace(low, high, 81)
    figure = new_figure(theme, 1.2 + 0.95 * len(groups))
    all_axes = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    for axes, group in zip(all_axes, groups, strict=True):
        _draw_group(axes, group, bins, threshold, theme)
    _legend_of_layers(figure, groups, threshold, theme)
    last = all_axes[-1]
    last.set_xscale("log")
    last.set_xlim(low, high)
    log_ticks(last.xaxis, low, high)
    more = f"\n{len(all_groups) - MAX_GROUPS} more groups of windows are in the table"
    last.set_xlabel(
        "reconstruction error (mean square, in units of the normalised input)"
        + more * (len(all_groups) > MAX_GROUPS)
    )
    figure.supylabel("share of windows, %", fontsize=10, color=theme.ink)
    return figure


def _span(errors: NDArray[np.float32], threshold: float | None) -> tuple[float, float]:
    low, high = float(errors.min()), float(errors.max())
    if threshold is not None and low / 100 < threshold < high * 100:
        low, high = min(low, threshold), max(high, threshold)
    return low / 1.15, high * 1.15


def _draw_group(
    axes: Axes,
    group: _DrawnGroup,
    bins: NDArray[np.float64],
    threshold: float | None,
    theme: Theme,
) -> None:
    style(axes, theme)
    for spread, colour in ((group.frozen, theme.frozen), (group.tuned, theme.tuned)):
        if spread is not None:
            inside = np.clip(spread[0], bins[0], bins[-1])
            share = 100 * np.histogram(inside, bins, weights=spread[1])[0] / group.windows
            axes.stairs(share, bins, fill=True, color=colour, alpha=0.45)
            axes.stairs(share, bins, color=colour, linewidth=1.2)
    if threshold is not None:
        axes.axvline(threshold, **threshold_line(theme))
    axes.set_ylim(0, axes.get_ylim()[1])
    n = group.windows
    title = f"{group.name}  ({n:,} window{'s' * (n != 1)})"
    axes.set_title(title, loc="left", fontsize=9, color=theme.ink, pad=3)


def _legend_of_layers(
    figure: Figure, groups: list[_DrawnGroup], threshold: float | None, theme: Theme
) -> None:
    handles: list[Artist] = [Patch(color=theme.frozen, alpha=0.6, label="frozen net")]
    if any(group.tuned is not None for group in groups):
        handles.append(Patch(color=theme.tuned, alpha=0.6, label="fine-tuned layer"))
    if threshold is not None:
        handles.append(Line2D([], [], label=f"threshold {threshold:.3g}", **threshold_line(theme)))
    figure.legend(
        handles=handles,
        loc="outside upper right",
        ncols=3,
        frameon=False,
        fontsize=9,
        labelcolor=theme.ink,
    )


def f1_by_step(result: ReplayResult, theme: Theme) -> Figure | str:
    """Macro F1 by learning step (paper, Fig. 8), since the start and of late."""
    curve = scores.learning_curve(result.truth, result.windows.predicted, len(result.class_names))
    if not len(curve.step):
        counted = (result.truth >= 0) & (result.windows.predicted >= 0)
        return ONE_CLASS if counted.any() else NO_CLASSIFIER
    figure = new_figure(theme, 3.4)
    axes = figure.subplots()
    style(axes, theme)
    step = curve.step * result.every
    axes.plot(step, curve.since_start, color=theme.ink, linewidth=1.8, label="since the start")
    axes.plot(
        step,
        curve.recent,
        color=theme.tuned,
        linewidth=1.2,
        label=f"last {curve.recent_len * result.every} windows of each class",
    )
    axes.set(xlim=(0, max(step[-1], 2)), ylim=(0, 1.03), ylabel="macro F1")
    learned = result.plan.learn
    axes.set_xlabel("labelled windows, each a learning step" if learned else "labelled windows")
    n_rows = _mark_first_showings(axes, result, theme)
    figure.set_figheight(3.6 + 0.17 * (n_rows - 1))
    figure.legend(
        loc="outside lower center", ncols=2, frameon=False, fontsize=9, labelcolor=theme.ink
    )
    return figure


def _mark_first_showings(axes: Axes, result: ReplayResult, theme: Theme) -> int:
    """A line where each class turns up first, its name above; returns the rows that took."""
    labelled = result.truth[(result.truth >= 0) & (result.windows.predicted >= 0)]
    first = {int(k): int(np.argmax(labelled == k)) for k in np.unique(labelled)}
    rows: list[float] = []  # where each row of names is taken up to
    for k, kept in sorted(first.items(), key=lambda item: item[1]):
        step = kept * result.every
        width = (len(result.class_names[k]) + 2) * len(labelled) * result.every / 75
        row = next((i for i, taken in enumerate(rows) if taken <= step), len(rows))
        rows[row : row + 1] = [step + width]
        axes.axvline(step, color=theme.quiet, linewidth=0.9, linestyle=":", zorder=1)
        axes.annotate(
            result.class_names[k],
            (step, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(1, 3 + 12 * row),
            textcoords="offset points",
            fontsize=9,
            color=theme.quiet,
        )
    return len(rows)


def confusion_matrix(result: ReplayResult, theme: Theme) -> Figure | str:
    """Windows by label and prediction; shaded by share of the label."""
    table = result.tally.classes.confusion
    if not table.sum():
        return NO_CLASSIFIER
    used = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    table, names = table[np.ix_(used, used)], [result.class_names[i] for i in used]
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    side = (0.9 if len(names) < 6 else 0.62 if len(names) < 10 else 0.48) * len(names)
    longest = 0.09 * max(len(name) for name in names)
    figure = new_figure(theme, side + 0.8, side + 0.6 + longest)
    axes = figure.subplots()
    style(axes, theme, grid=False)
    shades = LinearSegmentedColormap.from_list("share", [theme.page, theme.classes[0]])
    axes.imshow(share, cmap=shades, vmin=0, vmax=1)
    for row, column in np.ndindex(table.shape):
        count, part = int(table[row, column]), float(share[row, column])
        percent = "< 1" if 0 < part < 0.005 else f"{100 * part:.0f}"
        axes.text(
            column,
            row,
            f"{count:,}\n{percent} %" if count else "0",
            ha="center",
            va="center",
            fontsize=9 if len(names) < 10 else 6.5,
            color=contrasting(shades(part)),
        )
    edges = np.arange(len(names) - 1) + 0.5
    axes.hlines(edges, -0.5, len(names) - 0.5, color=theme.grid, linewidth=1)
    axes.vlines(edges, -0.5, len(names) - 0.5, color=theme.grid, linewidth=1)
    turned = 30 if len(names) > 3 else 0
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(ticks, names)
    axes.set(xlabel="predicted", ylabel="label")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
