"""Work that puts a device back in order: it ends even if the one who waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tinyol_host.errors import RebootedError
from tinyol_host.link import within
from tinyol_sim.errors import TinyOLError

LIMIT_S = 3.0  # for a request or two; a device that is gone ends these things by itself

T = TypeVar("T")


async def finish(
    work: Coroutine[Any, Any, None], limit_s: float = LIMIT_S, *, tell_reboot: bool = False
) -> None:
    """Awaits `work` to its end, for at most `limit_s`.

    What the device refuses, or is no longer there to do, is let go: there is nothing left that
    could be done about it.

    tell_reboot: but not a RebootedError, which nobody else would hear of.
    """
    try:
        await to_its_end(within(work, limit_s))
    except RebootedError:
        if tell_reboot:
            raise
    except (TinyOLError, asyncio.TimeoutError):
        pass


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Awaits `work`, and what it returns or raises, even if the caller is cancelled meanwhile;
    that is then raised instead.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as reason:
            cancelled = reason
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # retrieved, or asyncio would complain of it
    raise cancelled
