"""Who may ask for what, as the board has it: firmware/lib/tinyol/src/tinyol/access_rules.h.

The board decides. This program knows it too so that it can say beforehand what to do, and so that
nothing which changes a board goes over the radio without a key.
"""

from __future__ import annotations

from enum import Enum

from tinyol_host.protocol import Opcode


class Need(Enum):
    """What a request needs over the radio."""

    NOTHING = "nothing"
    READING = "reading"  # nothing, unless the board was told that reading needs its key too
    CHANGE = "change"  # an authenticated session
    PHYSICAL = "physical"  # cannot be had: only at the board's own port


_NOTHING = {
    Opcode.HELLO,
    Opcode.PING,
    Opcode.GOODBYE,
    Opcode.CHALLENGE,
    Opcode.AUTHENTICATE,
    Opcode.ACCESS,
}
_READING = {
    Opcode.INFO,
    Opcode.SETTINGS_LIST,
    Opcode.CLASSES_LIST,
    Opcode.METRICS,
    Opcode.ALARMS,
    Opcode.STREAM,
    Opcode.HARDWARE,
    Opcode.CONDITION,
    Opcode.UNKNOWNS,
    Opcode.WATCH,
    Opcode.CLASS_STATUS,
}
_PHYSICAL = {Opcode.PAIR, Opcode.FACTORY_RESET}


def need_of(opcode: Opcode) -> Need:
    """What a request needs; all that is not named otherwise changes the board."""
    if opcode in _NOTHING:
        return Need.NOTHING
    if opcode in _READING:
        return Need.READING
    return Need.PHYSICAL if opcode in _PHYSICAL else Need.CHANGE
