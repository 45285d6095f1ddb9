"""Waits while a board makes so many windows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tinyol_host.board import Board
from tinyol_host.reply_or_stop import StoppedError, reply_or_stop
from tinyol_host.silence import silence_limit_s, why_none
from tinyol_sim.errors import DeviceError

_POLL_S = 0.1


async def new_windows(
    board: Board, windows: int, stop: asyncio.Event, show: Callable[[int], object]
) -> None:
    """Returns when the board has made `windows` more; changes nothing.

    Raises:
        StoppedError: `stop` was set.
        DeviceError: none come, and why it may be so; or the link is cut.
    """
    loop, limit_s = asyncio.get_running_loop(), silence_limit_s(board.identity)
    begun = then = await reply_or_stop(board.info(), stop)
    since = loop.time()
    while True:
        asked = loop.time()
        now = await reply_or_stop(board.info(), stop)
        since += loop.time() - asked  # a link that is cut says nothing of the windows
        show(min(windows, now.windows - begun.windows))
        if now.windows - begun.windows >= windows:
            return
        if stop.is_set():
            raise StoppedError("stopped")
        if now.windows != then.windows:
            since, then = loop.time(), now
        elif loop.time() - since > limit_s:
            raise DeviceError(
                f"no window for {limit_s:.3g} s: {why_none(board.identity, then, now)}"
            )
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), _POLL_S)
