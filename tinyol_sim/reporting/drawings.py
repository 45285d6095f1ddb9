"""The plots of a report by name, as PNG in both themes. Imports matplotlib; the rest does not."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting.plot_style import plotting, to_png
from tinyol_sim.reporting.plots import confusion_matrix, error_histogram, f1_by_step
from tinyol_sim.reporting.theme import DARK, LIGHT, Theme
from tinyol_sim.reporting.timeline_plot import timeline, timeline_remarks

_DRAW: dict[str, Callable[[ReplayResult, Theme], Figure | str]] = {
    "timeline": timeline,
    "error": error_histogram,
    "f1": f1_by_step,
    "confusion": confusion_matrix,
}


def draw(name: str, result: ReplayResult) -> tuple[bytes, bytes] | str:
    """The plot on a light and on a dark page, PNG; or why there is nothing to draw."""
    images = []
    with plotting():
        for theme in (LIGHT, DARK):
            figure = _DRAW[name](result, theme)
            if isinstance(figure, str):
                return figure
            images.append(to_png(figure))
    return images[0], images[1]


def remarks(name: str, result: ReplayResult) -> str:
    """What else the caption says of this replay's figure."""
    said = timeline_remarks(result) if name == "timeline" else ""
    if result.every == 1 or name == "confusion":
        return said
    if name == "error":
        return said + " Errors of all windows, told apart within 0.8 %."
    return (
        said
        + f" Of the {result.tally.n_windows:,} windows one in {result.every} is drawn; what was"
        " noticed, the tables and windows.csv are of all."
    )
