"""Messages that have come and wait to be received, and the end of a link, behind the last one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from tinyol_host.errors import LinkError


class MessageQueue:
    """Of one open link; used in one event loop only."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self.end: str | None = None  # why no more will come

    def put(self, messages: Iterable[bytes]) -> None:
        """They have come, in this order."""
        self._messages.extend(messages)
        self._changed.set()

    def finish(self, reason: str) -> None:
        """No more will come; the first reason counts."""
        if self.end is None:
            self.end = reason
        self._changed.set()

    async def get(self) -> bytes:
        """The next one. Cancelling loses none.

        Raises:
            LinkError: there will be no more.
        """
        while not self._messages:
            if self.end is not None:
                raise LinkError(self.end)
            self._changed.clear()
            await self._changed.wait()
        return self._messages.popleft()
