"""Prints the table of docs/memory.md: what size.py measures, and a little room.

    python firmware/size/bounds.py

A bound is what was measured and 5 % more, rounded up to tens; tests/test_size_bounds.py fails when
a figure passes its bound, and when it lies so far below it that the bound says nothing.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

SIZE = runpy.run_path(str(Path(__file__).resolve().parents[1] / "size.py"))
HEADER = "| Component | flash, -Os | flash, -O2 | RAM |\n| --- | ---: | ---: | ---: |"


def bound(measured: int) -> int:
    """Bytes that the table promises for so many."""
    return -(-measured * 105 // 1000) * 10


def row(line: dict[str, Any]) -> str:
    """A component's line; RAM is empty where it is another line's."""
    name, numbers = line["name"], [line["-Os"], line["-O2"], line["ram"]]
    cells = ["" if number is None else f"{bound(number):,}" for number in numbers]
    if name == "In all":
        name, cells = f"**{name}**", [f"**{cell}**" for cell in cells]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measures and prints."""
    capacities = {name: value for name, (_, value) in SIZE["CAPACITIES"].items()}
    result = SIZE["measure"](capacities)
    if "code" not in result:
        raise SystemExit(f"error: no {SIZE['CROSS']} here; run `make system-deps` as root")
    print(HEADER)
    for line in result["components"]:
        print(row(line))


if __name__ == "__main__":
    main()
