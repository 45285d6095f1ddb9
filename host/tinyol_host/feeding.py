"""Samples from this program into a board, in place of those of its sensor."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyol_host import replies, requests
from tinyol_host.chunk_size import ChunkSize
from tinyol_host.clean_up import finish
from tinyol_host.errors import RebootedError, RefusedError
from tinyol_host.protocol import AUTH_TRAILER_BYTES, HEADER_BYTES, Opcode
from tinyol_host.session import Session
from tinyol_sim.errors import DeviceError
from tinyol_sim.refusals import NOT_FOUND

_FEED_FIELDS_BYTES, _SAMPLE_BYTES = 4, 12


class FeedingEndedError(RefusedError):
    """The board has ended this feeding by itself; samples from now on would follow no other."""

    def __init__(self, n_fed: int) -> None:
        super().__init__(NOT_FOUND, "feed")
        self.args = (
            f"the board has ended this feeding after {n_fed} samples, as it does when the link is"
            " cut; begin another, which makes a gap",
        )


class Feeding:
    """FEED_BEGIN to FEED_END, which is sent however the block is left.

    Either end makes a gap. Meanwhile the board's own sensor is ignored.
    """

    def __init__(self, session: Session, max_message: Callable[[], int]) -> None:
        """max_message: bytes that one message may have now."""
        self._session = session
        self._max_message = max_message
        self._chunk = ChunkSize(session)
        self._n_fed = 0
        self.at = 0  # index of the next sample, as of the last reply

    async def __aenter__(self) -> Feeding:
        try:
            self.at = (await self._session.request(Opcode.FEED_BEGIN)).at
        except (RefusedError, RebootedError):
            raise
        except BaseException:  # it may have been executed all the same
            await finish(self._end())
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await finish(self._end(), tell_reboot=error is None)

    async def feed(self, samples: ArrayLike, gap: bool = False) -> int:
        """Has the board take samples as if its sensor had given them.

        Args:
            samples: (n, 3) in g. One that is not finite is refused by the board, counted, and
                makes a gap.
            gap: the first does not follow the one before.

        Returns the windows that they completed.

        Raises:
            DeviceError: another shape.
            FeedingEndedError: the link was cut for longer than the board waits.
        """
        rows = _as_samples(samples)
        windows = start = 0
        while start < len(rows) or gap:  # without a sample, a gap is still told
            stop = start + self._step()
            windows += await self._feed_piece(rows[start:stop], gap)
            start, gap = stop, False
        return windows

    def _step(self) -> int:
        room = self._max_message() - HEADER_BYTES - AUTH_TRAILER_BYTES - _FEED_FIELDS_BYTES
        return min(requests.SAMPLES_PER_FEED, self._chunk.next(room) // _SAMPLE_BYTES)

    async def _feed_piece(self, rows: NDArray[np.float32], gap: bool) -> int:
        try:
            reply = await self._session.request(Opcode.FEED, requests.feed(rows, gap))
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            raise FeedingEndedError(self._n_fed) from None
        self._n_fed += len(rows)
        self.at = reply.at
        return replies.only_u32(reply.body)

    async def _end(self) -> None:
        await self._session.request(Opcode.FEED_END)


def _as_samples(samples: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a double too large becomes infinite, and is refused
        rows = np.ascontiguousarray(samples, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise DeviceError(f"samples must have the shape (n, 3), not {rows.shape}")
    return rows
