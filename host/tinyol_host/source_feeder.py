"""Feeds a board from a source in the background, at the source's pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyol_host.errors import LinkError, ProtocolError
from tinyol_host.sample_source import SampleSource
from tinyol_sim.errors import DeviceError, TinyOLError

TICK_S = 0.05  # samples are fed so often; a prediction is late by this at most
MOST_BEHIND_S = 0.5  # a board that falls further behind is not chased: the source waits for it
RETRY_S = 0.5  # after a refusal: the board restarted, forgot us after a cut, or is fed by another
STOP_S = 2.0  # how long stop() waits for the request that is under way


class Feeds(Protocol):
    """What a board's `feeding()` gives."""

    async def feed(self, samples: NDArray[np.float32], gap: bool = False) -> int:
        """Samples (n, 3) in g; returns the windows that they completed."""


class Sensing:
    """In place of a feeding, for a board in this process whose own sensor the source is."""

    def __init__(self, sense: Callable[[NDArray[np.float32], bool], None]) -> None:
        """sense: what gives the device samples as its sensor does."""
        self._sense = sense

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Feeds]:
        """The device is asked for nothing: it need not have a model."""
        yield self

    async def feed(self, samples: NDArray[np.float32], gap: bool = False) -> int:
        """As Feeds; which windows they completed is not known here."""
        self._sense(samples, gap)
        return 0


class SourceFeeder:
    """One background task. While it feeds it is within `open_feeding()`, which begins and ends
    the device's feeding; while it is paused it is not.

    error: why it gave up (the link is lost, the source failed); None while it works.
    """

    def __init__(
        self,
        open_feeding: Callable[[], AbstractAsyncContextManager[Feeds]],
        source: SampleSource,
    ) -> None:
        self.error: TinyOLError | None = None
        self._open_feeding = open_feeding
        self.source = source
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._pauses = 0
        self._interrupted = asyncio.Event()  # paused or stopping
        self._resumed = asyncio.Event()  # not so
        self._resumed.set()
        self._away = asyncio.Event()  # the device is not being fed from here
        self._away.set()

    def start(self) -> None:
        """Begins; does nothing if it has begun."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Ends for good; when it returns, nothing is under way. Idempotent."""
        self._stopping = True
        self._interrupted.set()
        self._resumed.set()
        task = self._task
        if task is None:
            return
        try:
            await asyncio.wait({task}, timeout=STOP_S)
        finally:
            task.cancel()  # without effect on one that has ended
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def pause(self) -> None:
        """When it returns, nothing is under way and somebody else may feed. Pauses add up."""
        self._pauses += 1
        self._resumed.clear()
        self._interrupted.set()
        try:
            await self._away.wait()
        except asyncio.CancelledError:
            self.resume()
            raise

    def resume(self) -> None:
        """Takes back one pause()."""
        self._pauses -= 1
        if self._pauses == 0 and not self._stopping:
            self._interrupted.clear()
            self._resumed.set()

    async def _run(self) -> None:
        try:
            while not self._stopping:
                await self._resumed.wait()
                if self._stopping or self._pauses:
                    continue
                self._away.clear()
                try:
                    async with self._open_feeding() as board:
                        await self._feed(board)
                except (LinkError, ProtocolError):
                    raise
                except DeviceError:
                    self._away.set()
                    await self._interrupted_within(RETRY_S)
                finally:
                    self._away.set()
        except TinyOLError as error:
            self.error = error

    async def _feed(self, board: Feeds) -> None:
        """In real time times `speed`, until it is interrupted."""
        now = asyncio.get_running_loop().time
        rate_hz = self.source.rate_hz * self.source.speed
        most = max(1, round(rate_hz * MOST_BEHIND_S))
        began, fed = now(), 0
        while True:
            tick = now()
            due = int((tick - began) * rate_hz) - fed
            if due > most:
                began, fed, due = tick - most / rate_hz, 0, most
            while due > 0 and not self._interrupted.is_set():
                # In a thread: it may compute for longer than the event loop should stand still.
                samples, gap = await asyncio.to_thread(self.source.take, due)
                await board.feed(samples, gap)
                fed += len(samples)
                due -= len(samples)
            if await self._interrupted_within(max(0.0, tick + TICK_S - now())):
                return

    async def _interrupted_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._interrupted.wait(), max(seconds, 1e-3))
        except asyncio.TimeoutError:
            return False
        return True
