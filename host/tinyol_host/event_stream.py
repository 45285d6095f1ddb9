"""Events on their way from a session to those who listen.

A listener that is slow never holds up the session: what does not fit its queue becomes a Lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from tinyol_host.events import Event, Lost

QUEUE_EVENTS = 10_000


class EventStream:
    """An async iterator of events, and a context manager whose end closes it.

    It ends when it or the session is closed, and raises what cut the session off for good
    (LinkError), both after the events that were told before. For one reader at a time.
    """

    def __init__(self, listeners: Listeners, limit: int) -> None:
        self._listeners = listeners
        self._limit = limit
        self._events: deque[Event] = deque()
        self._missed: int | None = None  # events since the queue was full; None = not full
        self._changed = asyncio.Event()
        self._error: Exception | None = None
        self._closed = False

    def __enter__(self) -> EventStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        while True:
            if self._events:
                return self._events.popleft()
            if self._missed is not None:
                lost, self._missed = Lost(self._missed), None
                return lost
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()

    def close(self) -> None:
        """Takes no more events; those that are there can still be read."""
        self._closed = True
        self._changed.set()
        self._listeners.forget(self)

    def put(self, event: Event) -> None:
        """Queues an event, or counts it as lost."""
        if self._missed is not None and len(self._events) < self._limit:
            self._events.append(Lost(self._missed))
            self._missed = None
        if len(self._events) < self._limit:
            self._events.append(event)
        else:
            self._missed = (self._missed or 0) + (event.count if isinstance(event, Lost) else 1)
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """The session is cut off."""
        self._error = error
        self.close()


class Listeners:
    """All streams of a session."""

    def __init__(self, limit: int = QUEUE_EVENTS) -> None:
        self._limit = limit
        self._streams: list[EventStream] = []

    def listen(self) -> EventStream:
        """A stream of what is published from now on."""
        stream = EventStream(self, self._limit)
        self._streams.append(stream)
        return stream

    def forget(self, stream: EventStream) -> None:
        """Tells it nothing more."""
        if stream in self._streams:
            self._streams.remove(stream)

    def publish(self, event: Event) -> None:
        """Tells everyone."""
        for stream in self._streams:
            stream.put(event)

    def fail(self, error: Exception) -> None:
        """Everyone's stream ends with the error."""
        for stream in list(self._streams):
            stream.fail(error)

    def close(self) -> None:
        """Everyone's stream ends."""
        for stream in list(self._streams):
            stream.close()
