"""The look of all plots: colours for light and dark pages, axes, and figures as PNG bytes.

The colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008), which people with
any of the usual colour-vision deficiencies can tell apart; some are lighter on a dark page.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

WIDTH_IN = 9.0
PAGE_DPI = 100  # WIDTH_IN is 900 pixels of a page
DPI = 2 * PAGE_DPI


@dataclass(frozen=True)
class Theme:
    """Colours as #rrggbb."""

    page: str
    ink: str
    quiet: str  # secondary text, axes
    grid: str
    no_label: str
    no_prediction: str
    frozen: str  # the frozen net
    tuned: str  # the fine-tuned layer
    classes: tuple[str, ...]

    def class_colour(self, index: int) -> tuple[float, float, float]:
        """Of class `index`; -1 = no label. Beyond the palette the colours come back, paler."""
        if index < 0:
            return to_rgb(self.no_label)
        colour, page = to_rgb(self.classes[index % len(self.classes)]), to_rgb(self.page)
        share = 0.55 ** (index // len(self.classes))
        red, green, blue = (share * c + (1 - share) * p for c, p in zip(colour, page, strict=True))
        return red, green, blue


LIGHT = Theme(
    page="#ffffff",
    ink="#1b1f24",
    quiet="#5c6570",
    grid="#e3e6ea",
    no_label="#dfe3e8",
    no_prediction="#aab2bc",
    frozen="#8b939c",
    tuned="#d55e00",
    classes=("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442"),
)
DARK = Theme(
    page="#14171b",
    ink="#e8eaed",
    quiet="#a2abb5",
    grid="#2b3138",
    no_label="#343b43",
    no_prediction="#5b6570",
    frozen="#8b939c",
    tuned="#ff8c42",
    classes=("#3f9fdc", "#e69f00", "#1fbf92", "#d98fb8", "#8fd0f5", "#f0e442"),
)


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
