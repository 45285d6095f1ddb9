"""`tinyol locate`: which of these boards is it?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.device_options import ctrl_c_sets, device_options, run_on_board

if TYPE_CHECKING:
    from tinyol_host.board import Board

_MOST_S = 255  # tinyol_host.hardware.MOST_LOCATE_S, without the import of numpy


@click.command()
@click.option(
    "--seconds",
    metavar="S",
    default=10,
    show_default=True,
    type=click.IntRange(1, _MOST_S),
    help="For how long.",
)
@device_options
def locate(seconds: int, device: str | None) -> None:
    """Blink the board's LED, white and quickly, until Ctrl-C or the time is over."""

    async def work(board: Board) -> bool:
        from tinyol_host.clean_up import LIMIT_S
        from tinyol_host.reply_or_stop import StoppedError, last_reply

        await board.locate(seconds)
        click.echo(f"{board.uri} blinks white for {seconds} s; Ctrl-C ends it")
        stopped = asyncio.Event()
        with ctrl_c_sets(stopped):
            try:
                await asyncio.wait_for(stopped.wait(), seconds)
            except asyncio.TimeoutError:
                return True
        try:
            await last_reply(board.locate(0), LIMIT_S)
        except StoppedError as unanswered:
            click.echo(f"{unanswered}; it blinks until the {seconds} s are over", err=True)
            return False
        return True

    if not run_on_board(device, work):
        raise KeyboardInterrupt  # it was not ended
