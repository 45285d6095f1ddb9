"""Waits while a board counts something down, label or fine-tuning, and gathers what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import ctrl_c_sets

if TYPE_CHECKING:
    from tinyol_host.board import Board, Effect
    from tinyol_host.events import Event, Prediction
    from tinyol_host.replies import Info

_POLL_S = 0.1
_SILENCE_S = 5.0  # without a window for so long, a board without samples is suspected


@dataclass
class Countdown:
    """What came of it."""

    begun: Effect
    windows: list[Prediction] = field(default_factory=list)  # those that counted
    stopped: Effect | None = None  # by Ctrl-C
    incomplete: bool = False  # events were lost on the way: there were more windows


async def count_down(
    board: Board,
    begin: Callable[[], Coroutine[Any, Any, Effect]],
    end: Callable[[], Coroutine[Any, Any, Effect]],
    *,
    running: Callable[[Info], bool],
    counts: Callable[[Prediction], bool],
    begun: Callable[[Effect], None],
    show: Callable[[list[Prediction]], None],
) -> Countdown:
    """Begins it, and waits until the device says that it has ended; Ctrl-C ends it at once.

    Args:
        board: where; it needs samples from a sensor or a source.
        begin: the request that begins it.
        end: the request that ends it, for Ctrl-C.
        running: whether it still runs, by what the device tells of itself.
        counts: whether a window is one of those that are waited for.
        begun: called with what begin() returned.
        show: called with the windows so far, about ten times a second.

    Raises:
        StoppedError: Ctrl-C, but the board does not answer: it may run on.
    """
    from tinyol_host.clean_up import LIMIT_S
    from tinyol_host.reply_or_stop import StoppedError, last_reply, reply_or_stop

    stop = asyncio.Event()
    async with board.stream(predictions=True) as events:
        with ctrl_c_sets(stop):
            try:
                outcome = Countdown(await reply_or_stop(begin(), stop))
            except StoppedError:  # it may have begun all the same
                ended = await last_reply(end(), LIMIT_S)
                return Countdown(ended, stopped=ended)
            begun(outcome.begun)
            reader = asyncio.create_task(_gather(events, counts, outcome))
            try:
                with suppress(StoppedError):  # the board may answer again
                    await _wait(board, running, stop, outcome, show)
                if stop.is_set():
                    outcome.stopped = await last_reply(end(), LIMIT_S)
                await asyncio.sleep(0)  # what came before the last reply is in the queue
            finally:
                reader.cancel()
                with suppress(asyncio.CancelledError):
                    await reader
    show(outcome.windows)
    return outcome


async def _wait(
    board: Board,
    running: Callable[[Info], bool],
    stop: asyncio.Event,
    outcome: Countdown,
    show: Callable[[list[Prediction]], None],
) -> None:
    from tinyol_host.reply_or_stop import reply_or_stop

    loop = asyncio.get_running_loop()
    since, seen, told = loop.time(), 0, False
    while not stop.is_set():
        info = await reply_or_stop(board.info(), stop)
        if not running(info):
            return
        show(outcome.windows)
        if info.windows != seen:
            since, seen = loop.time(), info.windows
        elif not told and loop.time() - since > _SILENCE_S:
            told = True
            click.echo(
                f"no windows for {_SILENCE_S:g} s: does the board get samples? (Ctrl-C ends this)",
                err=True,
            )
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), _POLL_S)


async def _gather(
    events: AsyncIterator[Event], counts: Callable[[Prediction], bool], outcome: Countdown
) -> None:
    from tinyol_host.events import Lost, Prediction

    async for event in events:
        if isinstance(event, Lost):
            outcome.incomplete = True
        elif isinstance(event, Prediction) and counts(event):
            outcome.windows.append(event)
