"""What a person should do where a board wants its key, or wants to be touched."""

from __future__ import annotations

from tinyol_host.errors import (
    LOCKED,
    NOT_AUTHENTICATED,
    NOT_PHYSICAL,
    KeyNeededError,
    RefusedError,
)

# What a refusal names.
NEVER_PAIRED, KEY, READING, MAC, USB = "pair", "key", "reading", "mac", "usb"


def worded(error: RefusedError, key_id: str) -> RefusedError:
    """A refusal for want of the key with what to do; any other as it is.

    key_id: of the board, as HELLO said.
    """
    if error.status not in (NOT_AUTHENTICATED, NOT_PHYSICAL, LOCKED):
        return error
    return key_needed(error.status, error.where, key_id, error.need)


def key_needed(status: int, where: str, key_id: str, need: int = 0) -> KeyNeededError:
    """The error of one of these three statuses."""
    return KeyNeededError(status, where, _words(status, where, key_id, need), need)


def _words(status: int, where: str, key_id: str, need: int) -> str:
    if status == LOCKED:
        return (
            "the board had too many messages with a wrong key over this link, and takes none for"
            f" {-(-need // 1000)} s: try again then"
        )
    if status == NOT_PHYSICAL:
        return "that works at the board's own port alone, not over the radio: connect it by USB"
    if where == NEVER_PAIRED:
        return (
            "this board was never paired, so nobody may change it over the radio: connect it by USB"
            " and run `tinyol pair -d serial:` once"
        )
    if where == MAC:
        return (
            "the board does not take this program for one that has its key"
            f" ({key_id}): connect anew; if that does not help, connect it by USB and run"
            " `tinyol keys rotate`"
        )
    lacks = (
        f"this computer does not have this board's key ({key_id}): `tinyol keys import` it from the"
        " one that has, or connect it by USB and run `tinyol keys rotate`"
    )
    return f"this board tells only those who have its key: {lacks}" if where == READING else lacks
