"""Fits a board to the machine that it is on, while that runs as it should.

First the last layer is fine-tuned, then so many windows are watched, and `anomaly.threshold` is
set from their errors (threshold_rule.py).

The error is the one that the alarm is compared with: the fine-tuned layer's, which is the frozen
net's where nothing was fine-tuned (learner.cpp).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from tinyol_host.board import Board
from tinyol_host.calibration_outcome import (
    Calibration,
    notes_on,
    refuse_if_diverged,
    refuse_if_tuning,
    skipped_steps,
    stretch_of,
)
from tinyol_host.clean_up import LIMIT_S, finish
from tinyol_host.errors import LinkError, RebootedError
from tinyol_host.events import Changed, Event, Prediction
from tinyol_host.link import within
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Info
from tinyol_host.reply_or_stop import StoppedError, reply_or_stop
from tinyol_host.silence import silence_limit_s, why_none
from tinyol_host.threshold_rule import enough_windows, likely_share, rank_of, windows_needed
from tinyol_host.watched_work import carry_out
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError, TinyOLError

THRESHOLD = "anomaly.threshold"
LEAST_SHARE = 1e-5

_POLL_S = 0.1
_FIRST = 20  # windows, for the error before a second fine-tuning
_SPOIL = {
    Opcode.RESET: "reset the board",
    Opcode.UNDO: "took back a lesson",
    Opcode.IMAGE_COMMIT: "gave it another state",
    Opcode.FINE_TUNE: "turned its fine-tuning",
    Opcode.SETTING_SET: "turned a setting",
    Opcode.SESSION_BEGIN: "began to record a session",
}


T = TypeVar("T")


class Phase(Enum):
    """What calibrate() is at."""

    FINE_TUNING = "fine-tuning"
    WATCHING = "watching"


@dataclass(frozen=True)
class Plan:
    """What is to be done: fine-tuning steps (0 = none), windows to watch, share of false alarms.

    Raises DeviceError where so few windows do not tell the threshold.
    """

    fine_tune: int
    windows: int
    false_alarms: float

    def __post_init__(self) -> None:
        if not LEAST_SHARE <= self.false_alarms < 1:
            raise DeviceError(
                f"a share of false alarms is from {LEAST_SHARE:g} to below 1, not"
                f" {self.false_alarms:g}"
            )
        least = windows_needed(self.false_alarms)
        if self.windows < least:
            raise DeviceError(
                f"{counted(self.windows, 'window')} cannot tell above which error"
                f" {self.false_alarms:.3g} of them lie: that takes {least:,} or more, better"
                f" {enough_windows(self.false_alarms):,}"
            )

    @property
    def rank(self) -> int:
        """The threshold is the rank-th largest error."""
        return rank_of(self.windows, self.false_alarms)


# Told about ten times a second: the phase, windows done and in all of it, those of later phases,
# and the errors of its windows so far.
Show = Callable[[Phase, int, int, int, Sequence[float]], None]


def expected_s(board: Board, plan: Plan) -> float:
    """How long it takes at the model's pace; DeviceError if the board runs no model."""
    identity = board.identity
    if not identity.window_len:
        raise DeviceError("the board runs no model, so there is nothing to calibrate")
    return (plan.fine_tune + plan.windows) * identity.hop / identity.rate_hz


async def calibrate(
    board: Board,
    plan: Plan,
    *,
    stop: asyncio.Event | None = None,
    show: Show = lambda phase, done, total, later, errors: None,
    alarm: Callable[[], None] = lambda: None,
) -> Calibration:
    """Fine-tunes, watches, and sets the threshold.

    Nothing but the threshold and what fine-tuning moves is changed; the threshold at the very end.

    Args:
        board: on a machine that runs as it should all the time.
        plan: what to do.
        stop: set, it ends this at once; within seconds if the board does not answer.
        show: called as it goes on.
        alarm: called if an alarm stands as it begins: what is learned was just called an anomaly.

    Raises:
        StoppedError: `stop` was set. Fine-tuning is stopped, the threshold as it was, unless the
            board does not answer; says how the board is left.
        DeviceError: no model, no windows come, somebody else changed the board meanwhile, or the
            link is cut; says how the board is left.
    """
    expected_s(board, plan)
    work = _Work(board, plan, stop or asyncio.Event(), show, alarm)
    begun = await work.begin()
    async with board.stream(predictions=True, changes=True) as events:
        return await carry_out(work, events, work.do(begun))


class _Work:
    def __init__(
        self,
        board: Board,
        plan: Plan,
        stop: asyncio.Event,
        show: Show,
        alarm: Callable[[], None],
    ) -> None:
        self._board, self._plan, self._stop, self._show = board, plan, stop, show
        self._alarm = alarm
        self._windows: list[Prediction] = []  # of this phase
        self._first_window = 0  # no window before it counts
        self._others: Changed | None = None
        self._tuning = self._setting = False
        self._threshold = 0.0  # as it was
        self._steps_before = 0

    async def read(self, events: AsyncIterator[Event]) -> None:
        """Gathers what happens. Ends with the link, of which the next request tells."""
        with suppress(TinyOLError):
            async for event in events:
                if isinstance(event, Prediction) and event.window_index >= self._first_window:
                    self._windows.append(event)
                elif isinstance(event, Changed) and not event.own and event.opcode in _SPOIL:
                    self._others = event

    async def begin(self) -> Info:
        """Looks how the board is; changes nothing."""
        self._threshold = (await self._answer(self._board.settings()))[THRESHOLD]
        begun = await self._answer(self._board.info())
        self._steps_before = begun.reconstruction.applied
        if not self._plan.fine_tune:
            refuse_if_tuning(begun)
        return begun

    async def do(self, begun: Info) -> Calibration:
        """All of it."""
        board, plan = self._board, self._plan
        first = await self._fine_tune() if plan.fine_tune else []
        tuned = await self._next_phase()
        ended = await self._until(
            Phase.WATCHING, lambda info: len(self._windows) >= plan.windows, plan.windows, 0
        )
        if ended.reconstruction != tuned.reconstruction:  # and the news of it was lost
            raise DeviceError("somebody else changed the fine-tuned layer meanwhile: begin again")
        windows = self._windows[: plan.windows]
        errors = [window.tuned_error for window in windows]
        threshold = sorted(errors)[-plan.rank]
        if max(errors) == min(errors):
            raise DeviceError(
                f"all {counted(plan.windows, 'window')} have the same error, {threshold:.4g}: the"
                " sensor's values do not move"
            )
        refuse_if_diverged(windows, skipped_steps(ended))
        self._setting = True
        effect = await self._answer(board.set(THRESHOLD, threshold))

        frozen = begun.reconstruction.applied == 0
        if plan.fine_tune and frozen:
            before = [window.error for window in windows]
        else:
            before = [window.tuned_error for window in first]
        skipped = skipped_steps(tuned) - skipped_steps(begun)
        identity = board.identity
        return Calibration(
            at=effect.at,
            steps=tuned.reconstruction.applied - begun.reconstruction.applied,
            skipped=skipped,
            frozen=frozen,
            before=stretch_of(before, self._threshold) if before else None,
            tuned=stretch_of(errors, self._threshold),
            after=stretch_of(errors, threshold),
            expected=plan.rank / (plan.windows + 1),
            likely=likely_share(plan.rank, plan.windows, identity.window_len / identity.hop),
            notes=tuple(notes_on(windows, errors, threshold, skipped, begun, ended)),
        )

    async def _fine_tune(self) -> list[Prediction]:
        """The first windows of it, each judged before it was learned from."""
        n = self._plan.fine_tune
        await self._next_phase()
        self._tuning = True
        if (await self._answer(self._board.fine_tune(n))).alarm_stands:
            self._alarm()
        await self._until(
            Phase.FINE_TUNING, lambda info: info.fine_tune_left == 0, n, self._plan.windows
        )
        self._tuning = False
        return [window for window in self._windows if window.fine_tuned][:_FIRST]

    async def _next_phase(self) -> Info:
        info = await self._answer(self._board.info())
        self._first_window, self._windows = info.windows, []
        return info

    async def _until(
        self, phase: Phase, ended: Callable[[Info], bool], total: int, later: int
    ) -> Info:
        loop, identity = asyncio.get_running_loop(), self._board.identity
        limit_s = silence_limit_s(identity)
        then = await self._answer(self._board.info())
        since, seen = loop.time(), 0
        while True:
            asked = loop.time()
            info = await self._answer(self._board.info())
            since += loop.time() - asked  # a link that is cut says nothing of the windows
            await asyncio.sleep(0)  # what came before this reply is read now
            if self._others is not None:
                raise DeviceError(
                    f"somebody else {_SPOIL[Opcode(self._others.opcode)]} meanwhile: begin again"
                )
            done = len(self._windows)
            self._show(
                phase, min(done, total), total, later, [w.tuned_error for w in self._windows]
            )
            if ended(info):
                return info
            if self._stop.is_set():
                raise StoppedError("stopped")
            if done != seen:
                since, seen, then = loop.time(), done, info
            elif loop.time() - since > limit_s:
                raise DeviceError(
                    f"no window for {limit_s:.3g} s: {why_none(identity, then, info)}"
                )
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _POLL_S)

    async def _answer(self, request: Coroutine[Any, Any, T]) -> T:
        return await reply_or_stop(request, self._stop)

    async def end(self) -> None:
        """If this began it, and the board is there."""
        if self._tuning:
            await finish(self._stop_fine_tuning())

    async def _stop_fine_tuning(self) -> None:
        await self._board.fine_tune(0)
        self._tuning = False

    async def leave(self, error: TinyOLError) -> str:
        """Puts the board in order after an error, and says in what state it is."""
        if isinstance(error, RebootedError):
            return "it is now as it was saved last: begin again"
        if not isinstance(error, LinkError):
            await self.end()
        text = f"{THRESHOLD} is as it was, {self._threshold:.4g}"
        if self._setting:
            text = f"{THRESHOLD} was just being set: `tinyol set {THRESHOLD}` shows which it is"
        if self._tuning:
            return (
                f"{text}; the board goes on by itself until it has taken its"
                f" {counted(self._plan.fine_tune, 'fine-tuning step')}, unless told `tinyol"
                " fine-tune off`"
            )
        if not self._plan.fine_tune:
            return text
        if isinstance(error, LinkError):
            return f"{text}; fine-tuning is off"
        try:
            info = await within(self._board.info(), LIMIT_S)
        except (TinyOLError, asyncio.TimeoutError):
            return f"{text}; fine-tuning is off"
        taken = info.reconstruction.applied - self._steps_before
        if taken < 0:  # somebody's reset
            return f"{text}; fine-tuning is off"
        return f"{text}; fine-tuning is off, {counted(taken, 'step')} of it stay"
