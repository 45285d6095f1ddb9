"""`sim:` - a whole device in this process: the board's own C++, without a thread or a wire."""

from __future__ import annotations

import secrets
import time

import numpy as np
from numpy.typing import NDArray

from tinyol_host.errors import LinkError
from tinyol_host.protocol import MAX_MESSAGE_BYTES
from tinyol_host.transports.message_queue import MessageQueue
from tinyol_sim._core import ffi, lib
from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import BundleError
from tinyol_sim.refusals import TOO_SMALL, describe, new_refusal

_LINK = 0
_SEED_BYTES = 32


class SimTransport:
    """A Transport to a device of its own, which lives as long as this object: after close(), open()
    finds it as it was left. A new object is a device that has just been switched on.

    Raises:
        BundleError: the device refuses the model; says what and by how much.
    """

    def __init__(
        self,
        model: Bundle | bytes | None,
        max_message: int = MAX_MESSAGE_BYTES,
        *,
        sensor_hz: float = 0.0,
        has_led: bool = False,
        seed: bytes | None = None,
    ) -> None:
        """From a bundle, or a model image's bytes, or without a model.

        max_message: what the link is to carry; sensor_hz: the rate of its own sensor, which gives
        what sense() is told, 0 = it has none; has_led: one to be found by, which nobody sees;
        seed: 32 bytes for its random numbers, None = from this computer's generator.
        """
        self.max_message = max_message
        self.is_reliable = True
        self.is_physical = True
        self.bad_frames = 0
        refusal = new_refusal()
        boot_id = secrets.randbits(32) or 1
        if model is None:
            board = lib.tinyol_board_new_unloaded(boot_id, max_message, refusal)
        else:
            image = model if isinstance(model, bytes) else model.model_image
            board = lib.tinyol_board_new(image, len(image), boot_id, max_message, refusal)
        if board == ffi.NULL:
            hint = ""
            if refusal.status == TOO_SMALL:
                hint = f"; build with at least {describe(refusal).split(':')[0]}={refusal.need}"
            raise BundleError(f"the device refuses the model: {describe(refusal)}{hint}")
        self._board = ffi.gc(board, lib.tinyol_board_free)
        lib.tinyol_board_give_random(self._board, seed or secrets.token_bytes(_SEED_BYTES))
        if sensor_hz:
            lib.tinyol_board_give_sensor(self._board, sensor_hz)
        if has_led:
            lib.tinyol_board_give_led(self._board)
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

    def sense(self, samples: NDArray[np.float32], gap: bool = False) -> None:
        """The device's own sensor gives samples (n, 3) in g; gap: the first follows no other."""
        rows = np.ascontiguousarray(samples, np.float32)
        lib.tinyol_board_sense(self._board, ffi.from_buffer("float *", rows), len(rows), gap)
        if self._queue is not None:
            self._queue.put(self._sent())

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
