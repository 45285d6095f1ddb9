"""A line on stderr while something is waited for that should be quick; only at a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinyol_host.cli.terminal import is_terminal
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from rich.status import Status

AFTER_S = 1.0


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Says "waiting for WHAT" after a second, until the block is left. In an event loop only."""
    if not is_terminal(sys.stderr):
        yield
        return
    shown: Status | None = None

    def show() -> None:
        nonlocal shown
        from rich.console import Console
        from rich.markup import escape

        shown = Console(stderr=True).status(escape(f"waiting for {printable(what)} ..."))
        shown.start()

    timer = asyncio.get_running_loop().call_later(AFTER_S, show)
    try:
        yield
    finally:
        timer.cancel()
        if shown is not None:
            shown.stop()
