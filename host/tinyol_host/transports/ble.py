"""A board over Bluetooth LE, by bleak: one GATT service, one ATT value a message.

Requests are written with response to the control characteristic; those that run ahead of their
replies go to the bulk one, without. A link that drops is a LinkError whatever bleak raises.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinyol_host import gatt
from tinyol_host.errors import LinkError
from tinyol_host.protocol import MAX_MESSAGE_BYTES
from tinyol_host.transports.ble_radio import explain, find_board
from tinyol_host.transports.message_queue import MessageQueue

if TYPE_CHECKING:
    from bleak import BleakClient

_CONNECT_S = 15.0
_CLOSE_S = 3.0
_LEAST_VALUE_BYTES = 20  # with the smallest MTU, 23
_CHARACTERISTICS = (gatt.CONTROL, gatt.EVENTS, gatt.BULK)
_DOWN = "the Bluetooth link is down"


class BleTransport:
    """See Transport.

    Args:
        target: the board's name or address; "" takes the only one in range.
        scan_s: how long to look for it.
    """

    def __init__(self, target: str = "", *, scan_s: float = 6.0) -> None:
        self.max_message = MAX_MESSAGE_BYTES
        self.is_reliable = True
        self.is_physical = False
        self.bad_frames = 0
        self._target = target
        self._scan_s = scan_s
        self._client: BleakClient | None = None
        self._inbox = MessageQueue()
        self._max_ahead = _LEAST_VALUE_BYTES

    @property
    def name(self) -> str:
        """See Transport."""
        return f"ble:{self._target}" if self._target else "ble"

    async def open(self) -> None:
        """See Transport: looks for the board, connects, subscribes."""
        await self.close()
        import bleak

        inbox = MessageQueue()
        try:
            device = await find_board(self._target, self._scan_s)
            client = bleak.BleakClient(
                device,
                disconnected_callback=lambda _: inbox.finish(f"{self.name}: {_DOWN}"),
                services=[gatt.SERVICE],
                timeout=_CONNECT_S,
            )
            await client.connect()
        except (bleak.exc.BleakError, TimeoutError, asyncio.TimeoutError, OSError) as error:
            raise LinkError(f"{self.name}: {explain(error)}") from None
        self._client, self._inbox = client, inbox
        try:
            found = {name: client.services.get_characteristic(name) for name in _CHARACTERISTICS}
            bulk = found[gatt.BULK]
            if bulk is None or None in found.values():
                lacks = ", ".join(name for name, value in found.items() if value is None)
                raise LinkError(f"{self.name}: this is no TinyOL board: it lacks {lacks}")
            for uuid in _CHARACTERISTICS:
                await client.start_notify(uuid, self._taker(inbox))
            self._max_ahead = bulk.max_write_without_response_size
        except (bleak.exc.BleakError, TimeoutError, asyncio.TimeoutError, OSError) as error:
            await self.close()
            raise LinkError(f"{self.name}: {explain(error)}") from None
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """See Transport."""
        client, self._client = self._client, None
        self._inbox.finish(f"{self.name}: {_DOWN}")
        if client is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.disconnect(), _CLOSE_S)

    async def send(self, message: bytes) -> None:
        """See Transport."""
        await self._write(gatt.CONTROL, [message], response=True)

    async def send_ahead(self, message: bytes) -> None:
        """See Transport: no response is waited for."""
        await self._write(gatt.BULK, gatt.split(message, self._max_ahead), response=False)

    async def receive(self) -> bytes:
        """See Transport."""
        return await self._inbox.get()

    async def _write(self, uuid: str, values: list[bytes], *, response: bool) -> None:
        import bleak

        if self._client is None:
            raise LinkError(f"{self.name}: not connected")
        try:
            for value in values:
                await self._client.write_gatt_char(uuid, value, response=response)
        except (bleak.exc.BleakError, TimeoutError, asyncio.TimeoutError, OSError) as error:
            raise LinkError(f"{self.name}: {explain(error)}") from None

    def _taker(self, inbox: MessageQueue) -> Callable[[Any, bytearray], None]:
        pieces = gatt.Assembler()

        def take(_: Any, value: bytearray) -> None:
            dropped = pieces.dropped
            message = pieces.add(bytes(value))
            self.bad_frames += pieces.dropped - dropped
            if message is not None:
                inbox.put([message])

        return take
