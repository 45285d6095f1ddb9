"""org.bluez as far as bleak asks for it, over a bumble central.

What it imitates of BlueZ: the Generic Access service is not shown; a write without response that
is longer than the MTU allows fails; one of more than 512 bytes is refused with 0x0D; a request
that is pending when the link drops ends with 0x0E; the MTU is exchanged at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from bumble import hci
from bumble.att import ATT_Error
from bumble.core import AdvertisingData
from bumble.device import Device, Peer
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

BLUEZ = "org.bluez"
ADAPTER_PATH = "/org/bluez/hci0"
ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
SERVICE, CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
GENERIC_ACCESS = "00001800-0000-1000-8000-00805f9b34fb"
MTU = 517
MAX_VALUE_BYTES = 512
_FLAGS = {
    0x02: "read",
    0x04: "write-without-response",
    0x08: "write",
    0x10: "notify",
    0x20: "indicate",
}


class DBusError(Exception):
    """An error reply: a name behind org.bluez.Error, and its text."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name, self.text = f"org.bluez.Error.{name}", text


class Bluez:
    """One adapter, hci0, in the hands of a bumble central."""

    def __init__(self, central: Device, scan_responses: Mapping[str, bytes]) -> None:
        self._central = central
        self._scan_responses = scan_responses
        self._bus: Any = None
        self._objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self._peers: dict[str, Peer] = {}  # by device path, while connected
        self._remote: dict[str, Any] = {}  # bumble's proxies by object path
        self._addresses: dict[str, hci.Address] = {}
        self._wanted: list[str] = []  # service UUIDs of the discovery filter
        self._scanning = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pending: dict[str, set[asyncio.Task[Any]]] = {}
        self._connecting = asyncio.Lock()  # one after the other, as the kernel does it

    async def start(self, address: str, *, with_adapter: bool = True) -> None:
        """Takes the name org.bluez on the bus at that address."""
        if with_adapter:
            self._objects[ADAPTER_PATH] = {
                ADAPTER: {
                    "Address": Variant("s", "00:00:00:00:00:01"),
                    "Name": Variant("s", "virtual"),
                    "Alias": Variant("s", "virtual"),
                    "Powered": Variant("b", True),
                    "Discovering": Variant("b", False),
                    "Roles": Variant("as", ["central"]),
                }
            }
        self._bus = await MessageBus(bus_address=address).connect()
        self._bus.add_message_handler(self._on_message)
        await self._bus.request_name(BLUEZ)
        self._central.on("advertisement", self._on_advertisement)

    async def stop(self) -> None:
        """Leaves the bus."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()

    def power(self, on: bool) -> None:
        """Switches the adapter on or off."""
        self._change(ADAPTER_PATH, ADAPTER, Powered=Variant("b", on))

    # --- messages ------------------------------------------------------------------------

    def _on_message(self, message: Message) -> bool | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if message.interface == "org.freedesktop.DBus.Peer":
            return None
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _answer(self, message: Message) -> None:
        try:
            signature, body = await self._call(message)
            reply = Message.new_method_return(message, signature, body)
        except DBusError as failure:
            reply = Message.new_error(message, failure.name, failure.text)
        except KeyError:
            name = "org.freedesktop.DBus.Error.UnknownObject"
            reply = Message.new_error(message, name, f"no object {message.path}")
        except ATT_Error as error:
            text = f"Operation failed with ATT error: 0x{int(error.error_code):02x}"
            reply = Message.new_error(message, "org.bluez.Error.Failed", text)
        self._bus.send(reply)

    async def _call(self, message: Message) -> tuple[str, list[Any]]:
        path, body = message.path or "", message.body
        match (message.interface, message.member):
            case (str(), "GetManagedObjects"):
                return "a{oa{sa{sv}}}", [self._objects]
            case (str(), "SetDiscoveryFilter"):
                uuids = body[0].get("UUIDs")
                self._wanted = [] if uuids is None else list(uuids.value)
            case (str(), "StartDiscovery"):
                await self._start_discovery()
            case (str(), "StopDiscovery"):
                await self._stop_discovery()
            case (str(), "Connect"):
                self._objects[path]
                await self._connect(path)
            case (str(), "Disconnect"):
                self._objects[path]
                if path in self._peers:
                    await self._peers[path].connection.disconnect()
            case (str(), "ReadValue"):
                value = await self._while_connected(path, self._remote[path].read_value())
                return "ay", [bytes(value)]
            case (str(), "WriteValue"):
                await self._write(path, bytes(body[0]), body[1]["type"].value == "request")
            case (str(), "StartNotify"):
                await self._start_notify(path)
            case (str(), "StopNotify"):
                if path in self._remote:
                    await self._while_connected(path, self._remote[path].unsubscribe())
                    self._change(path, CHARACTERISTIC, Notifying=Variant("b", False))
            case _:
                name = f"{message.interface}.{message.member}"
                raise DBusError("NotSupported", f"{name} is not imitated here")
        return "", []

    # --- scanning ------------------------------------------------------------------------

    async def _start_discovery(self) -> None:
        if ADAPTER_PATH not in self._objects:
            raise DBusError("NotReady", "Resource Not Ready")
        self._scanning += 1
        if self._scanning == 1:
            for path in [p for p in self._objects if "/dev_" in p and p not in self._peers]:
                if path.count("/") == ADAPTER_PATH.count("/") + 1:
                    self._remove(path)  # seen before, and perhaps gone
            await self._central.start_scanning(legacy=True, filter_duplicates=False)
        self._change(ADAPTER_PATH, ADAPTER, Discovering=Variant("b", True))

    async def _stop_discovery(self) -> None:
        if self._scanning == 0:
            raise DBusError("Failed", "No discovery started")
        self._scanning -= 1
        if self._scanning == 0:
            await self._central.stop_scanning(legacy=True)
            self._change(ADAPTER_PATH, ADAPTER, Discovering=Variant("b", False))

    def _on_advertisement(self, advertisement: Any) -> None:
        data = advertisement.data
        uuids = []
        for kind in (
            AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
            AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
        ):
            uuids += [_uuid_text(uuid) for uuid in data.get(kind) or ()]
        if self._wanted and not set(self._wanted) & set(uuids):
            return
        address = str(advertisement.address).split("/")[0]
        path = f"{ADAPTER_PATH}/dev_{address.replace(':', '_')}"
        self._addresses[path] = advertisement.address
        if path in self._objects:
            # The scan response comes after the advertisement, and the name with it.
            response = AdvertisingData.from_bytes(self._scan_responses.get(address, b""))
            name = response.get(AdvertisingData.COMPLETE_LOCAL_NAME)
            changed = {"RSSI": Variant("n", -50)}
            if name is not None:
                changed |= {"Name": Variant("s", name), "Alias": Variant("s", name)}
            self._change(path, DEVICE, **changed)
            return
        properties = {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", address.replace(":", "-")),
            "Paired": Variant("b", False),
            "Trusted": Variant("b", False),
            "Blocked": Variant("b", False),
            "LegacyPairing": Variant("b", False),
            "RSSI": Variant("n", -50),
            "Connected": Variant("b", False),
            "UUIDs": Variant("as", uuids),
            "Adapter": Variant("o", ADAPTER_PATH),
            "ServicesResolved": Variant("b", False),
        }
        self._add(path, DEVICE, properties)

    # --- connections ---------------------------------------------------------------------

    async def _connect(self, path: str) -> None:
        async with self._connecting:
            if path in self._peers:
                return
            try:
                connection = await self._central.connect(self._addresses[path], timeout=2.0)
            except Exception:
                raise DBusError("Failed", "le-connection-abort-by-local") from None
            peer = Peer(connection)
            self._peers[path] = peer
        connection.on("disconnection", lambda _: self._on_disconnection(path))
        self._change(path, DEVICE, Connected=Variant("b", True))
        task = asyncio.get_running_loop().create_task(self._resolve(path, peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, path: str, peer: Peer) -> None:
        """Services in any order come after the connection, as with BlueZ."""
        with contextlib.suppress(Exception):  # the link may drop meanwhile
            mtu = await peer.request_mtu(MTU)
            await peer.discover_services()
            for service in reversed(peer.services):
                if _uuid_text(service.uuid) == GENERIC_ACCESS:
                    continue
                await peer.discover_characteristics(service=service)
                service_path = f"{path}/service{service.handle:04x}"
                self._add(
                    service_path,
                    SERVICE,
                    {
                        "UUID": Variant("s", _uuid_text(service.uuid)),
                        "Device": Variant("o", path),
                        "Primary": Variant("b", True),
                        "Includes": Variant("ao", []),
                        "Handle": Variant("q", service.handle),
                    },
                )
                for characteristic in service.characteristics:
                    await self._add_characteristic(service_path, characteristic, peer, mtu)
            self._change(path, DEVICE, ServicesResolved=Variant("b", True))

    async def _add_characteristic(
        self, service_path: str, characteristic: Any, peer: Peer, mtu: int
    ) -> None:
        await peer.discover_descriptors(characteristic)
        char_path = f"{service_path}/char{characteristic.handle:04x}"
        flags = [text for bit, text in _FLAGS.items() if int(characteristic.properties) & bit]
        self._remote[char_path] = characteristic
        self._add(
            char_path,
            CHARACTERISTIC,
            {
                "UUID": Variant("s", _uuid_text(characteristic.uuid)),
                "Service": Variant("o", service_path),
                "Value": Variant("ay", b""),
                "Notifying": Variant("b", False),
                "Flags": Variant("as", flags),
                "Handle": Variant("q", characteristic.handle),
                "MTU": Variant("q", mtu),
            },
        )
        for descriptor in characteristic.descriptors:
            descriptor_path = f"{char_path}/desc{descriptor.handle:04x}"
            self._remote[descriptor_path] = descriptor
            self._add(
                descriptor_path,
                DESCRIPTOR,
                {
                    "UUID": Variant("s", _uuid_text(descriptor.type)),
                    "Characteristic": Variant("o", char_path),
                    "Value": Variant("ay", b""),
                    "Handle": Variant("q", descriptor.handle),
                },
            )

    def _on_disconnection(self, path: str) -> None:
        self._peers.pop(path, None)
        for task in self._pending.pop(path, set()):
            task.cancel()
        if path not in self._objects:
            return
        self._change(
            path,
            DEVICE,
            ServicesResolved=Variant("b", False),
            Connected=Variant("b", False),
        )
        for below in [p for p in self._objects if p.startswith(f"{path}/")]:
            self._remove(below)

    # --- values --------------------------------------------------------------------------

    async def _while_connected(self, path: str, action: Any) -> Any:
        """The result of an ATT procedure; the error of BlueZ if the link drops first."""
        device = "/".join(path.split("/")[:5])
        task = asyncio.ensure_future(action)
        waiting = self._pending.setdefault(device, set())
        waiting.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            text = "Operation failed with ATT error: 0x0e"
            raise DBusError("Failed", text) from None
        finally:
            waiting.discard(task)

    async def _write(self, path: str, value: bytes, with_response: bool) -> None:
        characteristic = self._remote[path]
        mtu = self._objects[path][CHARACTERISTIC]["MTU"].value
        if len(value) > MAX_VALUE_BYTES:
            raise DBusError("Failed", "Operation failed with ATT error: 0x0d")
        if not with_response and len(value) > mtu - 3:
            raise DBusError("Failed", "Failed to initiate write")
        await self._while_connected(path, characteristic.write_value(value, with_response))

    async def _start_notify(self, path: str) -> None:
        def on_value(value: bytes) -> None:
            if path in self._objects:
                self._change(path, CHARACTERISTIC, Value=Variant("ay", bytes(value)))

        await self._while_connected(path, self._remote[path].subscribe(on_value))
        self._change(path, CHARACTERISTIC, Notifying=Variant("b", True))

    # --- objects -------------------------------------------------------------------------

    def _add(self, path: str, interface: str, properties: dict[str, Variant]) -> None:
        self._objects[path] = {interface: properties}
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, self._objects[path]])

    def _remove(self, path: str) -> None:
        interfaces = list(self._objects.pop(path, {}))
        self._remote.pop(path, None)
        self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [path, interfaces])

    def _change(self, path: str, interface: str, **changed: Variant) -> None:
        self._objects[path][interface].update(changed)
        body = [interface, changed, []]
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def _signal(
        self, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, body))


def _uuid_text(uuid: Any) -> str:
    """The long form, lower case."""
    return str(uuid.to_hex_str("-")).lower() if len(uuid.uuid_bytes) == 16 else _long(uuid)


def _long(uuid: Any) -> str:
    return f"{int.from_bytes(uuid.uuid_bytes, 'little'):08x}-0000-1000-8000-00805f9b34fb"
