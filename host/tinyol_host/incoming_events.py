"""Events as they come in: whose they are, what is missing between them, what came twice."""

from __future__ import annotations

from collections.abc import Callable

from tinyol_host.errors import ProtocolError
from tinyol_host.event_stream import Listeners
from tinyol_host.events import Lost, parse_event
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import Message

_DOUBLES = 64  # so far back a number is taken for a double, not for a hole of 65,472 or more


class IncomingEvents:
    """Hands the events of one session on, with a Lost where its counter shows a hole.

    is_authentic: whether an event is the device's, of that number: its counter beyond 16 bits.
    """

    def __init__(self, listeners: Listeners, health: LinkHealth) -> None:
        self._listeners = listeners
        self._health = health
        self.is_authentic: Callable[[Message, int], bool] = lambda event, number: True
        self._session: tuple[int, int] | None = None
        self._due = 1  # the next event's number
        self._any_will_do = True

    def begin(self, session: int, boot_id: int, due: int | None) -> None:
        """Another session: `due` is its next event's number, None if any will do."""
        if due is not None or self._session != (session, boot_id):
            self._due = 1 if due is None else due
        self._session, self._any_will_do = (session, boot_id), due is None

    def interrupted(self) -> None:
        """Nobody knows how much was lost here."""
        self._listeners.publish(Lost(0))

    def take(self, message: Message) -> None:
        """One event's message; what is not this session's, or came twice, is stray."""
        missing = (message.sequence - self._due) & 0xFFFF
        number = self._due + missing
        is_double = missing > 0xFFFF - _DOUBLES and not self._any_will_do
        is_ours = (message.session, message.boot_id) == self._session and not is_double
        if not is_ours or not self.is_authentic(message, number):
            self._health.stray += 1
            return
        if self._any_will_do:
            self._any_will_do, missing = False, 0
        self._due = number + 1
        if missing:
            self._health.lost_events += missing
            self._listeners.publish(Lost(missing))
        try:
            self._listeners.publish(parse_event(message))
        except ProtocolError:  # of a newer firmware
            self._health.stray += 1
