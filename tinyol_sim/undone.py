"""What an undo takes back, and what a label contradicts: as the device tells both."""

from __future__ import annotations

from dataclasses import dataclass

from tinyol_sim.counted import counted
from tinyol_sim.text import printable

# What can be taken back: the request's number, and what a command calls it (commands.py).
UNDOABLE = {
    15: "remove_class",
    16: "label",
    17: "label_back",
    18: "fine_tune",
    32: "reset",
    52: "relearn",
    54: "calibrate",
    55: "name_unknown",
}
_WORDS = {
    "remove_class": "the removal of {}",
    "label": "the label {}",
    "label_back": "the late label {}",
    "fine_tune": "the fine-tuning",
    "reset": "the reset",
    "relearn": "the relearning of {}",
    "calibrate": "the calibration",
    "name_unknown": "the name {} for an unknown event",
}


@dataclass(frozen=True)
class Undone:
    """What was taken back, or would be.

    what: one of UNDOABLE's names; "" for a request that this program does not know.
    class_name: as of then, or the name given; None where it is about no class.
    at: index of the sample that was due when it was asked for.
    lessons, steps, windows: learned, taken and seen since, as many as go back with it; after a
        reset, since that.
    other_changes: settings, names, weights and classes, which go back too.
    """

    what: str
    class_name: str | None
    at: int
    lessons: int
    steps: int
    windows: int
    other_changes: int

    def __str__(self) -> str:
        """As "the label tilted"."""
        return _WORDS.get(self.what, "the last change").format(printable(self.class_name or "?"))

    def back(self) -> list[str]:
        """What goes back with it, in words; empty for nothing."""
        parts = (
            (self.lessons, "lesson"),
            (self.steps, "fine-tuning step"),
            (self.other_changes, "other change"),
        )
        return [counted(n, what) for n, what in parts if n]


@dataclass(frozen=True)
class Contradiction:
    """A class that the device is sure of, other than the label.

    windows: that say so. confidence: of the last of them, 0.9 to 1.
    """

    class_index: int
    windows: int
    confidence: float
