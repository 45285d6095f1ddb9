"""What a command did."""

from __future__ import annotations

from dataclasses import dataclass

from tinyol_sim.undone import Contradiction, Undone


@dataclass(frozen=True)
class Effect:
    """What a command did.

    at: index of the first sample that it holds for.
    value: a new class's index; the lessons of a late label, a relearned class or an unknown event
        that got a name; a save's bytes.
    index: of the class that an unknown event became.
    contradiction: of a label with what the device is sure of: a warning.
    alarm_stands: what fine-tuning or a calibration makes normal now was just called an anomaly.
    undone: what was taken back.
    """

    at: int
    value: int | None = None
    index: int | None = None
    contradiction: Contradiction | None = None
    alarm_stands: bool = False
    undone: Undone | None = None
