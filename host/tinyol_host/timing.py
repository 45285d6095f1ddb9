"""How long a session waits for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """All in seconds, all above 0."""

    reply_s: float = 1.0  # before a request is sent again
    give_up_s: float = 15.0  # a request without a reply, reconnects included
    backoff_first_s: float = 0.1  # before the first attempt to reconnect; doubles each time
    backoff_most_s: float = 2.0
    heartbeat_s: float = 3.0  # idle for so long: PING (a device drops who is silent for 10 s)
