"""What the device noticed by itself, as a row for each kind: a bar from begin to end, or a mark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting.notices import KINDS, Notice
from tinyol_sim.reporting.plot_style import style
from tinyol_sim.reporting.theme import Theme

_ROW_IN = 0.2
_LEAST_SHARE = 0.002  # of the width: a shorter bar would not be seen


def band_height(found: Sequence[Notice]) -> float:
    """Inches for all rows."""
    return 0.1 + _ROW_IN * len(_kinds(found))


def draw_noticed(axes: Axes, found: Sequence[Notice], result: ReplayResult, theme: Theme) -> None:
    """Rows in the order of KINDS, those that there are."""
    kinds, rate_hz = _kinds(found), result.stream.rate_hz
    least_s = _LEAST_SHARE * result.stream.duration_s
    for row, kind in enumerate(kinds):
        of_kind = [notice for notice in found if notice.kind == kind]
        if of_kind[0].lasts:
            begins = np.array([notice.first_sample for notice in of_kind]) / rate_hz
            lengths = np.array([notice.last_sample for notice in of_kind]) / rate_hz - begins
            bars = list(zip(begins, np.maximum(lengths, least_s), strict=True))
            axes.broken_barh(bars, (row + 0.2, 0.6), facecolor=theme.tuned)
        else:
            at_s = np.array([notice.first_sample for notice in of_kind]) / rate_hz
            axes.plot(at_s, np.full(len(at_s), row + 0.5), "D", ms=4, color=theme.tuned)
    style(axes, theme, grid=False)
    axes.set_yticks(np.arange(len(kinds)) + 0.5, kinds)
    axes.set_ylim(len(kinds), 0)
    axes.spines[:].set_visible(False)
    axes.tick_params(left=False, bottom=False, labelbottom=False)


def _kinds(found: Sequence[Notice]) -> list[str]:
    present = {notice.kind for notice in found}
    return [kind for kind in KINDS if kind in present]
