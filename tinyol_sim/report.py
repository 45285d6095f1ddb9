"""The report of a replay: a folder with one HTML file to read, plots, and the windows as CSV.

report.html    everything, in one file that needs nothing else and runs no script
timeline.png  error.png  f1.png  confusion.png    its plots, where there is something to draw
windows.csv    one line a window; windows_csv.py says what is in it

Without matplotlib (the extra `plots`) there are no plots, and the page says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tinyol_sim.errors import TinyOLError
from tinyol_sim.files import write_whole
from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting.replay_summary import summarise
from tinyol_sim.reporting.report_html import Picture, render_html
from tinyol_sim.reporting.windows_csv import windows_csv

NO_MATPLOTLIB = "no plots: matplotlib is not installed (pip install 'tinyol[plots]')"


@dataclass(frozen=True)
class _Plot:
    """name: of its file and its drawing; caption: what it shows."""

    name: str
    title: str
    caption: str


_PLOTS = (
    _Plot(
        "timeline",
        "What happened",
        "Labels as recorded, predictions made before the label was learned from, what the device"
        " noticed by itself, the anomaly detector's score against its limit of 1, and the"
        " reconstruction error. An alarm: several anomalies in a row. Unknown: several windows in a"
        " row that no class explains; their score is the novelty. Moved: the sensor hangs otherwise"
        " than it did, so that it wants a calibration. Changed: the error's level has shifted, so"
        " that it wants fine-tuning, or its classes to be learned anew.",
    ),
    _Plot(
        "error",
        "Reconstruction error before and after fine-tuning",
        "The same windows through the frozen net and through the fine-tuned layer, which is asked"
        " before it learns from them. The end of fine-tuning is the last quarter of its steps.",
    ),
    _Plot(
        "f1",
        "F1 by learning step",
        "Each window is predicted before it is learned from. Dotted lines mark where a class was"
        " shown first; the curve begins with the second class. A class that is shown for long"
        " flatters F1: what counts is what happens where the label changes.",
    ),
    _Plot(
        "confusion",
        "Confusion matrix",
        "Labelled windows by label and prediction; percentages are of the label.",
    ),
)


def can_draw() -> bool:
    """Whether matplotlib is there."""
    try:
        return find_spec("matplotlib") is not None
    except ValueError:  # kept out of this process on purpose
        return False


def write_report(
    result: ReplayResult,
    folder: str | Path,
    *,
    command: str = "",
    summary: dict[str, Any] | None = None,
) -> Path:
    """Writes report.html, its plots and windows.csv into `folder`, which is made if missing.

    Files of these names are replaced; a plot that an earlier replay left there and that has
    nothing to show now is removed. Of a streamed replay that kept a part of its windows,
    windows.csv is not written here: `replay_files` writes it on the way.

    Args:
        result: of `replay`.
        folder: where to.
        command: the command line that made it, shown in the report.
        summary: of `summarise(result)`, where the caller has it already.

    Returns: the path of report.html.
    Raises: TinyOLError if the disk refuses.
    """
    folder = Path(folder)
    path = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = [_picture(plot, result) for plot in _PLOTS]
        for picture in pictures:
            file = folder / f"{picture.name}.png"
            if picture.light:
                write_whole(file, picture.light)
            else:
                file.unlink(missing_ok=True)
        if result.every == 1:
            write_whole(folder / "windows.csv", windows_csv(result).encode("utf-8", "replace"))
        page = render_html(result, summary or summarise(result), pictures, command)
        write_whole(path, page.encode("utf-8", "replace"))
    except OSError as error:
        raise TinyOLError(f"{error.filename or folder}: {error.strerror or error}") from None
    return path


def _picture(plot: _Plot, result: ReplayResult) -> Picture:
    if not can_draw():
        return Picture(plot.name, plot.title, NO_MATPLOTLIB)
    from tinyol_sim.reporting import drawings

    drawn = drawings.draw(plot.name, result)
    if isinstance(drawn, str):
        return Picture(plot.name, plot.title, drawn)
    caption = plot.caption + drawings.remarks(plot.name, result)
    return Picture(plot.name, plot.title, caption, *drawn)
