"""Which boards there are: at serial ports, in radio range, and whether an emulated one can run."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from dataclasses import dataclass

from tinyol_host.board import connect
from tinyol_host.errors import LinkError
from tinyol_host.ports import Port, list_ports
from tinyol_host.timing import Timing
from tinyol_host.transports.ble_radio import boards_in_range
from tinyol_sim.emulator.compilers import find_compiler
from tinyol_sim.errors import EmulatorError, TinyOLError

# A board answers HELLO within milliseconds; what does not is no board, or runs another sketch.
_TIMING = Timing(reply_s=0.5, give_up_s=2.0)
_AT_MOST_S = 5.0  # for a port in all, whatever its driver does
UNICORN, QEMU = "unicorn", "qemu-system-arm"


@dataclass(frozen=True)
class Found:
    """A way to a board, open to everyone or not."""

    uri: str
    ready: bool
    what: str  # in a few words: what it is or, if not ready, what is missing
    kind: str  # "sim", "emu", "ble", or a serial port's: "sketch", "bootloader", "other"
    serial_number: str | None = None
    board: str | None = None  # from here on: as HELLO's reply says, None if none came
    firmware: str | None = None
    model_id: str | None = None  # None also: it has none
    name: str | None = None  # that it goes by; None if it has none, or was not asked


async def scan() -> list[Found]:
    """All ways to a board, those in this computer last.

    Only ports with the USB id of a board are opened; they are asked side by side, for
    5 seconds at most. Boards in radio range are listed as they advertise, and not asked.
    """
    ports = await asyncio.to_thread(list_ports)
    asking = asyncio.gather(*(_ask(port) for port in ports))
    in_range = await _in_range()
    in_process = Found("sim:", True, "the board's C++ in this process", "sim")
    return [*await asking, *in_range, in_process, emulated()]


def emulated() -> Found:
    """Whether the emulated board has a compiler and a machine here."""
    machines = []
    if importlib.util.find_spec(UNICORN) is not None:
        machines.append(UNICORN)
    if shutil.which(QEMU) is not None:
        machines.append(QEMU)
    missing = [] if machines else ["a machine: `pip install unicorn`"]
    try:
        compiler = find_compiler().name
    except EmulatorError as error:
        return Found("emu:", False, "; ".join([*missing, str(error)]), "emu")
    if missing:
        return Found("emu:", False, f"the emulated board needs {missing[0]}", "emu")
    # emu: without options takes unicorn; qemu has to be asked for.
    uri = "emu:" if UNICORN in machines else "emu:?machine=qemu"
    what = f"an emulated Cortex-M4F: {' and '.join(machines)}, compiler {compiler}"
    return Found(uri, True, what, "emu")


async def _in_range() -> list[Found]:
    try:
        boards = await boards_in_range()
    except LinkError as error:
        return [Found("ble:", False, str(error).removeprefix("ble: "), "ble")]
    if not boards:
        return [Found("ble:", False, "no board advertises within range", "ble")]
    return [
        Found(board.uri, True, f"in radio range, {board.rssi_dbm} dBm, {board.address}", "ble")
        for board in boards
    ]


async def _ask(port: Port) -> Found:
    uri = f"serial:{port.device}"
    if port.kind == "bootloader":
        what = "a board in its bootloader: press reset once, or upload the firmware"
        return Found(uri, False, what, port.kind, port.serial_number)
    if port.kind != "sketch":
        about = f"{port.description}; " if port.description not in ("", "n/a") else ""
        what = f"{about}not a board's USB id, so not asked"
        return Found(uri, False, what, port.kind, port.serial_number)
    try:
        return await asyncio.wait_for(_hello(uri, port), _AT_MOST_S)
    except asyncio.TimeoutError:
        what = f"no answer within {_AT_MOST_S:g} s"
    except (TinyOLError, OSError) as error:
        what = str(error)
    return Found(uri, False, what, port.kind, port.serial_number)


async def _hello(uri: str, port: Port) -> Found:
    async with await connect(uri, timing=_TIMING, source=False, keep_state=False) as board:
        identity, hardware = board.identity, await board.hardware_if_known()
    name = hardware.name if hardware is not None else ""
    model_id = identity.model_id if identity.has_model else None
    called = f"{name}: " if name else ""
    model = "no model" if model_id is None else f"model {model_id}"
    return Found(
        uri,
        True,
        f"{called}{identity.board}, firmware {identity.firmware_version}, {model}",
        port.kind,
        port.serial_number,
        identity.board,
        identity.firmware_version,
        model_id,
        name or None,
    )
