"""The stages of flashing a board, and how it stands when one of them is the last."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

# Called with the stage, how far it is, of how much (None: not known), and a few words.
Show = Callable[["Stage", int, "int | None", str], None]


class Stage(Enum):
    """In their order; each value is what a progress bar is called."""

    ASK = "ask"
    FETCH = "fetch"
    EXPORT = "export"
    COMPILE = "compile"
    LINK = "link"
    KEEP = "keep"
    UPLOAD = "upload"
    WAIT = "wait"
    HELLO = "hello"
    SELF_TEST = "self-test"
    STATE = "state"
    PAIR = "pair"


UNITS = {
    Stage.KEEP: "bytes",
    Stage.FETCH: "packages",
    Stage.COMPILE: "files",
    Stage.UPLOAD: "%",
    Stage.STATE: "bytes",
}

_UNTOUCHED = "the board was not touched: it runs what it ran before"
TWICE = (
    "press its reset button twice, quickly, so that the orange LED fades in and out, and flash"
    " again at the port that `tinyol scan` shows then"
)


def left_as(stage: Stage) -> str:
    """How the board may stand if nothing follows this stage, and what to do then."""
    order = list(Stage)
    if order.index(stage) < order.index(Stage.UPLOAD):
        return _UNTOUCHED
    if stage is Stage.UPLOAD:
        return f"the board may hold half a program: {TWICE}"
    return "the new program is on the board; `tinyol info` and `tinyol self-test` ask it"
