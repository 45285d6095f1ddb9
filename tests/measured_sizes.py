"""What firmware/size.py measures, once for all tests."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
SIZE = runpy.run_path(str(REPO / "firmware" / "size.py"))
CAPACITIES = {name: value for name, (_, value) in SIZE["CAPACITIES"].items()}


@cache
def measured() -> dict[str, Any]:
    """Of the capacities that it has without being asked for others."""
    result: dict[str, Any] = SIZE["measure"](CAPACITIES)
    return result
