"""Has a board learn anew what is normal, where it hangs now and while its machine runs well.

The board does it (learner.h's calibrate()): fine-tuning first if it is asked for, then so many
windows whose errors and variances are from then on what is normal, and whose gravity is where the
sensor hangs. This waits, watches, and puts in order what was ended early.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from tinyol_host.board import Board
from tinyol_host.calibration_outcome import (
    notes_on,
    refuse_if_diverged,
    refuse_if_tuning,
    skipped_steps,
)
from tinyol_host.clean_up import LIMIT_S, finish
from tinyol_host.device import LEAST_NORMAL_WINDOWS
from tinyol_host.errors import NEEDS_MODEL, LinkError, RebootedError
from tinyol_host.events import Changed, Event, Lost, Notice, NoticeKind, Prediction
from tinyol_host.link import within
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Info
from tinyol_host.reply_or_stop import StoppedError, reply_or_stop
from tinyol_host.silence import silence_limit_s, why_none
from tinyol_host.watch_replies import Watch
from tinyol_host.watched_work import carry_out
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError, TinyOLError

FALSE_RATE = "anomaly.false_rate"
_POLL_S = 0.1
_SILENT = -25.0  # ln g^2: where the board takes its sensor for dead (learner_watch.cpp)
_SPOIL = {
    Opcode.RESET: "reset the board",
    Opcode.UNDO: "took back a lesson",
    Opcode.IMAGE_COMMIT: "gave it another state",
    Opcode.CALIBRATE: "calibrated it",
    Opcode.FINE_TUNE: "turned its fine-tuning",
    Opcode.SESSION_BEGIN: "began to record a session",
}

T = TypeVar("T")


@dataclass(frozen=True)
class NormalPlan:
    """What is to be done: windows to watch (30 or more), fine-tuning steps before them (0 = none),
    the share of false alarms that the board's limit is to be for (None = as it is set).
    """

    windows: int
    fine_tune: int = 0
    false_alarms: float | None = None

    def __post_init__(self) -> None:
        if self.windows < LEAST_NORMAL_WINDOWS:
            raise DeviceError(
                f"{counted(self.windows, 'window')} are too few to tell what is normal: that takes"
                f" {LEAST_NORMAL_WINDOWS} or more"
            )


@dataclass(frozen=True)
class NormalFound:
    """What came of it.

    at: index of the first sample that it holds for. before, after: what was normal, and is now.
    steps, skipped: of fine-tuning, taken and skipped.
    predicted: how many of the windows watched were taken for which class index (-1 = none).
    unknown: how many of them no class explained. notes: what a person should know.
    """

    at: int
    before: Watch
    after: Watch
    steps: int
    skipped: int
    predicted: Counter[int]
    unknown: int
    notes: tuple[str, ...]


# Told about ten times a second: fine-tuning or not, windows done and in all of that, those later.
Show = Callable[[bool, int, int, int], None]


async def calibrate_normal(
    board: Board,
    plan: NormalPlan,
    *,
    stop: asyncio.Event | None = None,
    show: Show = lambda tuning, done, total, later: None,
    alarm: Callable[[], None] = lambda: None,
) -> NormalFound:
    """Calibrates the board, and returns when that is complete.

    Args:
        board: on a machine that runs as it should all the time.
        plan: what to do.
        stop: set, it ends this at once; within seconds if the board does not answer.
        show: called as it goes on.
        alarm: called if an alarm stands as it begins: what is learned was just called an anomaly.

    Raises:
        StoppedError: `stop` was set; says how the board is left.
        DeviceError: no model, no windows come, somebody else changed the board meanwhile,
            fine-tuning diverged, or the link is cut; says how the board is left.
    """
    if not board.identity.has_model:
        raise DeviceError(NEEDS_MODEL)
    work = _Work(board, plan, stop or asyncio.Event(), show, alarm)
    async with board.stream(predictions=True, changes=True, notices=True) as events:
        return await carry_out(work, events, work.do())


class _Work:
    def __init__(
        self,
        board: Board,
        plan: NormalPlan,
        stop: asyncio.Event,
        show: Show,
        alarm: Callable[[], None],
    ) -> None:
        self._board, self._plan, self._stop, self._show = board, plan, stop, show
        self._alarm = alarm
        self._windows: list[Prediction] = []
        self._began_at: int | None = None  # sample
        self._others: Changed | None = None
        self._told: Notice | None = None
        self._lost = self._running = self._taken_over = False
        self._steps_before: int | None = None

    async def read(self, events: AsyncIterator[Event]) -> None:
        """Gathers what happens. Ends with the link, of which the next request tells."""
        with suppress(TinyOLError):
            async for event in events:
                if isinstance(event, Prediction):
                    self._windows.append(event)
                elif isinstance(event, Lost):
                    self._lost = True
                elif isinstance(event, Notice) and event.kind == NoticeKind.CALIBRATED:
                    self._told = event
                elif isinstance(event, Changed) and not event.own and event.opcode in _SPOIL:
                    self._others = event

    async def do(self) -> NormalFound:
        """All of it."""
        board, plan = self._board, self._plan
        begun = await self._answer(board.info())
        before = await self._answer(board.watch())
        if not plan.fine_tune:
            refuse_if_tuning(begun)
        self._steps_before = begun.reconstruction.applied
        self._told, self._running = None, True
        effect = await self._answer(board.calibrate(plan.windows, plan.fine_tune))
        self._began_at = effect.at
        if effect.alarm_stands:
            self._alarm()
        await self._until_complete()
        self._running, self._taken_over = False, True
        if plan.false_alarms is not None:  # what it learned so far is of no use to another share
            await self._answer(board.set(FALSE_RATE, plan.false_alarms))
        after = await self._answer(board.watch())
        ended = await self._answer(board.info())
        return self._found(begun, ended, before, after)

    def _found(self, begun: Info, ended: Info, before: Watch, after: Watch) -> NormalFound:
        at = self._began_at or 0
        windows = [w for w in self._windows if w.sample_index >= at and not w.fine_tuned]
        windows = windows[: self._plan.windows]
        skipped = skipped_steps(ended) - skipped_steps(begun)
        notes = []
        if windows:
            refuse_if_diverged(windows, skipped_steps(ended))
            errors = [window.tuned_error for window in windows]
            notes = notes_on(windows, errors, math.inf, skipped, begun, ended)
        return NormalFound(
            at=after.at if self._told is None else self._told.last_sample + 1,
            before=before,
            after=after,
            steps=ended.reconstruction.applied - begun.reconstruction.applied,
            skipped=skipped,
            predicted=Counter(window.predicted for window in windows),
            unknown=sum(window.unknown for window in windows),
            notes=tuple(notes),
        )

    async def _until_complete(self) -> None:
        loop, plan = asyncio.get_running_loop(), self._plan
        limit_s = silence_limit_s(self._board.identity)
        then = await self._answer(self._board.info())
        since, seen = loop.time(), -1
        while True:
            asked = loop.time()
            now = await self._answer(self._board.watch())
            since += loop.time() - asked  # a link that is cut says nothing of the windows
            await asyncio.sleep(0)  # what came before this reply is read now
            if self._others is not None:
                raise DeviceError(
                    f"somebody else {_SPOIL[Opcode(self._others.opcode)]} meanwhile: begin again"
                )
            steps, left = now.calibration_steps_left, now.calibration_windows_left
            if left == 0:
                if self._told is None and not self._lost:
                    raise DeviceError(self._why_ended())
                return
            if self._stop.is_set():
                raise StoppedError("stopped")
            if steps:
                self._show(True, plan.fine_tune - steps, plan.fine_tune, plan.windows)
            else:
                self._show(False, plan.windows - left, plan.windows, 0)
            if steps + left != seen:
                since, seen = loop.time(), steps + left
                then = await self._answer(self._board.info())
            elif loop.time() - since > limit_s:
                info = await self._answer(self._board.info())
                why = why_none(self._board.identity, then, info)
                raise DeviceError(f"no window for {limit_s:.3g} s: {why}")
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _POLL_S)

    def _why_ended(self) -> str:
        began_at = self._began_at or 0
        if any(w.log_variance < _SILENT for w in self._windows if w.sample_index >= began_at):
            return "the sensor's values do not move, so the board has ended it"
        return "the board has ended it by itself: begin again"

    async def _answer(self, request: Coroutine[Any, Any, T]) -> T:
        return await reply_or_stop(request, self._stop)

    async def end(self) -> None:
        """Ends it on the board, if this began it and the board is there."""
        if self._running:
            await finish(self._end())

    async def _end(self) -> None:
        await self._board.calibrate(0)
        self._running = False

    async def leave(self, error: TinyOLError) -> str:
        """Puts the board in order after an error, and says in what state it is."""
        if isinstance(error, RebootedError):
            return "it is now as it was saved last: begin again"
        if self._taken_over:
            return "what is normal was replaced all the same"
        if not isinstance(error, LinkError):
            await self.end()
        if self._running:
            return (
                "the board goes on by itself until it has seen"
                f" {counted(self._plan.fine_tune + self._plan.windows, 'window')}, unless told"
                " `tinyol calibrate --stop`"
            )
        text = "what was normal before still stands"
        if not self._plan.fine_tune or self._steps_before is None:
            return text
        with suppress(TinyOLError, asyncio.TimeoutError):
            info = await within(self._board.info(), LIMIT_S)
            taken = info.reconstruction.applied - self._steps_before
            if taken >= 0:  # else somebody has reset it
                return f"{text}; {counted(taken, 'fine-tuning step')} of it stay"
        return text
