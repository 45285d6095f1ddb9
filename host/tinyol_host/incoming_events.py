"""Events as they come in: whose they are, what is missing between them, what came twice."""

from __future__ import annotations

from tinyol_host.errors import ProtocolError
from tinyol_host.event_stream import Listeners
from tinyol_host.events import Lost, parse_event
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import Message

_DOUBLES = 64  # so far back a number is taken for a double, not for a hole of 65,472 or more


class IncomingEvents:
    """Hands the events of one session on, with a Lost where its counter shows a hole."""

    def __init__(self, listeners: Listeners, health: LinkHealth) -> None:
        self._listeners = listeners
        self._health = health
        self._session: tuple[int, int] | None = None
        self._due: int | None = None

    def begin(self, session: int, boot_id: int, due: int | None) -> None:
        """Another session: `due` is its next event's number, None if any will do."""
        self._session, self._due = (session, boot_id), due

    def interrupted(self) -> None:
        """Nobody knows how much was lost here."""
        self._listeners.publish(Lost(0))

    def take(self, message: Message) -> None:
        """One event's message; what is not this session's, or came twice, is stray."""
        missing = 0 if self._due is None else (message.sequence - self._due) & 0xFFFF
        if (message.session, message.boot_id) != self._session or missing > 0xFFFF - _DOUBLES:
            self._health.stray += 1
            return
        self._due = (message.sequence + 1) & 0xFFFF
        if missing:
            self._health.lost_events += missing
            self._listeners.publish(Lost(missing))
        try:
            self._listeners.publish(parse_event(message))
        except ProtocolError:  # of a newer firmware
            self._health.stray += 1
