"""What a board streams to this program: the union of what its listeners want."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tinyol_host import requests
from tinyol_host.clean_up import finish
from tinyol_host.event_stream import EventStream
from tinyol_host.events import Changed, Event, Log, Notice, Prediction, Samples
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Reply
from tinyol_host.session import Session

PREDICTIONS, SAMPLES, CHANGES, LOG = "predictions", "samples", "changes", "log"
NOTICES = "notices"
_KIND_OF: dict[type, str] = {
    Prediction: PREDICTIONS,
    Samples: SAMPLES,
    Changed: CHANGES,
    Log: LOG,
    Notice: NOTICES,
}
_NOTHING: frozenset[str] = frozenset()


class Streams:
    """Who listens to what. The device is told when the union of it changes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._wanted: list[frozenset[str]] = []
        self._told: frozenset[str] | None = _NOTHING  # None = a request was cut short
        self._turn = asyncio.Lock()

    @property
    def union(self) -> frozenset[str]:
        """All that somebody wants."""
        return _NOTHING.union(*self._wanted)

    @asynccontextmanager
    async def open(self, wanted: Iterable[str]) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of these kinds from now on, and Lost, until the block is left."""
        kinds = frozenset(wanted)
        with self._session.listen() as events:
            self._wanted.append(kinds)
            try:
                await self._tell()
                yield _OfKinds(events, kinds)
            except BaseException:
                await self._end(kinds, tell_reboot=False)
                raise
            await self._end(kinds, tell_reboot=True)

    async def begin_session(self, wanted: Iterable[str]) -> Reply:
        """SESSION_BEGIN: from its reply on the device streams `wanted`, and what others want."""
        async with self._turn:
            kinds = self.union.union(wanted)
            self._told = None
            reply = await self._session.request(
                Opcode.SESSION_BEGIN, requests.session_begin(**dict.fromkeys(kinds, True))
            )
            self._told = kinds
            return reply

    async def _end(self, kinds: frozenset[str], *, tell_reboot: bool) -> None:
        self._wanted.remove(kinds)
        await finish(self._tell(), tell_reboot=tell_reboot)

    async def _tell(self) -> None:
        async with self._turn:
            kinds = self.union
            if kinds == self._told:
                return
            self._told = None
            payload = requests.stream(**dict.fromkeys(kinds, True))
            await self._session.request(Opcode.STREAM, payload)
            self._told = kinds


class _OfKinds:
    """The events that one listener asked for, among all that come."""

    def __init__(self, events: EventStream, kinds: frozenset[str]) -> None:
        self._events = events
        self._kinds = kinds

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while True:
            event = await self._events.__anext__()
            kind = _KIND_OF.get(type(event))
            if kind is None or kind in self._kinds:  # Lost has no kind: it is for everyone
                return event
