"""Warnings where a lesson contradicts what the board holds for true; it is learned all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tinyol_sim.counted import counted
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board, Effect
    from tinyol_sim.commands import Command

_BACK = "`tinyol undo` takes it back"
ALARM = (
    "an alarm stands: what is learned as normal from now on was just called an anomaly; if it is"
    f" one, {_BACK}"
)


async def warn_of_contradiction(board: Board, effect: Effect, name: str) -> None:
    """On stderr, if the board is sure of another class than `name`."""
    found = effect.contradiction
    if found is None:
        return
    names = await board.classes()
    index = found.class_index
    other = printable(names[index] if index < len(names) else f"class {index}")
    what = "this is"
    if effect.value is not None:  # late lessons
        what = f"{counted(found.windows, 'window')} of these were"
    warn(
        f"the board is sure that {what} {other} ({found.confidence:.0%}), not {printable(name)};"
        f" if it is right, {_BACK}"
    )


async def warn_of(board: Board, command: Command, effect: Effect) -> None:
    """Either, after any command."""
    name = getattr(command, "name", None)
    if isinstance(name, str):
        await warn_of_contradiction(board, effect, name)
    warn_of_alarm(effect)


def warn_of_alarm(effect: Effect) -> None:
    """On stderr, if an alarm stands."""
    if effect.alarm_stands:
        warn(ALARM)


def warn(text: str) -> None:
    """A line on stderr."""
    click.echo(f"warning: {text}", err=True)
