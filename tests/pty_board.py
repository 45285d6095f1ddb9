"""A real device behind a pseudo-terminal: what `serial:` meets where a board is plugged in."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import threading
import time
import tty
from collections.abc import Callable
from types import TracebackType

from wire_by_hand import decode_frame

from tinyol_sim._core import ffi, lib
from tinyol_sim.bundle import Bundle
from tinyol_sim.refusals import describe, new_refusal


class PtyBoard:
    """One board, which keeps running while its cable is unplugged. A thread pumps its bytes.

    spoil: what becomes of the bytes that it sends, to lose or alter some.
    """

    def __init__(self, bundle: Bundle, spoil: Callable[[bytes], bytes] = bytes) -> None:
        refusal = new_refusal()
        image = bundle.model_image
        board = lib.tinyol_board_new(image, len(image), secrets.randbits(32) or 1, 512, refusal)
        assert board != ffi.NULL, describe(refusal)
        self._board = ffi.gc(board, lib.tinyol_board_free)
        lib.tinyol_board_give_random(self._board, secrets.token_bytes(32))
        self._spoil = spoil
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.heard = bytearray()  # all that came in
        self.path = ""

    def plug_in(self) -> str:
        """The path of the port, a new one each time."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._stop.clear()
        self._thread = threading.Thread(target=self._pump, name="pty-board")
        self._thread.start()
        return self.path

    def unplug(self) -> None:
        """The port hangs up."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
            lib.tinyol_board_drop(self._board, 0)
            os.close(self._slave)
            os.close(self._master)

    def say(self, data: bytes) -> None:
        """Sends bytes that are no frame of the device."""
        os.write(self._master, data)

    def __enter__(self) -> PtyBoard:
        self.plug_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.unplug()

    def _pump(self) -> None:
        unfinished = b""
        out = ffi.new("uint8_t[512]")
        framed = ffi.new("uint8_t[524]")
        while not self._stop.is_set():
            if not select.select([self._master], [], [], 0.02)[0]:
                continue
            data = os.read(self._master, 4096)
            self.heard += data
            *frames, unfinished = (unfinished + data).split(b"\0")
            for frame in filter(None, frames):
                with contextlib.suppress(AssertionError, IndexError):
                    message = decode_frame(frame)
                    now_ms = time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF
                    lib.tinyol_board_receive(self._board, 0, message, len(message), now_ms)
            while length := lib.tinyol_board_take(self._board, 0, out):
                size = lib.tinyol_encode_frame(out, length, framed)
                os.write(self._master, self._spoil(bytes(ffi.buffer(framed, size))))
