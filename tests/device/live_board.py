"""A board in a session that lasts from test to test, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from tinyol_host.board import Board, connect
from tinyol_host.lock_step import LockStep, lock_step
from tinyol_host.state_file import read_state_file
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import Command, Reset
from tinyol_sim.errors import DeviceError
from tinyol_sim.files import write_whole
from tinyol_sim.twin import Twin

T = TypeVar("T")

LIMIT_S = 600.0  # for one piece of work; a radio link is slow


class LiveBoard:
    """Open from begin() to end(), after which the board knows what it knew before."""

    def __init__(self, uri: str, folder: Path) -> None:
        """folder: where what the board had learned lies meanwhile."""
        self.board: Board
        self._not_kept = ExitStack()
        self._uri = uri
        self._kept = folder / (
            f"before-device-tests-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.state"
        )
        self._loop = asyncio.new_event_loop()
        # A thread, so that the session stays alive between two tests.
        self._thread = threading.Thread(target=self._loop.run_forever, name="live-board")

    def run(self, work: Callable[[Board], Awaitable[T]]) -> T:
        """What `work(board)` returns or raises; interrupted, it is cancelled first."""
        return self._run(lambda: work(self.board))

    def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def main() -> T:
            return await asyncio.wait_for(work(), LIMIT_S)

        future = asyncio.run_coroutine_threadsafe(main(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), self._loop).result()
            raise

    def begin(self) -> None:
        """Connects, and pulls what the board has learned; TinyOLError as connect() has it."""
        self._thread.start()
        try:
            self.board = self._run(lambda: connect(self._uri, source=False))
            try:
                # Nor does a simulated board's file change meanwhile.
                self._not_kept.enter_context(self.board.state_not_kept())
                self._kept.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._kept, self.run(lambda board: board.pull_state()), DeviceError)
            except BaseException:
                self._run(self.board.close)
                raise
        except BaseException:
            self._stop()
            raise

    def end(self) -> None:
        """Puts it back; DeviceError says where it is kept if that cannot be."""
        try:
            try:
                self.run(self._put_back)
            finally:
                self._run(self.board.close)
        except Exception as problem:
            raise DeviceError(
                f"what the board had learned could not be put back: {problem}; it is kept in"
                f" {self._kept}: `tinyol state push` brings it back"
            ) from problem
        else:
            self._kept.unlink()
        finally:
            self._stop()

    async def _put_back(self, board: Board) -> None:
        await board.push_state(read_state_file(self._kept))
        self._not_kept.close()
        if (await board.info()).has_store:
            await board.save()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class InStep:
    """A board and a twin that are given the same; what differs fails the test, in words."""

    def __init__(self, board: Board, twin: Twin, step: LockStep) -> None:
        self.board, self.twin, self._step = board, twin, step

    async def do(self, *commands: Command) -> None:
        """Each to both."""
        for command in commands:
            _same(await self._step.execute(command))

    async def refused(self, command: Command) -> None:
        """By both, without effect on the twin; on the board, the next same_state() tells."""
        before = self.twin.state
        try:
            await self.do(command)
        except DeviceError:
            assert self.twin.state == before
        else:
            raise AssertionError(f"{command} is not refused")

    async def feed(self, samples: object, gap: bool = False) -> None:
        """To both."""
        _same(await self._step.feed(samples, gap))  # type: ignore[arg-type]

    async def same_state(self) -> None:
        """Byte for byte."""
        _same(await self._step.compare_state())

    async def difference(self) -> str | None:
        """Of the states, in words."""
        return await self._step.compare_state()

    @property
    def windows(self) -> int:
        """Predictions compared, and those that were lost on the way."""
        return self._step.windows + self._step.unheard


@asynccontextmanager
async def in_step(board: Board, bundle: Bundle) -> AsyncIterator[InStep]:
    """Both begin as training left them."""
    twin = Twin(bundle)
    async with lock_step(board, twin) as step:
        pair = InStep(board, twin, step)
        await pair.do(Reset())
        await pair.same_state()
        yield pair
        await pair.same_state()


def _same(difference: str | None) -> None:
    __tracebackhide__ = True
    if difference is not None:
        raise AssertionError(difference)
