"""What can go wrong between this program and a device; each message says what would be right."""

from __future__ import annotations

from tinyol_sim.errors import DeviceError
from tinyol_sim.refusals import NO_MODEL, STATUS

BUSY, BAD_SEQUENCE, NO_SESSION, REBOOTED, UNKNOWN_REQUEST = -17, -18, -19, -20, -21
UNSUPPORTED = -14
NOT_AUTHENTICATED, NOT_PHYSICAL, LOCKED = -23, -24, -25

# What only a link can be refused for; the rest is the core's own list.
_LINK_STATUS = {
    BUSY: "busy: another link feeds samples or transfers an image; try again when it is done",
    BAD_SEQUENCE: "a request out of order",
    NO_SESSION: "no open session",
    REBOOTED: "the device has restarted",
    UNKNOWN_REQUEST: "a request that this firmware does not know; update the firmware",
    NOT_AUTHENTICATED: "needs a session with the board's key",
    NOT_PHYSICAL: "only at the board's own port, not over the radio",
    LOCKED: "too many wrong keys: locked for a while",
}

NEEDS_MODEL = (
    "the board has no model, and this needs one: `tinyol flash --model BUNDLE` gives it one"
)


class AddressError(DeviceError):
    """An address that no device can have: wrong usage, and exit status 2 of the command line."""


class LinkError(DeviceError):
    """The way to the device cannot be opened, or is cut for good."""


class PortGoneError(LinkError):
    """There is nothing to open: the device is unplugged, or was never there."""


class NoReplyError(LinkError):
    """The way to the device is open, but nobody answers."""


class RebootedError(DeviceError):
    """The device restarted between request and reply: what it had not saved is gone."""


class ProtocolError(DeviceError):
    """Another protocol version, or a message that is not as specified."""


class RefusedError(DeviceError):
    """The device refused a request, and nothing has changed.

    Attributes:
        status: negative, see firmware/lib/tinyol/src/tinyol/status.h.
        where: what was refused, a field's or section's name.
        need, have: its numbers where numbers say more, else 0.
    """

    def __init__(self, status: int, where: str, need: int = 0, have: int = 0) -> None:
        self.status, self.where, self.need, self.have = status, where, need, have
        words = STATUS.get(status) or _LINK_STATUS.get(status, f"refused with status {status}")
        text = f"{where}: {words}" if where else words
        if need or have:
            text += f" (needed {need}, found {have})"
        if status == NO_MODEL:
            text = NEEDS_MODEL
        super().__init__(text)


class KeyNeededError(RefusedError):
    """Not without the board's key, not over the radio, or not now: the message says what to do.

    Raised by this program too, before anything is sent.
    """

    def __init__(self, status: int, where: str, message: str, need: int = 0) -> None:
        super().__init__(status, where, need)
        self.args = (message,)
