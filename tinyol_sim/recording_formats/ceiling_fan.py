"""The public ceiling-fan set: what its folder names say, since its files hold bare numbers.

S. Hymel, "tinyml-example-anomaly-detection", 2020: an MSA301 accelerometer on a ceiling fan.
One file is one second: 200 rows `x, y, z` in g, 200 Hz, no header. A folder is one recording;
between two files some time passed, so each border is a gap.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

RATE_HZ = 200.0
COLUMNS = ("x", "y", "z")
_FOLDER = re.compile(r"fan_\d+_((?:off|low|med|high)(?:[_-].*)?)")


def folder_label(folder_name: str) -> str | None:
    """The label that a folder of the set stands for, or None if it is no such folder.

    A class name holds 15 bytes, so what all folders share is left out:
    fan_0_low_1_weight -> low_1, fan_0_low_0_weight-moving -> low_0-moving.
    """
    match = _FOLDER.fullmatch(folder_name)
    return match[1].replace("_weight", "") if match else None


def label_of_file(path: Path) -> str | None:
    """The same for a file, from the folder that it lies in."""
    return folder_label(Path(os.path.abspath(path)).parent.name)
