"""What a command did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effect:
    """What a command did.

    at: index of the first sample that it holds for.
    value: a new class's index; the lessons of a late label, a relearned class or an unknown event
        that got a name; a save's bytes.
    index: of the class that an unknown event became.
    """

    at: int
    value: int | None = None
    index: int | None = None
