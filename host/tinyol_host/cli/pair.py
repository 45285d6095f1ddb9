"""`tinyol pair`: has a board make its key, and keeps that here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.errors import DeviceError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board


@click.command()
@device_options
@json_option
def pair(device: str | None, as_json: bool) -> None:
    """Have the board make its key, and keep that here: once, at its USB port.

    From then on nobody without the key changes what the board believes, over the radio or at its
    port; who has it may, from this computer by itself, over the radio too. Reading what it
    predicts stays open to all, unless `tinyol access closed` ends that.

    The key is kept in a file that only you can read ($TINYOL_KEYS, else
    ~/.config/tinyol/keys.json), or in the desktop's keyring, if the package `keyring` is
    installed. `tinyol keys` shows the keys, and takes one to another computer.
    """
    done = run_on_board(device, _pair)
    if as_json:
        click.echo(json.dumps(done, indent=2))
        return
    if not done["new"]:
        click.echo(
            printable(
                f"{done['board']} is paired, and this computer has its key {done['key_id']}, in"
                f" {done['kept_in']}"
            )
        )
        return
    click.echo(printable(f"{done['board']} is paired: key {done['key_id']}"))
    click.echo(printable(f"kept in {done['kept_in']}"))
    click.echo("who has this key may teach the board, and nobody else: see `tinyol keys`")


async def _pair(board: Board) -> dict[str, Any]:
    name = (await board.hardware()).name
    called = name or str(board.uri)
    if board.is_authenticated:
        entry = board.keys.named(board.identity.key_id)
        return _facts(called, name, entry.id, board.keys.place(entry), new=False)
    check_lasting(board)
    key = await board.pair(name)
    await board.ping()  # authenticates: the key works before anybody relies on it
    return _facts(called, name, key.id, board.keys.keeps_in, new=True)


def check_lasting(board: Board) -> None:
    """DeviceError for a board whose key would end with this command."""
    if board.ends_with_link and "flash" not in board.uri.options:
        raise DeviceError(
            f"{board.uri} ends with this command, and its key would too: pair a board of hardware,"
            " as -d serial:/dev/ttyACM0, or an emulated one that keeps its flash, as"
            " -d emu:?flash=FILE"
        )


def _facts(board: str, name: str, key_id: str, kept_in: str, *, new: bool) -> dict[str, Any]:
    return {"board": board, "name": name or None, "key_id": key_id, "kept_in": kept_in, "new": new}
