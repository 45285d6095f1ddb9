"""How many attacks were tried, and how many were beaten off: told at the end of a test run."""

from __future__ import annotations

from collections import Counter

_tried: Counter[str] = Counter()
_beaten: Counter[str] = Counter()


def tried(kind: str, n: int = 1) -> None:
    """Before an attack."""
    _tried[kind] += n


def beaten(kind: str, n: int = 1) -> None:
    """After it, when it is known that it was in vain."""
    _beaten[kind] += n


def summary() -> list[str]:
    """A line a kind of attack and one for all; nothing if none was tried."""
    lines = [
        f"  {kind}: {_tried[kind]:,} tried, {_tried[kind] - _beaten[kind]:,} succeeded"
        for kind in sorted(_tried)
    ]
    if lines:
        n = sum(_tried.values())
        lines.insert(0, f"attacks: {n:,} tried, {n - sum(_beaten.values()):,} succeeded")
    return lines
