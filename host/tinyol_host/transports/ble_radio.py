"""Which TinyOL boards are in radio range, and bleak's troubles in words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tinyol_host import gatt
from tinyol_host.errors import LinkError
from tinyol_host.uri import Uri
from tinyol_sim.text import printable

NEARBY_S = 3.0


@dataclass(frozen=True)
class BoardInRange:
    """A board that advertises the service."""

    name: str  # "" if it has not said it
    address: str  # on macOS a UUID of the host's own
    rssi_dbm: int
    device: Any  # bleak's

    @property
    def uri(self) -> str:
        """What to give as a device's address; parse_uri() reads it."""
        return str(Uri("ble", self.name or self.address))


async def boards_in_range(seconds: float = NEARBY_S) -> list[BoardInRange]:
    """Every board that advertises within that time, the strongest first.

    Raises:
        LinkError: there is no Bluetooth here, or it is switched off or forbidden.
    """
    import bleak

    try:
        found = await bleak.BleakScanner.discover(
            timeout=seconds, service_uuids=[gatt.SERVICE], return_adv=True
        )
    except (bleak.exc.BleakError, TimeoutError, asyncio.TimeoutError, OSError) as error:
        raise LinkError(f"ble: {explain(error)}") from None
    boards = [_board(device, data) for device, data in found.values() if _is_board(data)]
    return sorted(boards, key=lambda board: -board.rssi_dbm)


def _is_board(data: Any) -> bool:
    # By UUID: the name comes in the scan response only, if it comes.
    return gatt.SERVICE in data.service_uuids


def _board(device: Any, data: Any) -> BoardInRange:
    return BoardInRange(data.local_name or device.name or "", device.address, data.rssi, device)


async def find_board(target: str, seconds: float) -> Any:
    """bleak's device of that name or address; "" = the only one in range.

    Raises:
        LinkError: none, or more than one where the target does not say which.
    """
    import bleak

    seen: dict[str, BoardInRange] = {}

    def is_wanted(device: Any, data: Any) -> bool:
        if not _is_board(data):
            return False
        seen[device.address] = _board(device, data)
        names = {data.local_name, device.name}
        given = target in names or device.address.casefold() == target.casefold()
        return bool(target) and given

    device = await bleak.BleakScanner.find_device_by_filter(
        is_wanted,
        timeout=seconds if target else min(seconds, NEARBY_S),
        service_uuids=[gatt.SERVICE],
    )
    if device is not None:
        return device
    boards = sorted(seen.values(), key=lambda board: -board.rssi_dbm)
    if not target and len(boards) == 1:
        return boards[0].device
    uris = ", ".join(printable(board.uri) for board in boards)
    if not target and boards:
        raise LinkError(f"ble: {len(boards)} boards are in range, say which: {uris}")
    what = f"no board {printable(target)!r}" if target else "no TinyOL board"
    raise LinkError(
        f"ble: {what} is advertising within range (a board that another program or computer is"
        f" connected to does not advertise){f'; there is {uris}' if uris else ''}"
    )


def explain(error: BaseException) -> str:
    """What went wrong and what to do, in one line."""
    import bleak

    if isinstance(error, bleak.exc.BleakBluetoothNotAvailableError):
        reason = bleak.exc.BleakBluetoothNotAvailableReason
        hints = {
            reason.NO_BLUETOOTH: "this computer has no Bluetooth adapter",
            reason.NO_BLE_CENTRAL_ROLE: "this Bluetooth adapter cannot connect to LE devices",
            reason.POWERED_OFF: "Bluetooth is switched off: switch it on",
        }
        denied = "Bluetooth is not permitted here: allow it for this program in the system settings"
        return hints.get(error.reason, denied)
    if isinstance(error, bleak.exc.BleakDBusError):
        if "NotReady" in error.dbus_error:
            return "Bluetooth is switched off: switch it on (`bluetoothctl power on`)"
        if "ServiceUnknown" in error.dbus_error:
            return "the Bluetooth service does not run: `systemctl start bluetooth`"
        if "AccessDenied" in error.dbus_error:
            return "no permission to use Bluetooth: add yourself to the group bluetooth"
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return "no system message bus here (D-Bus), by which Linux speaks to Bluetooth"
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return "the board did not answer the connection in time"
    if isinstance(error, bleak.exc.BleakGATTProtocolError):
        return "the board broke the connection off, or refused"
    text = str(error).strip() or type(error).__name__
    return f"the Bluetooth link failed: {printable(text)}"
