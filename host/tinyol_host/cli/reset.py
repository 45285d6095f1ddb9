"""`tinyol reset`: back to what training left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.asking import ask_unless, yes_option
from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_host.cli.learned import what_it_learned
from tinyol_sim.errors import StateImageError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board


@click.command()
@device_options
@yes_option
@json_option
def reset(device: str | None, yes: bool, as_json: bool) -> None:
    """Forget everything learned, classes and settings too: back to what training left.

    `tinyol state pull FILE` keeps it. A file with what a simulated board has learned that is
    damaged is moved to NAME.bad.
    """

    async def question(board: Board) -> str:
        return (
            f"Reset {board.uri}? {await what_it_learned(board)} are lost; `tinyol state pull` keeps"
            " them."
        )

    def asked() -> str:
        try:
            return run_on_board(device, question)
        except StateImageError as error:
            return f"{printable(str(error))}. Reset all the same, and keep that file as .bad?"

    ask_unless(yes, asked)
    effect = run_on_board(device, lambda board: board.reset(), set_aside=True)
    text = f"reset: nothing learned from sample {effect.at:,} on"
    click.echo(json.dumps({"at": effect.at}) if as_json else text)
