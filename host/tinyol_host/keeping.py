"""What a simulated board has learned, kept in a file from one connection to the next.

Such a board ends with its link; one of hardware keeps its state itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tinyol_host.kept_state import KeptState
from tinyol_host.link import within
from tinyol_host.link_health import LinkHealth
from tinyol_sim.errors import DeviceError, StateImageError, TinyOLError

READ_LIMIT_S = 10.0  # for the last image; a simulated board takes a fraction of a second


class Keeping:
    """The file of one board, and the newest image of it that this program has seen."""

    def __init__(self, kept: KeptState, health: LinkHealth) -> None:
        self._kept = kept
        self._health = health
        self._newest: bytes | None = None
        self._reboots = 0  # as of `_newest`, or since the board was switched on

    def load(self) -> bytes | None:
        """What was kept; None if nothing was. Others cannot use the file until release()."""
        return self._kept.load()

    def refused(self, error: StateImageError) -> StateImageError:
        """The board does not take over what was kept: which file, and what to do."""
        return StateImageError(
            f"{self._kept.path}: {error}; move the file away to begin anew, or connect with"
            " state=none"
        )

    def saw(self, image: bytes | None) -> None:
        """The board's state was this just now; None = it is like none that was seen."""
        self._newest = image
        self._reboots = self._health.reboots

    async def save(self, pull: Callable[[], Coroutine[Any, Any, bytes]]) -> None:
        """Keeps the state as it is now; where that cannot be had, the newest that was seen.

        Raises:
            DeviceError: something that was learned is lost, or the file cannot be written.
        """
        image, reason = self._newest, ""
        try:
            if self._health.reboots == self._reboots:
                image = await within(pull(), READ_LIMIT_S)
            else:
                reason = "it has restarted"
        except (TinyOLError, asyncio.TimeoutError) as error:
            reason = str(error) or f"no answer within {READ_LIMIT_S:g} s"
        if image is not None:
            self._kept.save(image)
        if reason:
            rest = "has an earlier state" if image is not None else "is as it was before"
            raise DeviceError(
                f"what the board learned last is lost, {reason}; {self._kept.path} {rest}"
            )

    def release(self) -> None:
        """Lets others use the file."""
        self._kept.release()
