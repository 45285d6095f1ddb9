"""Folds a board's events into what was recorded: samples, gaps, commands, and what got lost.

Samples, Changed, Lost  ->  Recorder  ->  Recording (for people) or SessionRecord (for the twin)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_host.events import Changed, Event, Lost, Samples
from tinyol_host.label_column import WindowPlan, label_column
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Identity
from tinyol_host.session_gaps import counter_in, gaps_until
from tinyol_host.told_classes import ToldClasses
from tinyol_host.wire_commands import command_of
from tinyol_sim.commands import Command, Gap, Label, Reset, Undo
from tinyol_sim.counted import counted
from tinyol_sim.recordings import Recording
from tinyol_sim.session_record import SessionRecord

_MOST_PROBLEMS = 20  # one is enough to make a session worthless
MAX_SAMPLE_G = 1e4  # the device refuses what is larger (windower.h)
_FEEDING = (Opcode.FEED_BEGIN, Opcode.FEED_END)
_UNSAYABLE: dict[int, str] = {
    Opcode.IMAGE_COMMIT: "another host put in a state image",
    Opcode.SESSION_BEGIN: "another host began a session",
}


@dataclass(frozen=True)
class _Step:
    """A command before sample `index` of the recording.

    told: the device told of it; else it was found out otherwise. own: this link gave it.
    """

    index: int
    command: Command
    told: bool = False
    own: bool = False


class Recorder:
    """What a board was given, as it tells it.

    A sample's index in the recording counts from 0; a device's own index counts on from the
    device's past, and anew after a reset. Nothing is known until begin(); it may be called again.

    Attributes:
        n_samples: recorded so far.
        session_at: the device's index of the sample where this link began a session.
        lost_samples: that the device took and that never came here, as far as can be told.
        lost_events: of any kind, as far as can be told.
        others: commands of other links.
        stale: something got lost, or the whole state was replaced: call known() with the device's
            classes and label as they now are.
        problems: why the record does not say all that the device learned from; empty if it does.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        # Without a model there are no windows: a label holds for samples.
        plan = (identity.window_len, identity.hop) if identity.has_model else (1, 1)
        self._plan = WindowPlan(*plan)
        self._classes = ToldClasses()
        self.session_at: int | None = None
        self._forget(None)

    def _forget(self, at: int | None) -> None:
        self._parts: list[NDArray[np.float32]] = []
        self._gaps: list[tuple[int, int]] = []  # (index, how many) that the device counted
        self._untold_gaps = 0  # that FEED_BEGIN and FEED_END made since the last sample
        self._breaks: list[int] = []  # indices where a sample does not follow the one before
        self._restarts: list[int] = []  # indices where the device's window began anew
        self._steps: list[_Step] = []
        self._next = at  # the device's index of the next sample; None = whatever comes
        self._refused: list[int] = []  # indices of samples that the device refused
        self.n_samples = self.lost_samples = self.lost_events = self.others = 0
        self.stale = False
        self.problems: list[str] = []

    def begin(
        self,
        at: int,
        classes: Sequence[str],
        label: str | None = None,
        left: int | None = None,
        *,
        own: bool = False,
    ) -> None:
        """Recording begins at the device's sample `at`: what was taken before is forgotten.

        classes, label, left: as they are there; left: windows that the label still holds for,
        None = until it is changed; own: it was given by this link.
        """
        samples = self._joined()
        early = min(len(samples), max(0, self.next_index - at))
        self._forget(at)
        self.known(classes, label, left, own=own)
        self._append(samples[len(samples) - early :])

    def known(
        self,
        classes: Sequence[str],
        label: str | None = None,
        left: int | None = None,
        *,
        own: bool = False,
    ) -> None:
        """The device's classes and label, as they are from the next sample on: see begin()."""
        self._classes = ToldClasses(classes)
        self._steps.append(_Step(self.n_samples, Label(label, left), own=own))
        self.stale = False

    def take(self, event: Event) -> Command | None:
        """One event after the other. Returns the command that it told of, if it was one."""
        if isinstance(event, Samples):
            self._take_samples(event)
        elif isinstance(event, Changed):
            return self._take_change(event)
        elif isinstance(event, Lost):
            self.lost_events += event.count
            self.stale = True
            self._problem("events were lost", self.n_samples)
        return None

    # --- what is known so far ------------------------------------------------------------

    @property
    def next_index(self) -> int:
        """The device's index of the sample that is due next."""
        return self._next or 0

    @property
    def duration_s(self) -> float:
        """Seconds since the beginning, those of lost samples included."""
        return (self.n_samples + self.lost_samples) / self._identity.rate_hz

    @property
    def refused_samples(self) -> int:
        """Samples, of those recorded, that the device refused: not finite, or beyond any sense."""
        return len(self._refused)

    @property
    def n_gaps(self) -> int:
        """Places where a sample does not follow the one before it."""
        return len({index for index in self._breaks if 0 < index < self.n_samples})

    @property
    def own_label(self) -> str | None:
        """The class that this link labels with until it is changed; None if it does not."""
        for step in reversed(self._steps):
            command = step.command
            if isinstance(command, Label):
                return command.name if step.own and command.windows is None else None
            if isinstance(command, Reset | Undo):
                return None
        return None

    def index_of(self, at: int) -> int:
        """The recording's index of the sample that has the index `at` on the device."""
        return max(0, self.n_samples + at - self.next_index)

    # --- what comes of it ----------------------------------------------------------------

    def to_recording(self, name: str, stop: int | None = None) -> Recording:
        """The first `stop` samples (None = all), labelled; what is not finite is left out.

        Where a sample is left out, or samples were lost, is a gap.
        """
        samples = self._joined()[:stop]
        labels, names = self._labels(len(samples))
        finite = np.isfinite(samples).all(axis=1)
        kept_before = np.concatenate([[0], np.cumsum(finite)])
        breaks = np.array([i for i in self._breaks if i <= len(samples)], np.int64)
        gaps = np.unique(kept_before[breaks])
        n = int(finite.sum())
        return Recording(
            samples=samples[finite],
            rate_hz=self._identity.rate_hz,
            labels=labels[finite],
            label_names=names,
            gaps=gaps[(gaps > 0) & (gaps < n)],
            name=name,
        )

    def to_session(
        self, start: bytes, end: bytes | None, meta: dict[str, Any] | None = None
    ) -> SessionRecord:
        """All up to the end image, or all that there is without one.

        Args:
            start: the state image that SESSION_BEGIN made.
            end: the device's own at the end; None if it could not be had.
            meta: what else to keep.
        """
        samples, problems = self._joined(), list(self.problems)
        n = len(samples)
        gaps = [*self._gaps, (n, self._untold_gaps)]
        if end is None:
            problems.append("there is no state image from the end")
        else:
            n = self.index_of(counter_in(end, "samples"))
            if n > len(samples):
                problems.append(f"the last {counted(n - len(samples), 'sample')} did not come")
                n = len(samples)
            resets = [s.index for s in self._steps if isinstance(s.command, Reset)]
            gaps = gaps_until(n, len(samples), gaps, resets, self._refused, start, end)
        steps = [step for step in self._steps if step.told and step.index <= n]
        commands = [(step.index, step.command) for step in steps]
        for index, count in gaps:  # one of those before a sample has its place among the gaps
            commands += [(index, Gap())] * (count - (index < n))
        labels, names = self._labels(n)
        return SessionRecord(
            model_id=self._identity.model_id,
            board=self._identity.board,
            rate_hz=self._identity.rate_hz,
            start=start,
            end=end or b"",
            samples=samples[:n],
            gaps=np.array(sorted({index for index, _ in gaps if index < n}), np.int64),
            commands=tuple(sorted(commands, key=lambda entry: entry[0])),
            labels=labels,
            label_names=names,
            lost=tuple(problems),
            meta=meta or {},
        )

    # --- events --------------------------------------------------------------------------

    def _take_samples(self, event: Samples) -> None:
        samples, first = event.samples, event.first
        due = first if self._next is None else self._next
        if first < due and not self.n_samples:  # some were taken before the recording began
            samples, first = samples[due - first :], due
        if first > due:
            lost = counted(first - due, "sample")
            self.lost_samples += first - due
            self._interrupted(f"{lost} got lost")
            self._steps = [self._no_later(step) for step in self._steps]
        elif first < due:
            self._interrupted("the device restarted")
        if event.gap and len(samples) == len(event.samples):
            self._gaps.append((self.n_samples, max(event.gaps, int(event.gap), self._untold_gaps)))
            self._breaks.append(self.n_samples)
            self._restarts.append(self.n_samples)
        self._untold_gaps = 0
        self._next = first
        self._append(samples)

    def _append(self, samples: NDArray[np.float32]) -> None:
        for row in np.flatnonzero(~(np.abs(samples) <= MAX_SAMPLE_G).all(axis=1)).tolist():
            index = self.n_samples + row
            self._refused.append(index)
            self._restarts.append(index + 1)
            if not np.isfinite(samples[row]).all():
                self._breaks.append(index + 1)
        self._parts.append(samples)
        self.n_samples += len(samples)
        self._next = self.next_index + len(samples)

    def _take_change(self, event: Changed) -> Command | None:
        if event.opcode in _FEEDING:
            self._untold_gaps += 1
            return None
        if event.opcode == Opcode.SESSION_BEGIN and event.own:
            self._forget(event.at)
            self._untold_gaps = 1
            self.session_at = event.at
            self._classes.forget_undo()
            return None
        self.others += not event.own
        command = command_of(event.opcode, event.payload, self._classes.names)
        index = self.index_of(event.at)
        if command is None or isinstance(command, Reset | Undo):
            self._restarts.append(index := self.n_samples)
        if command is None:
            self._problem(_UNSAYABLE.get(event.opcode, "a change could not be understood"), index)
            self._steps.append(_Step(index, Label(None)))
            self._classes.forget_undo()
            self.stale = True
        else:
            self._steps.append(_Step(index, command, told=True, own=event.own))
            self._follow(command, event.at)
        if event.opcode in (Opcode.RESET, Opcode.IMAGE_COMMIT):
            self._next = event.at  # the device counts on from the image, or from 0
            self._untold_gaps = 0
        elif event.opcode == Opcode.SESSION_BEGIN:
            self._untold_gaps += 1
        return command

    def _follow(self, command: Command, at: int) -> None:
        taken_back = self._classes.take(command)
        if isinstance(command, Undo):
            self.stale |= taken_back is None
            if taken_back is None or isinstance(taken_back, Reset):
                self._next = at  # the device counts on from before the reset

    # --- small things --------------------------------------------------------------------

    def _interrupted(self, what: str) -> None:
        self._problem(what, self.n_samples)
        self._breaks.append(self.n_samples)
        self._restarts.append(self.n_samples)
        self.stale = True

    def _problem(self, what: str, index: int) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"{what} before sample {index:,}")

    def _no_later(self, step: _Step) -> _Step:
        return replace(step, index=min(step.index, self.n_samples))

    def _joined(self) -> NDArray[np.float32]:
        if len(self._parts) != 1:
            empty = np.empty((0, 3), np.float32)
            self._parts = [np.concatenate([empty, *self._parts])]
        return self._parts[0]

    def _labels(self, n: int) -> tuple[NDArray[np.int16], tuple[str, ...]]:
        steps = [(step.index, step.command) for step in self._steps]
        return label_column(n, steps, sorted(self._restarts), self._plan)
