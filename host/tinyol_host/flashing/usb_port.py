"""At which port the board is: before an upload, and after it, when that may be another one."""

from __future__ import annotations

import asyncio
import os

from tinyol_host.flashing.flash_error import FlashError
from tinyol_host.flashing.stages import TWICE
from tinyol_host.ports import Port, describe_ports, list_ports

BACK_S = 20.0  # a board that starts has its port within 2 s; a slow hub or a virtual machine later
LOOK_S = 0.2
_RESET_TWICE = "a board whose program hangs shows up after its reset button is pressed twice"


def choose_port(wanted: str) -> Port:
    """The port of this name or link; "" takes the one board that there is.

    Raises:
        FlashError: no such port, no board or several, or something else than a Nano 33 BLE.
    """
    found = list_ports()
    if not wanted:
        boards = [port for port in found if port.kind != "other"]
        if len(boards) == 1:
            return boards[0]
        if boards:
            names = ", ".join(_with_number(port) for port in boards)
            raise FlashError(f"more than one board is plugged in; name one with -d: {names}")
        raise FlashError(
            f"no board is plugged in at USB ({describe_ports(found)}); some cables only charge;"
            f" {_RESET_TWICE}"
        )
    real = os.path.realpath(wanted)  # as of /dev/serial/by-id/...
    for port in found:
        if port.device == wanted or os.path.realpath(port.device) == real:
            if port.kind == "other":
                raise FlashError(
                    f"{wanted}: this is no Nano 33 BLE by its USB id; {describe_ports(found)}"
                )
            return port
    raise FlashError(f"{wanted}: there is no such port; {describe_ports(found)}; {_RESET_TWICE}")


def is_same_board(a: Port, b: Port) -> bool:
    """By their USB serial numbers; without, by the names of their ports."""
    if a.serial_number is None or b.serial_number is None:
        return a.device == b.device
    return _digits(a.serial_number) == _digits(b.serial_number)


async def wait_for_program(board: Port, seconds: float | None = None) -> Port:
    """The port where this board's program answers after an upload.

    Raises:
        FlashError: it does not come back.
    """
    limit_s = BACK_S if seconds is None else seconds
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    while True:
        found = await asyncio.to_thread(list_ports)
        same = [port for port in found if is_same_board(port, board)]
        for port in same:
            if port.kind == "sketch":
                return port
        if loop.time() >= deadline:
            break
        await asyncio.sleep(LOOK_S)
    if same:
        raise FlashError(
            f"the upload is done, but after {limit_s:g} s the board still waits in its bootloader"
            f" at {same[0].device}: press its reset button once, then `tinyol info -d"
            f" {same[0].device}`; if it stays there, flash again"
        )
    raise FlashError(
        f"the upload is done, but the board did not come back within {limit_s:g} s"
        f" ({describe_ports(found)}): unplug it and plug it in again; if that does not help,"
        f" {TWICE}"
    )


def _digits(serial_number: str) -> str:
    # The bootloader pads the number with zeros that the program's does not have.
    return serial_number.upper().lstrip("0")


def _with_number(port: Port) -> str:
    return f"{port.device} ({port.serial_number or port.kind})"
