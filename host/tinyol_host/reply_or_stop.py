"""Waits for a reply, but hardly longer once it was told to stop: a link that is dead has a request
wait for many seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tinyol_host.errors import LinkError
from tinyol_host.link import within
from tinyol_sim.errors import DeviceError

GRACE_S = 1.0  # for a reply that is on its way
UNANSWERED = "stopped, while the board does not answer"

T = TypeVar("T")


class StoppedError(DeviceError):
    """It was told to stop."""


async def reply_or_stop(request: Coroutine[Any, Any, T], stop: asyncio.Event) -> T:
    """What `request` returns or raises.

    Raises:
        StoppedError: `stop` was set, and GRACE_S later there was no reply, or the link was given
            up. The request may have been executed or not.
    """
    asked, told = asyncio.ensure_future(request), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({asked, told}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            await asyncio.wait({asked}, timeout=GRACE_S)
    finally:
        told.cancel()
        if not asked.done():
            asked.cancel()
            await asyncio.wait({asked})
        if not asked.cancelled():
            asked.exception()  # retrieved, or asyncio would complain of it
    if asked.cancelled():
        raise StoppedError(UNANSWERED)
    try:
        return asked.result()
    except LinkError:
        if stop.is_set():
            raise StoppedError(UNANSWERED) from None
        raise


async def last_reply(request: Coroutine[Any, Any, T], limit_s: float) -> T:
    """What `request` returns or raises, after it was told to stop.

    Raises:
        StoppedError: no reply in `limit_s`, or the link was given up.
    """
    try:
        return await within(request, limit_s)
    except (asyncio.TimeoutError, LinkError):
        raise StoppedError(UNANSWERED) from None
