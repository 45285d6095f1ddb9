"""What replies say of an undo, and of what speaks against a label or a fine-tuning."""

from __future__ import annotations

import struct

from tinyol_host.payloads import exactly, text
from tinyol_sim.undone import UNDOABLE, Contradiction, Undone

_CONTRADICTION = struct.Struct("<hHf")
_LABEL_BACK = struct.Struct("<HHhHf")
_ALARM = struct.Struct("<B3x")
_UNDONE = struct.Struct("<BBhQIIII16s")


def contradiction(body: bytes) -> Contradiction | None:
    """LABEL's reply; ProtocolError if the body is not as specified."""
    return _found(*exactly(_CONTRADICTION, body, "LABEL's reply"))


def label_back(body: bytes) -> tuple[int, Contradiction | None]:
    """LABEL_BACK's reply: lessons, and what speaks against them."""
    lessons, _, *found = exactly(_LABEL_BACK, body, "LABEL_BACK's reply")
    return lessons, _found(*found)


def alarm_stands(body: bytes) -> bool:
    """FINE_TUNE's and CALIBRATE's reply."""
    return bool(exactly(_ALARM, body, "the reply")[0])


def undone(body: bytes) -> Undone:
    """UNDO's reply."""
    what, _, _, at, lessons, steps, windows, other, name = exactly(_UNDONE, body, "UNDO's reply")
    return Undone(
        what=UNDOABLE.get(what, ""),
        class_name=text(name) or None,
        at=at,
        lessons=lessons,
        steps=steps,
        windows=windows,
        other_changes=other,
    )


def _found(index: int, windows: int, confidence: float) -> Contradiction | None:
    return None if index < 0 else Contradiction(index, windows, confidence)
