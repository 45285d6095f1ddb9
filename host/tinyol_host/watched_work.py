"""Work on a board that goes on while its events are read, and leaves the board in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from tinyol_host.events import Event
from tinyol_host.reply_or_stop import StoppedError
from tinyol_sim.errors import DeviceError, TinyOLError

T = TypeVar("T")


class WatchedWork(Protocol):
    """What it must be able to do."""

    async def read(self, events: AsyncIterator[Event]) -> None:
        """Takes in what happens meanwhile, until it is cancelled or the link ends."""

    async def end(self) -> None:
        """Ends on the board what the work began there."""

    async def leave(self, error: TinyOLError) -> str:
        """Puts the board in order after an error, and says in what state it is."""


async def carry_out(
    work: WatchedWork, events: AsyncIterator[Event], doing: Coroutine[Any, Any, T]
) -> T:
    """What `doing` returns, while `work` reads the events.

    Raises:
        StoppedError, DeviceError: what went wrong, and how the board is left.
    """
    reader = asyncio.create_task(work.read(events))
    try:
        return await doing
    except TinyOLError as error:
        left = await work.leave(error)
        kind = StoppedError if isinstance(error, StoppedError) else DeviceError
        raise kind(f"{error}; {left}") from None
    except BaseException:
        await work.end()
        raise
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader
