"""Samples and commands in the order in which a device gets them, and a twin that is given them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    Command,
    FineTune,
    Label,
    SetSetting,
    Undo,
    apply_to_twin,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.fine_tune_end import find_fine_tune_end
from tinyol_sim.fine_tune_start import find_fine_tune_start
from tinyol_sim.recordings import Recording
from tinyol_sim.replay import LEARN
from tinyol_sim.twin import Twin, Windows

_PIECE = 1000  # samples between two calls of `progress`

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Piece:
    """Samples `first` to `stop` - 1 without anything between them.

    commands come before the first sample, then a gap if `gap`.
    """

    first: int
    stop: int
    commands: tuple[Command, ...]
    gap: bool


@dataclass(frozen=True, eq=False)
class Script:
    """What a device is given.

    samples: (n, 3) float32, g.
    gaps: (g,) int64, sorted, 0 <= i < n: sample i does not follow the one before it.
    steps: (index, command) in order: before sample `index`, 0 to n, and before a gap there.

    Raises DeviceError if they do not fit together.
    """

    samples: NDArray[np.float32]
    gaps: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    steps: tuple[tuple[int, Command], ...] = ()

    def __post_init__(self) -> None:
        n = len(self.samples)
        indices = [index for index, _ in self.steps]
        if indices != sorted(indices) or (indices and not 0 <= indices[0] <= indices[-1] <= n):
            raise DeviceError(f"a script's steps must be in order, at indices from 0 to {n}")
        gaps = np.asarray(self.gaps, np.int64)
        if len(gaps) and (np.any(np.diff(gaps) <= 0) or gaps[0] < 0 or gaps[-1] >= n):
            raise DeviceError(f"a script's gaps must increase and lie from 0 to {n - 1}")
        object.__setattr__(self, "gaps", gaps)

    def pieces(self, most: int = _PIECE) -> Iterator[Piece]:
        """The script in pieces of at most `most` samples; the last one may have none."""
        n = len(self.samples)
        at: dict[int, list[Command]] = {}
        for index, command in self.steps:
            at.setdefault(index, []).append(command)
        gaps = set(self.gaps.tolist())
        cuts = sorted({0, *range(0, n, most), *at, *gaps, n})
        for first, stop in pairwise([*cuts, n] if n in at else cuts):
            yield Piece(first, stop, tuple(at.get(first, ())), first in gaps)


def script_of(
    stream: Recording,
    *,
    learn: bool = True,
    fine_tune: int | None = None,
    calibrate: int | None = None,
    fine_tune_from: str = "auto",
    lengths: Sequence[int] = (),
    known: Sequence[str] = (),
    settings: Mapping[str, float] | None = None,
) -> Script:
    """A recording with its labels as the commands of a person, as `replay` understands a Plan.

    Args:
        stream: the recordings as one. lengths: samples of each, for "recording:N".
        learn: each label becomes a class at its first sample, and labelled windows are lessons;
            else labels only score the classes that the device knows.
        fine_tune: the first so many windows from fine_tune_from on take a step each; it ends
            early where another class begins.
        calibrate: behind them so many windows say anew what is normal; it ends as fine-tuning.
        known: the classes of the device at the start.
        settings: turned before the first sample.

    Raises:
        RecordingError: no such place to begin fine-tuning at.
    """
    at: dict[int, list[Command]] = {0: []}
    at[0] += [SetSetting(name, value) for name, value in (settings or {}).items()]
    at[0].append(SetSetting(LEARN, float(learn)))
    changes = [0, *(np.flatnonzero(np.diff(stream.labels)) + 1).tolist()]
    usable = set(known)
    if learn:
        for index in changes:
            name = _label_at(stream, index)
            if name is not None and name not in usable:
                usable.add(name)
                at.setdefault(index, []).append(AddClass(name))
    if fine_tune or calibrate:
        start = find_fine_tune_start(fine_tune_from, stream, lengths)
        end = find_fine_tune_end(stream, start.sample)
        begin = Calibrate(calibrate, fine_tune or 0) if calibrate else FineTune(fine_tune)
        at.setdefault(start.sample, []).append(begin)
        if end is not None:
            at.setdefault(end.sample, []).append(FineTune(0))
            if calibrate:
                at[end.sample].append(Calibrate(0))
    current: str | None = None
    for index in changes:
        name = _label_at(stream, index)
        name = name if name in usable else None
        if name != current:
            at.setdefault(index, []).append(Label(name))
        current = name
    steps = tuple((index, command) for index in sorted(at) for command in at[index])
    return Script(stream.samples, stream.gaps, steps)


class UpdateCount:
    """Steps that both layers of a twin take, from here on; a reset or undo in between costs none.

    look() must be called before and after each reset, pass_over() after each undo.
    """

    def __init__(self, twin: Twin) -> None:
        self.updates = 0
        self._twin = twin
        self._last = self._now()

    def look(self) -> None:
        """Adds the steps since the last look."""
        now = self._now()
        self.updates += sum(
            new - old if new >= old else 0  # after a reset they begin anew
            for new, old in zip(now, self._last, strict=True)
        )
        self._last = now

    def pass_over(self) -> None:
        """The steps since the last look were not taken: an undo put others in their place."""
        self._last = self._now()

    def _now(self) -> tuple[int, int]:
        counters = self._twin.counters()
        return counters["classifier_steps"], counters["reconstruction_steps"]


@dataclass(frozen=True, eq=False)
class Life:
    """What became of a script.

    windows: every one, in order. updates: steps that both layers took, late lessons included.
    """

    windows: Windows
    updates: int


def live_on_twin(twin: Twin, script: Script, progress: Progress | None = None) -> Life:
    """Gives the twin all of the script.

    progress: called with samples done and samples in all, after each piece.
    Raises DeviceError if the twin refuses a command; what came before it stays done.
    """
    n = len(script.samples)
    windows, count = [], UpdateCount(twin)
    for piece in script.pieces():
        for command in piece.commands:
            apply_to_twin(command, twin)
            if isinstance(command, Undo):
                count.pass_over()
            count.look()
        gaps = [0] if piece.gap else []
        windows.append(twin.feed(script.samples[piece.first : piece.stop], gaps=gaps))
        count.look()
        if progress is not None:
            progress(piece.stop, n)
    return Life(Windows.join(windows or [twin.feed(script.samples[:0])]), count.updates)


def run_on_twin(twin: Twin, script: Script, progress: Progress | None = None) -> Windows:
    """As live_on_twin(); the windows alone."""
    return live_on_twin(twin, script, progress).windows


def _label_at(stream: Recording, index: int) -> str | None:
    label = int(stream.labels[index]) if index < len(stream.labels) else -1
    return None if label < 0 else stream.label_names[label]
