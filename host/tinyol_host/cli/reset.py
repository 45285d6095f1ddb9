"""`tinyol reset`: back to what training left."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.asking import ask_unless, yes_option
from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_host.cli.learned import what_it_learned
from tinyol_sim.errors import StateImageError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.effect import Effect


@click.command()
@click.option(
    "--factory",
    is_flag=True,
    help="At its USB port: its name and its key too, so that it can be given away.",
)
@device_options
@yes_option
@json_option
def reset(device: str | None, factory: bool, yes: bool, as_json: bool) -> None:
    """Forget everything learned, classes and settings too: back to what training left.

    `tinyol state pull FILE` keeps it. A file with what a simulated board has learned that is
    damaged is moved to NAME.bad.
    """

    async def question(board: Board) -> str:
        and_more = ", its name and its key" if factory else ""
        return (
            f"Reset {board.uri}? {await what_it_learned(board)}{and_more} are lost; `tinyol state"
            " pull` keeps what it learned."
        )

    def asked() -> str:
        try:
            return run_on_board(device, question)
        except StateImageError as error:
            return f"{printable(str(error))}. Reset all the same, and keep that file as .bad?"

    ask_unless(yes, asked)

    def work(board: Board) -> Awaitable[Effect]:
        return board.factory_reset() if factory else board.reset()

    effect = run_on_board(device, work, set_aside=True)
    text = f"reset: nothing learned from sample {effect.at:,} on{_and_more(factory)}"
    click.echo(json.dumps({"at": effect.at, "factory": factory}) if as_json else text)


def _and_more(factory: bool) -> str:
    return ", no name and no key: `tinyol pair` gives it a new one" if factory else ""
