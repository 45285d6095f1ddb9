"""Numbers of things in messages and tables."""

from __future__ import annotations


def counted(n: int, one: str, many: str = "") -> str:
    """The number and its noun: "1 gap", "2,048 gaps"; many: where the plural is not one + s."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
