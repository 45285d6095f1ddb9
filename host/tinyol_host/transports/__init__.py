"""How messages reach a device. One module a transport; `opening.py` picks one by URI."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """Carries whole messages, and knows nothing of what they ask.

    It may lose messages and may deliver one twice, but never out of order, cut or altered.
    """

    max_message: int  # bytes that one message may have here
    is_reliable: bool  # loses and doubles none until it is cut
    is_physical: bool  # ends at the board's own port: who speaks here can touch it
    bad_frames: int  # what came in and was no message

    @property
    def name(self) -> str:
        """For messages to people: `serial:/dev/ttyACM0`."""
        ...

    async def open(self) -> None:
        """Opens, also again after `close`. LinkError says what is wrong and what to do."""
        ...

    async def close(self) -> None:
        """Never raises; a closed transport may be closed again."""
        ...

    async def send(self, message: bytes) -> None:
        """Hands on one message; LinkError when the link is cut."""
        ...

    async def send_ahead(self, message: bytes) -> None:
        """As send(), for a request that does not wait for the reply of the one before."""
        ...

    async def receive(self) -> bytes:
        """The next whole message; LinkError when the link is cut.

        Cancelling it loses no message.
        """
        ...
