"""The whole virtual radio, in a thread of its own, with its controls."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from radio.air import Air, Pace
from radio.bluez import Bluez
from radio.bus import PrivateBus
from radio.peripheral import Peripheral, virtual_device

T = TypeVar("T")
_TIMEOUT_S = 20.0


class Radio:
    """Boards in range, and a computer's Bluetooth: whoever has `bus_address` as its
    DBUS_SYSTEM_BUS_ADDRESS sees them.
    """

    def __init__(self, bus_address: str, loop: asyncio.AbstractEventLoop) -> None:
        self.bus_address = bus_address
        self.boards: dict[str, Peripheral] = {}
        self._loop = loop
        self.air: Air

    def run(self, action: Callable[[], T]) -> T:
        """Calls a function in the radio's thread."""

        async def call() -> T:
            return action()

        return self.wait(call())

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Has the radio's thread run a coroutine."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_TIMEOUT_S)

    def add(
        self, name: str, model_image: bytes, *, max_mtu: int = 247, is_paired: bool = True
    ) -> Peripheral:
        """Another board, powered on."""
        address = f"C0:00:00:00:01:{len(self.boards):02X}"
        board = Peripheral(self.air, name, address, model_image, max_mtu, is_paired=is_paired)
        self.wait(board.start())
        self.boards[name] = board
        return board

    def cut(self, name: str) -> None:
        """Breaks the link of a board."""
        self.wait(self.boards[name].cut())

    def power(self, on: bool) -> None:
        """Switches the computer's Bluetooth on or off."""
        self.run(lambda: self._bluez.power(on))

    async def _open(self, pace: Pace | None, with_adapter: bool) -> None:
        self.air = Air(pace)
        self._central = virtual_device(self.air, "central", "C0:00:00:00:00:01")
        await self._central.power_on()
        self._bluez = Bluez(self._central, self.air.scan_responses)
        await self._bluez.start(self.bus_address, with_adapter=with_adapter)

    async def _close(self) -> None:
        for board in self.boards.values():
            await board.stop()
        await self._bluez.stop()
        await self._central.power_off()


@contextlib.contextmanager
def virtual_radio(pace: Pace | None = None, *, with_adapter: bool = True) -> Iterator[Radio]:
    """A radio with nothing in range yet."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="virtual-radio", daemon=True)
    thread.start()
    with tempfile.TemporaryDirectory() as folder:
        bus = PrivateBus(Path(folder))
        radio = Radio(bus.address, loop)
        try:
            radio.wait(radio._open(pace, with_adapter))
            yield radio
            radio.wait(radio._close())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
            bus.stop()
