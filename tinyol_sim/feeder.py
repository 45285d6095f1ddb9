"""Feeds a stream to a twin piece by piece, with what happens between two samples in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.fine_tune_end import FineTuneEnd
from tinyol_sim.fine_tune_start import FineTuneStart
from tinyol_sim.recording_stream import RecordingStream
from tinyol_sim.twin import Twin, Windows
from tinyol_sim.window_block import WindowBlock

if TYPE_CHECKING:
    from tinyol_sim.replay import Plan

Progress = Callable[[int, int], None]
MAX_CHUNK = 1 << 16  # samples fed at a time, whatever Plan.chunk_s says: at hop 1 each is a window


class Feeder:
    """One replay's way through its stream.

    class_names: the device's classes as they will be at the end, then labels that it has no class
    for. feed_s: seconds that the device computed. left_at_end: windows of fine-tuning and of
    calibrating that `end` cut off.
    """

    def __init__(
        self,
        twin: Twin,
        stream: RecordingStream,
        plan: Plan,
        start: FineTuneStart | None,
        end: FineTuneEnd | None,
    ) -> None:
        self.feed_s = 0.0
        self.left_at_end = (0, 0)
        self._twin, self._stream, self._plan = twin, stream, plan
        self._start, self._end = start, end
        known, before = twin.classes, twin.counters()
        names = stream.label_names
        first = stream.label_runs.first_samples()
        self._first = {sample: label for label, sample in first.items()}
        self.class_names = (*known, *(names[i] for i in first if names[i] not in known))
        # Each label's class on the device, -1 = none yet, and its place in class_names.
        self._class_of = np.full(len(names) + 1, -1, np.int16)
        self._truth_of = np.full(len(names) + 1, -1, np.int16)
        for i in first:
            self._truth_of[i] = self.class_names.index(names[i])
            if names[i] in known:
                self._class_of[i] = known.index(names[i])
        self._samples_before = before["samples"]
        self._steps = before["reconstruction_steps"]
        self._window_len = 0

    def feed(self, window_len: int, progress: Progress | None) -> Iterator[WindowBlock]:
        """All windows of the stream, in order; a block may be empty."""
        self._window_len = window_len
        n = self._stream.n_samples
        chunk = max(1, min(MAX_CHUNK, round(self._plan.chunk_s * self._stream.rate_hz)))
        events = np.array(sorted({*self._first, *self._places()}), np.int64)
        offset = 0
        for samples in self._stream.pieces():
            stop = offset + len(samples)
            inside = events[(events > offset) & (events < stop)].tolist()
            cuts = {offset, *range(offset - offset % chunk + chunk, stop, chunk), *inside, stop}
            for first, last in pairwise(sorted(cuts)):
                self._before(first)
                yield self._block(samples[first - offset : last - offset], first, last)
                if progress is not None:
                    progress(last, n)
            offset = stop

    def _places(self) -> list[int]:
        return [place.sample for place in (self._start, self._end) if place is not None]

    def _before(self, sample: int) -> None:
        """What a person does just before this sample."""
        label = self._first.get(sample)
        if label is not None and self._plan.learn and self._class_of[label] < 0:
            self._class_of[label] = self._twin.add_class(self._stream.label_names[label])
        if self._start is not None and sample == self._start.sample:
            if self._plan.calibrate:
                self._twin.calibrate(self._plan.calibrate, self._plan.fine_tune or 0)
            else:
                self._twin.fine_tune(self._plan.fine_tune)
        if self._end is not None and sample == self._end.sample:
            self.left_at_end = windows_left(self._twin, self._plan)
            self._twin.fine_tune(0)
            if self.left_at_end[1]:
                self._twin.calibrate(None)

    def _block(self, samples: NDArray[np.float32], first: int, stop: int) -> WindowBlock:
        gaps = self._stream.gaps
        inside = gaps[np.searchsorted(gaps, first) : np.searchsorted(gaps, stop)] - first
        labels = self._class_of[self._stream.label_runs.labels_of(first, stop)]
        began = perf_counter()
        windows = self._twin.feed(samples, labels, inside)
        self.feed_s += perf_counter() - began
        sample_index = windows.sample_index - self._samples_before
        return WindowBlock(windows, sample_index, self._truth(sample_index), self._tuned(windows))

    def _truth(self, sample_index: NDArray[np.int64]) -> NDArray[np.int16]:
        """The device's rule, for labels without a class too: one label for all of a window."""
        runs = self._stream.label_runs
        run = runs.at(sample_index)
        whole = runs.starts[run] <= sample_index - (self._window_len - 1)
        labels = self._truth_of[runs.labels[run]]
        return np.where(whole, labels, np.int16(-1)).astype(np.int16)

    def _tuned(self, windows: Windows) -> NDArray[np.bool_]:
        """Whether the fine-tuned layer had taken a step before it saw the window."""
        steps = self._steps + np.cumsum(windows.fine_tuned, dtype=np.int64)
        if len(steps):
            self._steps = int(steps[-1])
        return np.asarray(steps > windows.fine_tuned)


def windows_left(twin: Twin, plan: Plan) -> tuple[int, int]:
    """Windows that fine-tuning and calibrating still want of what the plan gave them."""
    steps = twin.counters()["fine_tune_left"] if plan.fine_tune else 0
    return steps, twin.watch().calibration_windows_left if plan.calibrate else 0
