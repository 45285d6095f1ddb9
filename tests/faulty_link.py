"""A device in this process behind a transport that loses, doubles and cuts messages on demand.

The device is the real server (csrc/board_api.h). Every message is numbered, by direction.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from board_in_process import SEED
from boards_with_flash import MemoryFlash
from numpy.typing import NDArray
from small_replay import small_bundle

from tinyol_host.errors import LinkError
from tinyol_host.timing import Timing
from tinyol_sim._core import ffi, lib
from tinyol_sim.bundle import Bundle
from tinyol_sim.refusals import new_refusal

# A reply is there before anyone can wait for it: what is waited for in vain was lost. A reply that
# a busy machine delays all the same costs a repeat, and changes nothing.
QUICK = Timing(
    reply_s=0.02, give_up_s=20.0, backoff_first_s=0.001, backoff_most_s=0.004, heartbeat_s=60.0
)


class Direction(enum.Enum):
    TO_DEVICE = "to the device"
    TO_HOST = "to the host"


class Fault(enum.Enum):
    NONE = "none"
    LOSE = "lost"
    DOUBLE = "doubled"
    CUT_BEFORE = "link cut before it arrives"
    CUT_AFTER = "link cut after it has arrived"


FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
# What becomes of message number n, from 0, of a direction.
Plan = Callable[[Direction, int], Fault]


def no_fault(_direction: Direction, _number: int) -> Fault:
    return Fault.NONE


class DeviceInProcess:
    """A board with the real server; its clock stands still unless a test moves it.

    flash: what outlives its reboots, its key too; without, nothing does.
    """

    def __init__(
        self,
        bundle: Bundle | None = None,
        boot_id: int = 77,
        max_message: int = 512,
        *,
        flash: MemoryFlash | None = None,
    ) -> None:
        self._flash = flash
        self.radio_links: set[int] = set()  # who speaks over these does not touch the board
        self.bundle = bundle or small_bundle()
        self.boot_id = boot_id
        self.max_message = max_message
        self.now_ms = 0
        self._handle = self._new()

    def _new(self) -> Any:
        image = self.bundle.model_image
        handle = lib.tinyol_board_new(
            image, len(image), self.boot_id, self.max_message, new_refusal()
        )
        assert handle != ffi.NULL
        lib.tinyol_board_give_random(handle, SEED)
        if self._flash is not None:
            lib.tinyol_board_attach_flash(handle, self._flash.handle, new_refusal())
        for link in self.radio_links:
            lib.tinyol_board_set_physical(handle, link, 0)
        return ffi.gc(handle, lib.tinyol_board_free)

    def by_radio(self, link: int = 0) -> None:
        """From now on this link is one over the radio."""
        self.radio_links.add(link)
        lib.tinyol_board_set_physical(self._handle, link, 0)

    def by_wire(self, link: int = 0) -> None:
        """... and now it is one at the board's own port."""
        self.radio_links.discard(link)
        lib.tinyol_board_set_physical(self._handle, link, 1)

    def reboot(self) -> None:
        """All that it had learned is gone, and with it the sessions."""
        self.boot_id += 1
        self._handle = self._new()

    def receive(self, message: bytes, link: int = 0) -> None:
        lib.tinyol_board_receive(self._handle, link, message, len(message), self.now_ms)

    def take(self, link: int = 0) -> list[bytes]:
        """What it has sent since."""
        out, messages = ffi.new("uint8_t[512]"), []
        while length := lib.tinyol_board_take(self._handle, link, out):
            messages.append(bytes(ffi.buffer(out, length)))
        return messages

    def sense(self, samples: NDArray[np.float32], gap: bool = False) -> None:
        data = np.ascontiguousarray(samples, np.float32)
        lib.tinyol_board_sense(self._handle, ffi.from_buffer("float *", data), len(data), gap)

    def pass_time(self, ms: int) -> None:
        """The board's clock goes on; a peer that is silent for 10 s is dropped."""
        self.now_ms += ms
        lib.tinyol_board_tick(self._handle, self.now_ms)

    def drop(self, link: int = 0) -> None:
        lib.tinyol_board_drop(self._handle, link)

    def state(self) -> bytes:
        capacity = lib.tinyol_board_max_image_bytes(self._handle)
        out = ffi.new("uint8_t[]", capacity)
        return bytes(ffi.buffer(out, lib.tinyol_board_export(self._handle, out, capacity)))


class FaultyLink:
    """A transport (tinyol_host.transports.Transport) to a device in this process.

    Args:
        plan: what becomes of which message; may be replaced at any time.
        device_notices: a cut is told to the device, as Bluetooth does: streams and feeding end.
        rewrite: what arrives at the host instead of a message, for strangers and liars.
    """

    name = "faulty:"

    def __init__(
        self,
        device: DeviceInProcess | None = None,
        plan: Plan = no_fault,
        *,
        link: int = 0,
        max_message: int = 512,
        device_notices: bool = False,
        rewrite: Callable[[bytes], list[bytes]] | None = None,
    ) -> None:
        self.device = device or DeviceInProcess()
        self.plan = plan
        self.max_message = max_message
        self.is_reliable = False
        self.is_physical = True
        self.bad_frames = 0
        self.rewrite = rewrite
        self.on_send: Callable[[bytes], None] = lambda message: None  # before it is delivered
        self.refuse_open: str | None = None  # what `open` says no with
        self.counts = dict.fromkeys(Direction, 0)
        self.opened = 0
        self._link = link
        self._device_notices = device_notices
        self._is_open = False
        self._inbox: deque[bytes] = deque()
        self._changed = asyncio.Event()

    async def open(self) -> None:
        if self.refuse_open is not None:
            raise LinkError(self.refuse_open)
        assert not self._is_open, "opened twice"
        self.device.take(self._link)  # was sent to nobody
        self._inbox.clear()
        self._is_open = True
        self.opened += 1

    async def close(self) -> None:
        if self._is_open:
            self.cut()

    async def send_ahead(self, message: bytes) -> None:
        await self.send(message)

    async def send(self, message: bytes) -> None:
        assert len(message) <= self.max_message
        if not self._is_open:
            raise LinkError(f"{self.name} cut")
        fault = self._fault(Direction.TO_DEVICE)
        if fault is Fault.CUT_BEFORE:
            self.cut()
            raise LinkError(f"{self.name} cut")
        self.on_send(message)
        for _ in range({Fault.LOSE: 0, Fault.DOUBLE: 2}.get(fault, 1)):
            self.device.receive(message, self._link)
        if fault is Fault.CUT_AFTER:
            self.device.take(self._link)
            self.cut()
            raise LinkError(f"{self.name} cut")
        self.pump()

    async def receive(self) -> bytes:
        while not self._inbox:
            if not self._is_open:
                raise LinkError(f"{self.name} cut")
            self._changed.clear()
            await self._changed.wait()
        return self._inbox.popleft()

    def pump(self) -> None:
        """Hands on what the device has sent of its own accord."""
        for message in self.device.take(self._link):
            fault = self._fault(Direction.TO_HOST)
            if not self._is_open or fault is Fault.CUT_BEFORE:
                self.cut()
                continue
            arriving = [message] if self.rewrite is None else self.rewrite(message)
            self._inbox.extend(arriving * {Fault.LOSE: 0, Fault.DOUBLE: 2}.get(fault, 1))
            if fault is Fault.CUT_AFTER:
                self.cut()
        self._changed.set()

    def sense(self, samples: NDArray[np.float32], gap: bool = False) -> None:
        """The board's own sensor."""
        self.device.sense(samples, gap)
        self.pump()

    def cut(self) -> None:
        """What has arrived can still be read; then the link is gone until it is opened again."""
        if self._is_open and self._device_notices:
            self.device.drop(self._link)
        self._is_open = False
        self._changed.set()

    def _fault(self, direction: Direction) -> Fault:
        number = self.counts[direction]
        self.counts[direction] += 1
        return self.plan(direction, number)
