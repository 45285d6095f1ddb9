"""A replay window by window, as a CSV file for a spreadsheet or a notebook.

time_s         seconds of the window's last sample from the start; gaps are not counted
sample_index   that sample's index, from 0, over all recordings in order
error          the frozen net's mean squared reconstruction error
tuned_error    the fine-tuned layer's, before this window's step
log_variance   ln of the window's variance, g^2
label          class name; empty if the window has no label, or not one for all its samples
predicted      class name; empty as long as no class is known
confidence     probability of `predicted`, 0 to 1
score          of the anomaly detector; above 1: an anomaly; 0 while it settles
novelty        above 1: no class explains the window; 0 where that is not known
anomaly, learned, fine_tuned, alarm, unknown   0 or 1: score above 1; classifier took a step;
               fine-tuned layer took a step; an alarm stands; novelty above 1 and no label
notices        what began or ended with the window, names with spaces between them
"""

from __future__ import annotations

import csv
import io

import numpy as np

from tinyol_sim.replay import ReplayResult
from tinyol_sim.twin import NOTICES

COLUMNS = (
    "time_s",
    "sample_index",
    "error",
    "tuned_error",
    "log_variance",
    "label",
    "predicted",
    "confidence",
    "score",
    "novelty",
    "anomaly",
    "learned",
    "fine_tuned",
    "alarm",
    "unknown",
    "notices",
)


def windows_csv(result: ReplayResult) -> str:
    """The file's text: a header, then a line a window; float32 in the fewest digits that hold."""
    windows = result.windows
    names = np.array([*result.class_names, ""], dtype=object)
    columns = (
        np.char.mod("%.6f", result.time_s),
        result.sample_index,
        # As text, numpy writes the shortest decimal that reads back as the same float32.
        windows.error.astype(str),
        windows.tuned_error.astype(str),
        windows.log_variance.astype(str),
        names[result.truth],
        names[windows.predicted],
        windows.confidence.astype(str),
        windows.score.astype(str),
        windows.novelty.astype(str),
        windows.anomaly.astype(np.uint8),
        windows.learned.astype(np.uint8),
        windows.fine_tuned.astype(np.uint8),
        windows.alarm.astype(np.uint8),
        windows.unknown.astype(np.uint8),
        np.array([_names(bits) for bits in windows.notices.tolist()], dtype=object),
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(zip(*(column.tolist() for column in columns), strict=True))
    return text.getvalue()


def _names(bits: int) -> str:
    return " ".join(name for name, bit in NOTICES.items() if bits & bit)
