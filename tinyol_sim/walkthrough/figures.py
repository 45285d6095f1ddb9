"""Figures in a notebook, in the look of the reports.

with panels(1, 2, height_in=3.0, alt="...") as (left, right):
    left.plot(...)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from tinyol_sim.reporting.plot_style import (
    contrasting,
    new_figure,
    plotting,
    style,
    to_png,
)
from tinyol_sim.reporting.theme import LIGHT, WIDTH_IN

PAGE_PIXELS = 900


@contextmanager
def panels(
    rows: int = 1, columns: int = 1, *, height_in: float, alt: str, **subplots: Any
) -> Iterator[list[Axes]]:
    """Axes to draw on, row by row; shown when the block ends.

    Args:
        height_in: of the whole; WIDTH_IN inches are as wide as a page.
        alt: what the figure shows, in words.
        subplots: as for Figure.subplots: sharex, sharey, width_ratios, ...
    """
    from IPython.display import Image, display

    with plotting():
        figure = new_figure(LIGHT, height_in, WIDTH_IN)
        grid: NDArray[Any] = np.atleast_1d(figure.subplots(rows, columns, **subplots)).ravel()
        for axes in grid:
            style(axes, LIGHT)
        yield list(grid)
        for axes in grid:
            legend = axes.get_legend()
            if legend is not None:
                legend.get_frame().set_linewidth(0)
        display(Image(to_png(figure), width=PAGE_PIXELS, alt=alt))


def heat_map(
    axes: Axes, values: ArrayLike, rows: Sequence[str], columns: Sequence[str], text: str = "{:.2f}"
) -> None:
    """A matrix (rows, columns) of shares from 0 to 1, as colours and numbers; NaN stays empty."""
    from matplotlib.colors import LinearSegmentedColormap

    table = np.asarray(values, np.float64)
    shades = LinearSegmentedColormap.from_list("share", [LIGHT.page, LIGHT.classes[0]])
    axes.grid(False)
    axes.imshow(table, cmap=shades, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            axes.text(
                column,
                row,
                text.format(value),
                ha="center",
                va="center",
                fontsize=9,
                color=contrasting(shades(float(value))),
            )
    axes.set_xticks(range(len(columns)), columns, rotation=30 if len(columns) > 4 else 0)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def table(rows: Sequence[Sequence[object]], columns: Sequence[str]) -> None:
    """Shows a table; columns of numbers are set to the right. Floats get three digits."""
    from IPython.display import Markdown, display

    numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    lines = ["| " + " | ".join(columns) + " |"]
    lines.append("|" + "|".join("---:" if right else "---" for right in numeric) + "|")
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    display(Markdown("\n".join(lines)))


def _is_number(value: object) -> bool:
    return re.fullmatch(r"[-+\d.,e]*( ± [\d.]+)?", str(value)) is not None


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
