"""The serial ports of this machine, and which of them are our boards."""

from __future__ import annotations

from dataclasses import dataclass

from serial.tools import list_ports as pyserial_ports

# Arduino Nano 33 BLE (Sense), by what runs on it.
_KINDS = {(0x2341, 0x805A): "sketch", (0x2341, 0x005A): "bootloader"}


@dataclass(frozen=True)
class Port:
    """device: what to open; kind: "sketch" (a board that runs a program), "bootloader" (one that
    waits for an upload), or "other"; serial_number: the USB device's, None if it has none.
    """

    device: str
    kind: str
    serial_number: str | None
    description: str


def list_ports() -> list[Port]:
    """All ports that are plugged in, boards first, then by name."""
    ports = [
        Port(
            device=port.device,
            kind=_KINDS.get((port.vid, port.pid), "other"),
            serial_number=port.serial_number or None,
            description=port.description or "",
        )
        for port in pyserial_ports.comports()
    ]
    return sorted(ports, key=lambda port: (port.kind == "other", port.device))


def describe_ports(ports: list[Port]) -> str:
    """The ports in one line, for a message."""
    named = {"sketch": " (a board)", "bootloader": " (a board that waits for an upload)"}
    texts = [f"{port.device}{named.get(port.kind, '')}" for port in ports]
    return f"the ports here: {', '.join(texts)}" if texts else "no serial port is plugged in"
