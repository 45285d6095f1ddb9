"""What labelling commands mean for each sample: the label column of a recording.

A label holds for windows. One that was given for N windows holds, in samples, up to the end of
the Nth window that began after it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.commands import (
    Command,
    Gap,
    Label,
    LabelBack,
    RemoveClass,
    RenameClass,
    Reset,
    Undo,
    undoable,
)
from tinyol_sim.recording_formats.labels import MAX_CLASS_NAME_BYTES, class_name_problem
from tinyol_sim.text import printable


@dataclass(frozen=True)
class WindowPlan:
    """Samples a window, and from the start of one to the start of the next."""

    window_len: int
    hop: int

    def end_of(self, start: int, windows: int, restarts: Sequence[int], stop: int) -> int:
        """Index behind the last sample of the Nth window whose samples are all from `start` on.

        Args:
            start: index of a sample.
            windows: N, 1 or more.
            restarts: rising indices of the samples at which a window began anew; before the first
                of them, one is taken to begin at `start`.
            stop: returned if there are fewer windows before it.
        """
        before = [index for index in restarts if index <= start]
        begins = [before[-1] if before else start, *(r for r in restarts if r > start)]
        for begin, end in zip(begins, [*begins[1:], stop], strict=True):
            first = begin + max(0, math.ceil((start - begin) / self.hop)) * self.hop
            fit = (end - first - self.window_len) // self.hop + 1
            if windows <= fit:
                return first + (windows - 1) * self.hop + self.window_len
            windows -= max(0, fit)
        return stop

    def last_before(self, stop: int, windows: int, restarts: Sequence[int]) -> tuple[int, int]:
        """First sample of the last N windows that were complete at `stop`, and the one behind
        them; where there was a restart meanwhile, as if there had been none.
        """
        begin = max((index for index in restarts if index <= stop), default=None)
        end = stop
        if begin is not None:
            end -= max(0, stop - begin - self.window_len) % self.hop
        return max(0, end - self.window_len - (windows - 1) * self.hop), end


def label_column(
    n: int,
    steps: Sequence[tuple[int, Command]],
    restarts: Sequence[int],
    plan: WindowPlan,
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Labels (n,), -1 = none, and the names that they index, in the order in which they occur.

    Args:
        n: samples.
        steps: (index, command) in order; those that are not about labels change nothing, nor does
            a label that an Undo takes back.
        restarts: rising indices of samples before which the window began anew, see `end_of`.
        plan: the model's windows.
    """
    labels = np.full(n, -1, np.int16)
    names: dict[str, int] = {}
    shown: dict[str, str] = {}  # how a recording calls a device's class
    name: str | None = None
    start, end = 0, 0

    def index_of(name: str) -> int:
        text = shown.setdefault(name, _storable(name, list(names)))
        return names.setdefault(text, len(names))

    def fill(stop: int) -> None:
        stop = min(stop, end, n)
        if name is not None and start < stop:
            labels[start:stop] = index_of(name)

    for index, command in _not_taken_back(steps):
        if isinstance(command, Label):
            fill(index)
            name, start, end = command.name, index, n
            if command.windows is not None:
                end = index
                if command.windows:
                    end = plan.end_of(index, command.windows, restarts, n)
        elif isinstance(command, LabelBack):
            fill(index)
            start = index
            part = labels[slice(*plan.last_before(min(index, n), command.windows, restarts))]
            if np.any(part < 0):
                part[part < 0] = index_of(command.name)
        elif isinstance(command, RenameClass) and command.old == name:
            fill(index)
            name, start = command.new, index
        elif isinstance(command, Reset | Undo) or (
            isinstance(command, RemoveClass) and command.name == name
        ):
            fill(index)
            name = None
    fill(n)
    return labels, tuple(names)


def _not_taken_back(steps: Sequence[tuple[int, Command]]) -> list[tuple[int, Command]]:
    kept, last = list(steps), -1  # the place of the step that the next Undo takes back
    for place, (_, command) in enumerate(steps):
        if undoable(command):
            last = place
        elif isinstance(command, Undo):
            if last >= 0 and isinstance(steps[last][1], Label):
                kept[last] = steps[last][0], Label(None)
            elif last >= 0 and isinstance(steps[last][1], LabelBack):
                kept[last] = steps[last][0], Gap()  # means nothing here
            last = -1
    return kept


def _storable(name: str, taken: Collection[str]) -> str:
    """The name, or what comes closest to it among those that a recording may hold."""
    if class_name_problem(name) is None:
        return name
    escaped = printable(name).replace("\n", " ").strip().encode()
    for number in range(len(taken) + 2):
        end = str(number) if number else ""
        head = escaped[: MAX_CLASS_NAME_BYTES - len(end)].decode("utf-8", "ignore").strip()
        if head + end not in taken and class_name_problem(head + end) is None:
            return head + end
    return "class"
