"""The air between two controllers: paced in connection events, counted, and cut at will."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bumble import core
from bumble.link import LocalLink

LL_DATA_BYTES = 251  # a link-layer packet with data length extension
L2CAP_HEADER_BYTES = 4
# How long both sides may compute before the next event: less than an interval, so that a transfer
# takes no longer to test than it would over the air.
_COMPUTING_S = 0.008


@dataclass(frozen=True)
class Pace:
    """What a connection carries: so many packets each way in a connection event."""

    interval_ms: float = 30.0
    packets_per_event: int = 4


class Air(LocalLink):  # type: ignore[misc]
    """Delivers ATT traffic in connection events.

    `events` counts the connection events that carried or could have carried something: the time
    that a transfer takes is events x interval, whatever this machine's own speed. Events in which
    both sides only compute are not counted: a host answers within an interval.
    """

    def __init__(self, pace: Pace | None = None) -> None:
        super().__init__()
        self.pace = pace
        self.events = 0
        self.packets = 0
        self.audible = True  # else nobody's advertising is heard
        self.longest_value = 0  # bytes of the longest notification seen
        self.cut_after: int | None = None  # ATT packets until the link breaks
        self.on_cut: Callable[[], None] = lambda: None  # at the first packet that is lost so
        # What bumble's controllers leave out, by the advertiser's address.
        self.scan_responses: dict[str, bytes] = {}
        self._queues: dict[Any, deque[tuple[Any, Any, bytes, int]]] = {}
        self._pump: asyncio.Task[None] | None = None

    def send_acl_data(
        self,
        sender_controller: Any,
        destination_address: Any,
        transport: Any,
        data: bytes,
    ) -> None:
        """One L2CAP packet from a controller."""
        if transport != core.PhysicalTransport.LE:
            raise ValueError("only LE here")
        if data[4:5] == b"\x1b":  # a handle value notification: opcode, handle, value
            self.longest_value = max(self.longest_value, len(data) - L2CAP_HEADER_BYTES - 3)
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                if self.cut_after == -1:
                    self.on_cut()
                return  # lost with the link: who cut it says so to both sides
        if self.pace is None:
            self.packets += 1
            super().send_acl_data(sender_controller, destination_address, transport, data)
            return
        packets = -(-len(data) // LL_DATA_BYTES)
        queue = self._queues.setdefault(sender_controller, deque())
        queue.append((destination_address, transport, data, packets))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._run_events())

    def send_advertising_pdu(self, sender_controller: Any, packet: Any) -> None:
        """One advertisement from a controller."""
        if self.audible:
            super().send_advertising_pdu(sender_controller, packet)

    async def _run_events(self) -> None:
        """Connection events for as long as anybody has something to send."""
        while any(self._queues.values()):
            await asyncio.sleep(_COMPUTING_S)
            self.events += 1
            assert self.pace is not None
            for controller, queue in list(self._queues.items()):
                left = self.pace.packets_per_event
                while queue and left > 0:
                    destination, transport, data, packets = queue[0]
                    if packets > left:
                        queue[0] = (destination, transport, data, packets - left)
                        left = 0
                        break
                    queue.popleft()
                    left -= packets
                    self.packets += 1
                    super().send_acl_data(controller, destination, transport, data)

    @property
    def waiting(self) -> int:
        """Packets that are under way."""
        return sum(item[3] for queue in self._queues.values() for item in queue)

    def drop_queued(self) -> None:
        """Forgets what is under way, as a cut does."""
        self._queues.clear()
