"""What a board has sent: frames for the client, and notices, which are taken out of the stream.

A notice is a readable frame that no frame of the wire protocol can be
(firmware/boards/emulator/notice.h).
"""

from __future__ import annotations

import threading

from .._core import ffi
from ..errors import EmulatorError
from ..refusals import describe, new_refusal

_MARK = b"TINYOL "


class Inbox:
    """Filled by a machine's own thread, emptied by its user."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._unfinished = bytearray()  # behind the last zero
        self._frames = bytearray()
        self._ready = False
        self._failure: str | None = None
        self.notices: list[str] = []

    def put(self, data: bytes) -> None:
        """Bytes from the UART."""
        with self._changed:
            self._unfinished += data
            *finished, rest = self._unfinished.split(b"\0")
            self._unfinished = rest
            for frame in finished:
                if frame.startswith(_MARK):
                    self._take_notice(frame[len(_MARK) :].decode("ascii", "replace").rstrip())
                elif frame:
                    self._frames += frame + b"\0"
            self._changed.notify_all()

    def fail(self, reason: str) -> None:
        """Nothing more will come; the first reason counts."""
        with self._changed:
            if self._failure is None:
                self._failure = reason
            self._changed.notify_all()

    def get(self, timeout: float) -> bytes:
        """Whole frames, b"" after the timeout; EmulatorError when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._failure, timeout)
            if not self._frames and self._failure is not None:
                raise EmulatorError(self._failure)
            frames = bytes(self._frames)
            self._frames.clear()
            return frames

    def wait_ready(self, timeout: float) -> None:
        """Until the board listens; EmulatorError if it does not come to that."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._failure, timeout)
            if self._failure is not None:
                raise EmulatorError(self._failure)
            if not self._ready:
                raise EmulatorError(f"the emulated board was not ready after {timeout:g} s")

    def _take_notice(self, notice: str) -> None:
        self.notices.append(notice)
        word, _, text = notice.partition(" ")
        if word == "READY":
            self._ready = True
        elif word == "REFUSED" and self._failure is None:
            self._failure = f"the emulated board refuses the model: {_refusal(text)}"
        elif word == "FAULT" and self._failure is None:
            self._failure = f"the emulated CPU has faulted: {text}"


def _refusal(text: str) -> str:
    try:
        status, need, have, where = text.split(" ", 3)
        refusal = new_refusal()
        refusal.status, refusal.need, refusal.have = int(status), int(need), int(have)
        ffi.memmove(refusal.where, where.encode()[:31], min(31, len(where)))
        return describe(refusal)
    except (ValueError, OverflowError):
        return text
