"""What the shell offers for `-d`: the ways to a board, and the ports where one is plugged in."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def complete_device(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """URIs that begin with what is typed; files for a bare path."""
    if incomplete.startswith(("/", ".", "~")):
        return [CompletionItem(incomplete, type="file")]
    offers = [
        CompletionItem("sim:", help="the board's C++ in this process"),
        CompletionItem("emu:", help="an emulated Cortex-M4F"),
        *_serial(),
        CompletionItem("ble:", help="a board in radio range"),
    ]
    return [item for item in offers if item.value.startswith(incomplete)]


def _serial() -> list[CompletionItem]:
    from tinyol_host.ports import list_ports

    try:
        ports = [port for port in list_ports() if port.kind == "sketch"]
    except OSError:
        return []  # a completion never complains
    found = [CompletionItem(f"serial:{port.device}", help=port.description) for port in ports]
    return found or [CompletionItem("serial:", help="a board at a serial port")]
