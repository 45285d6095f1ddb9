"""`sim:` - a whole device in this process: the board's own C++, without a thread or a wire."""

from __future__ import annotations

import secrets
import time

from tinyol_host.errors import LinkError
from tinyol_host.protocol import MAX_MESSAGE_BYTES
from tinyol_host.transports.message_queue import MessageQueue
from tinyol_sim._core import ffi, lib
from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import BundleError
from tinyol_sim.refusals import TOO_SMALL, describe, new_refusal

_LINK = 0


class SimTransport:
    """A Transport to a device of its own, which lives as long as this object: after close(), open()
    finds it as it was left. A new object is a device that has just been switched on.

    Raises:
        BundleError: the device refuses the model; says what and by how much.
    """

    def __init__(self, model: Bundle | bytes, max_message: int = MAX_MESSAGE_BYTES) -> None:
        """From a bundle, or a model image's bytes; max_message: what the link is to carry."""
        self.max_message = max_message
        self.is_reliable = True
        self.bad_frames = 0
        image = model if isinstance(model, bytes) else model.model_image
        refusal = new_refusal()
        boot_id = secrets.randbits(32) or 1
        board = lib.tinyol_board_new(image, len(image), boot_id, max_message, refusal)
        if board == ffi.NULL:
            hint = ""
            if refusal.status == TOO_SMALL:
                hint = f"; build with at least {describe(refusal).split(':')[0]}={refusal.need}"
            raise BundleError(f"the device refuses the model: {describe(refusal)}{hint}")
        self._board = ffi.gc(board, lib.tinyol_board_free)
        self._buffer = ffi.new(f"uint8_t[{MAX_MESSAGE_BYTES}]")
        self._queue: MessageQueue | None = None

    @property
    def name(self) -> str:
        """See Transport."""
        return "sim"

    async def open(self) -> None:
        """See Transport."""
        if self._queue is None:
            self._queue = MessageQueue()

    async def close(self) -> None:
        """See Transport: the device drops its peer, and goes on."""
        queue, self._queue = self._queue, None
        if queue is not None:
            lib.tinyol_board_drop(self._board, _LINK)
            self._sent()  # nobody is there to hear it
            queue.finish("sim has been closed")

    async def send(self, message: bytes) -> None:
        """See Transport."""
        queue = self._opened()
        now_ms = _now_ms()
        # Here is when time passes for the device: in between, nothing could come of it.
        lib.tinyol_board_tick(self._board, now_ms)
        lib.tinyol_board_receive(self._board, _LINK, message, len(message), now_ms)
        queue.put(self._sent())

    async def send_ahead(self, message: bytes) -> None:
        """See Transport."""
        await self.send(message)

    async def receive(self) -> bytes:
        """See Transport."""
        return await self._opened().get()

    def _opened(self) -> MessageQueue:
        if self._queue is None:
            raise LinkError("sim is not open")
        return self._queue

    def _sent(self) -> list[bytes]:
        """What the device has sent since."""
        messages = []
        while length := lib.tinyol_board_take(self._board, _LINK, self._buffer):
            messages.append(bytes(ffi.buffer(self._buffer, length)))
        return messages


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF
