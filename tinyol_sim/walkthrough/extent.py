"""Whether a notebook runs in full, or small: on little data, only to see that every cell runs."""

from __future__ import annotations

import os

VARIABLE = "TINYOL_NOTEBOOKS"
SMALL = os.environ.get(VARIABLE) == "small"
NOTE = "This is the small version: little data, few epochs; its figures mean nothing."
