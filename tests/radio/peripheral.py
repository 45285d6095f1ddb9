"""A TinyOL board on a virtual controller: bumble's GATT server before our device code."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bumble.att import AttributeValueV2
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Device
from bumble.gatt import Characteristic, Descriptor, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink
from numpy.typing import NDArray
from paired_boards import pair_board

from tinyol_host import gatt
from tinyol_sim._core import ffi, lib
from tinyol_sim.refusals import new_refusal

LINK = 1  # the board's second link; the first is USB
_CHARACTERISTICS = (gatt.CONTROL, gatt.EVENTS, gatt.BULK)  # in the order of GattCharacteristic
_TICK_S = 0.05


def virtual_device(air: Any, name: str, address: str) -> Device:
    """A bumble device whose controller is on this air."""
    controller = Controller(name, link=air)
    controller.le_acl_data_packet_length = 251
    host = Host(controller, AsyncPipeSink(controller))
    return Device(name=name, address=Address(address), host=host)


@dataclass
class Peripheral:
    """One board: `model_image`, an own sensor that `sense` feeds, one central at a time.

    is_paired: it has a key, also after a reboot, and the tests' key store has that.
    """

    air: Any
    name: str
    address: str
    model_image: bytes
    max_mtu: int = 247
    boot_id: int = 1
    clock_ahead_ms: int = 0  # how far the board's clock is ahead of the machine's
    is_paired: bool = True
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def start(self) -> None:
        """Powers on and advertises."""
        self._connection: Any = None
        self._power_on()
        self.device = virtual_device(self.air, self.name, self.address)
        self.device.gatt_server.max_mtu = self.max_mtu
        can = Characteristic.Properties
        kinds = {
            gatt.CONTROL: (can.WRITE | can.NOTIFY, b"TinyOL control: requests and replies"),
            gatt.EVENTS: (can.NOTIFY, b"TinyOL events: predictions, samples, changes"),
            gatt.BULK: (can.WRITE_WITHOUT_RESPONSE | can.NOTIFY, b"TinyOL bulk: state images"),
            gatt.INFO: (can.READ, b"TinyOL: who this is"),
        }
        self._values = {
            uuid: Characteristic(
                uuid,
                properties,
                Characteristic.Permissions.READABLE | Characteristic.Permissions.WRITEABLE,
                self._value(uuid),
                descriptors=[Descriptor("2901", Descriptor.READABLE, text)],
            )
            for uuid, (properties, text) in kinds.items()
        }
        self.device.add_service(Service(gatt.SERVICE, list(self._values.values())))
        self.device.on("connection", self._on_connection)
        await self.device.power_on()
        await self._advertise()
        self._spawn(self._run())

    async def stop(self) -> None:
        """Powers off."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.cut()
        await self.device.power_off()

    async def cut(self) -> None:
        """The radio link breaks, for both sides."""
        for connection in list(self.device.connections.values()):
            await connection.disconnect()

    async def restart(self) -> None:
        """As a board that loses its power: the link goes with it."""
        await self.cut()
        self.reboot()

    def reboot(self) -> None:
        """Nothing learned survives, and the boot id is another. Only while nobody is connected."""
        self.boot_id += 1
        self._power_on()

    def now_ms(self) -> int:
        """The board's clock."""
        return time.monotonic_ns() // 1_000_000 + self.clock_ahead_ms & 0xFFFFFFFF

    def state(self) -> bytes:
        """The device's state image, past the protocol."""
        capacity = lib.tinyol_board_max_image_bytes(self.board)
        out = ffi.new("uint8_t[]", capacity)
        return bytes(ffi.buffer(out, lib.tinyol_board_export(self.board, out, capacity)))

    def sense(self, samples: NDArray[np.float32], gap: bool = False) -> None:
        """Samples of the board's own sensor."""
        data = np.ascontiguousarray(samples, np.float32)
        lib.tinyol_board_sense(self.board, ffi.from_buffer("float *", data), len(data), gap)
        self._send()

    # --- the GATT server -------------------------------------------------------------------

    def _power_on(self) -> None:
        image = self.model_image
        board = lib.tinyol_board_new(image, len(image), self.boot_id, 512, new_refusal())
        assert board != ffi.NULL
        self.board = ffi.gc(board, lib.tinyol_board_free)
        if self.is_paired:
            pair_board(self.board)
        lib.tinyol_board_gatt_open(self.board, LINK, 20)

    async def _advertise(self) -> None:
        uuid = bytes(UUID(gatt.SERVICE).to_bytes())
        kinds = AdvertisingData.Type
        data = AdvertisingData(
            [
                (kinds.FLAGS, b"\x06"),
                (kinds.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, uuid),
            ]
        )
        response = bytes(AdvertisingData([(kinds.COMPLETE_LOCAL_NAME, self.name.encode())]))
        self.air.scan_responses[self.address] = response
        await self.device.start_advertising(
            advertising_data=bytes(data),
            scan_response_data=response,
            advertising_interval_min=20,
            advertising_interval_max=20,
            auto_restart=True,
        )

    def _value(self, uuid: str) -> Any:
        if uuid == gatt.INFO:
            return AttributeValueV2(read=lambda _: self._info())
        if uuid == gatt.EVENTS:
            return b""
        number = _CHARACTERISTICS.index(uuid)
        return AttributeValueV2(write=lambda _, value: self._on_write(number, bytes(value)))

    def _info(self) -> bytes:
        out = ffi.new("uint8_t[512]")
        return bytes(ffi.buffer(out, lib.tinyol_board_gatt_info(self.board, LINK, out)))

    def _on_connection(self, connection: Any) -> None:
        self._connection = connection
        lib.tinyol_board_gatt_open(self.board, LINK, connection.att_mtu - 3)
        connection.on("connection_att_mtu_update", self._on_mtu)
        connection.on("disconnection", self._on_disconnection)

    def _on_mtu(self) -> None:
        lib.tinyol_board_gatt_open(self.board, LINK, self._connection.att_mtu - 3)

    def _on_disconnection(self, _: Any) -> None:
        lib.tinyol_board_gatt_close(self.board, LINK)
        self._connection = None

    def _on_write(self, characteristic: int, value: bytes) -> None:
        now_ms = self.now_ms()
        lib.tinyol_board_gatt_write(self.board, LINK, characteristic, value, len(value), now_ms)
        self._send()

    def _send(self) -> None:
        """What the device wants to notify, in its order."""
        out, which = ffi.new("uint8_t[512]"), ffi.new("uint8_t *")
        while length := lib.tinyol_board_gatt_take(self.board, LINK, which, out):
            value = bytes(ffi.buffer(out, length))
            connection = self._connection
            if connection is not None:
                uuid = _CHARACTERISTICS[which[0]]
                self._spawn(self._notify(connection, uuid, value))

    async def _notify(self, connection: Any, uuid: str, value: bytes) -> None:
        await self.device.gatt_server.notify_subscriber(connection, self._values[uuid], value)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            lib.tinyol_board_tick(self.board, self.now_ms())
            self._send()

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
