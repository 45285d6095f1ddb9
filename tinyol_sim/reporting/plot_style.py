"""The look of all plots: axes in a theme's colours, and figures as PNG bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tinyol_sim.reporting.theme import DPI, WIDTH_IN, Theme


@contextmanager
def plotting() -> Iterator[None]:
    """Names are shown as they are: `$` is no formula, a missing glyph no reason to complain."""
    # Layout and text are settled when a figure is drawn, so this must be in force then, too.
    options: Any = {
        "text.parse_math": False,
        "font.size": 10,
        "figure.constrained_layout.w_pad": 0.08,
        "figure.constrained_layout.h_pad": 0.08,
    }
    with matplotlib.rc_context(options), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(theme: Theme, height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty figure in the theme's colours."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor=theme.page)
    FigureCanvasAgg(figure)
    return figure


def style(axes: Axes, theme: Theme, *, grid: bool = True) -> None:
    """Quiet axes without a box."""
    axes.set_facecolor(theme.page)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.quiet)
    axes.tick_params(colors=theme.quiet, which="both", labelsize=9)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(theme.ink)
    axes.title.set_color(theme.ink)
    if grid:
        axes.grid(True, color=theme.grid, linewidth=0.8)
        axes.set_axisbelow(True)


def threshold_line(theme: Theme) -> dict[str, Any]:
    """How the anomaly threshold is drawn everywhere."""
    return {"color": theme.ink, "linewidth": 1.2, "linestyle": (0, (4, 2))}


def contrasting(colour: Sequence[float]) -> str:
    """Black or white: whichever reads better on a colour (red, green, blue, 0 to 1)."""
    luminance = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]
    return "#000000" if luminance > 0.55 else "#ffffff"


def log_ticks(axis: Axis, low: float, high: float) -> None:
    """Ticks on a logarithmic axis as plain numbers: 1, 2, 5 a decade, or 1 where there are many."""
    subs = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    axis.set_major_locator(LogLocator(10, subs=subs, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file for twice a page's resolution."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()
