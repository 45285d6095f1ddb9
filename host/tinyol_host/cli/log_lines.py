"""Lines of a board's log on stderr, for commands that show something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.events import Log

_WORDS = {2: "warning", 3: "error"}


def echo_log(line: Log) -> None:
    """Says it, unless it is mere information. What stands when a command begins comes so, too."""
    word = _WORDS.get(line.level)
    if word is not None:
        click.echo(f"the board: {word}: {printable(line.text)}", err=True)
