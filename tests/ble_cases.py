"""What the tests of Bluetooth share: a radio of their own, other devices in its range, a sensor."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from small_models import vibration

pytest.importorskip("bleak", reason="Bluetooth needs bleak")
pytest.importorskip("bumble", reason="the virtual radio needs bumble (Python 3.11 or later)")
pytest.importorskip("dbus_fast", reason="the virtual radio needs dbus-fast")

from bumble.core import UUID, AdvertisingData
from bumble.gatt import Characteristic, Service
from radio import bus
from radio.bus import PrivateBus
from radio.peripheral import Peripheral, virtual_device
from radio.radio import Radio, virtual_radio

from tinyol_host import gatt

if sys.platform != "linux" or not bus.is_installed():
    pytest.skip(f"the virtual radio needs Linux and {bus.PROGRAM}", allow_module_level=True)

__all__ = [
    "BATTERY_SERVICE",
    "BUS",
    "Peripheral",
    "PrivateBus",
    "Radio",
    "own_bus",
    "put_stranger",
    "sensing",
    "until",
    "virtual_radio",
]

BUS = "DBUS_SYSTEM_BUS_ADDRESS"
_PIECE_S = 0.02
_LIMIT_S = 10.0


@contextlib.contextmanager
def own_bus(address: str) -> Iterator[None]:
    """This process takes it for the system's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(BUS, address)
        yield


def until(condition: Callable[[], bool]) -> None:
    """Returns as soon as it holds."""
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"


def put_stranger(
    radio: Radio,
    name: str,
    *characteristics: str,
    service: str = gatt.SERVICE,
    advertised: str = gatt.SERVICE,
) -> None:
    """A device in range that is no TinyOL board: a service with the characteristics named."""

    async def start() -> None:
        device = virtual_device(radio.air, name, "C0:00:00:00:02:00")
        can = Characteristic.Properties
        values = [
            Characteristic(uuid, can.WRITE | can.NOTIFY, Characteristic.WRITEABLE, b"")
            for uuid in characteristics
        ]
        device.add_service(Service(service, values))
        await device.power_on()
        kind = AdvertisingData.Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
        local_name = (AdvertisingData.Type.COMPLETE_LOCAL_NAME, name.encode())
        radio.air.scan_responses["C0:00:00:00:02:00"] = bytes(AdvertisingData([local_name]))
        await device.start_advertising(
            advertising_data=bytes(AdvertisingData([(kind, bytes(UUID(advertised)))])),
            advertising_interval_min=20,
            advertising_interval_max=20,
            auto_restart=True,
        )

    radio.wait(start())


@contextlib.contextmanager
def sensing(
    radio: Radio, board: Peripheral, samples_per_s: float = 500.0, *, seed: int = 0
) -> Iterator[NDArray[np.float32]]:
    """The board's own sensor runs meanwhile; what it senses first, and again from the start."""
    samples = vibration(3000, seed)

    async def run() -> None:
        loop, at = asyncio.get_running_loop(), 0
        began = loop.time()
        while True:
            due = int((loop.time() - began) * samples_per_s)
            board.sense(samples[np.arange(at, due) % len(samples)])
            at = due
            await asyncio.sleep(_PIECE_S)

    task = asyncio.run_coroutine_threadsafe(run(), radio._loop)
    try:
        yield samples
    finally:
        task.cancel()
