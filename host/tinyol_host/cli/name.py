"""`tinyol name`: what a board is called, on the air too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board


@click.command()
@click.argument("name", required=False)
@click.option("--clear", is_flag=True, help="Back to the name that the board has by itself.")
@device_options
@json_option
def name(name: str | None, clear: bool, device: str | None, as_json: bool) -> None:
    """Show the board's name, or call it NAME: 1 to 20 bytes.

    It is kept through a loss of power and a new model, and is what the board advertises over
    Bluetooth, as in `-d ble:NAME`.
    """
    if clear and name is not None:
        raise click.UsageError("a NAME and --clear contradict each other")
    if name == "":
        raise click.UsageError("an empty NAME; --clear gives the board its own name back")
    if name is not None:
        _check(name)

    async def work(board: Board) -> str:
        if clear or name is not None:
            await board.set_name(name or "")
            if name and board.ends_with_link and "flash" not in board.uri.options:
                click.echo(f"{board.uri} ends with this command, and its name with it", err=True)
        return (await board.hardware()).name

    found = run_on_board(device, work)
    if as_json:
        click.echo(json.dumps({"name": found or None}))
    else:
        click.echo(printable(found) if found else "no name")


def _check(name: str) -> None:
    """Before a board is asked for."""
    from tinyol_host.hardware import check_board_name
    from tinyol_sim.errors import DeviceError

    try:
        check_board_name(name)
    except DeviceError as error:
        raise click.UsageError(str(error)) from None
