"""Recordings through a twin at full speed: what a board would have seen, said and learned.

    bundle, recordings, plan  ->  replay()  ->  ReplayResult  ->  replay_summary.py, report.py

The recordings are fed in order, each border a gap. A label becomes a class at the first sample
that carries it, as when a person shows it. What comes out depends on samples, labels and plan
alone: the size of the pieces that are fed changes no bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import DeviceError, RecordingError
from tinyol_sim.fine_tune_end import FineTuneEnd, find_fine_tune_end
from tinyol_sim.fine_tune_start import FineTuneStart, find_fine_tune_start
from tinyol_sim.recordings import Recording, concatenate
from tinyol_sim.twin import Metrics, Twin, Windows

RATE_TOLERANCE = 1e-3  # relative; the same that recordings are joined with
LEARN = "classifier.learn"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What to do with the recordings.

    learn: labelled windows are lessons; else labels only score the classes of `state`.
    fine_tune: the first so many windows from fine_tune_from on take a step each; None = none.
        It ends early where another class begins: see `fine_tune_end.find_fine_tune_end`.
    fine_tune_from: see `fine_tune_start.find_fine_tune_start`.
    settings: device settings that differ from the state's (or, without one, the bundle's).
    state: a state image to go on from; None: what training left.
    chunk_s: seconds of signal between two calls of `progress`.
    calibrate: from fine_tune_from on, behind the fine-tuning, so many windows say anew what is
        normal; None = none. It ends, undone, where fine-tuning would.
    """

    learn: bool = False
    fine_tune: int | None = None
    fine_tune_from: str = "auto"
    settings: Mapping[str, float] = field(default_factory=dict)
    state: bytes | None = None
    chunk_s: float = 10.0
    calibrate: int | None = None

    def __post_init__(self) -> None:
        if LEARN in self.settings:
            raise DeviceError(f"{LEARN} is not for settings: Plan.learn (--learn) decides it")
        if not (math.isfinite(self.chunk_s) and self.chunk_s > 0):
            raise DeviceError(f"chunk_s is {self.chunk_s}; it must be a number above 0")


@dataclass(frozen=True, eq=False)
class ReplayResult:
    """What became of a replay; n windows.

    stream: the recordings as one. names, lengths: of each recording, lengths in samples.
    windows: per window, over all recordings, `predicted` an index into class_names.
    sample_index: (n,) of each window's last sample in `stream`.
    class_names: the device's classes, then labels that it has no class for.
    truth: (n,) int16 index into class_names, -1 = no label, or not one for the whole window.
    fine_tune_start: None without fine-tuning.
    fine_tune_end: the class that cut it short; None if nothing did.
    fine_tune_left: windows of Plan.fine_tune that it did not get; calibrate_left: of
        Plan.calibrate, and then what was normal before stands.
    metrics: the device's own; with Plan.state they include what went before.
    steps_before: fine-tuning steps that Plan.state had taken.
    counters: of this replay alone. settings: in force during it.
    state: the state image at the end. feed_s: seconds that the device computed.
    """

    bundle: Bundle
    plan: Plan
    stream: Recording
    names: tuple[str, ...]
    lengths: tuple[int, ...]
    windows: Windows
    sample_index: NDArray[np.int64]
    class_names: tuple[str, ...]
    truth: NDArray[np.int16]
    fine_tune_start: FineTuneStart | None
    fine_tune_end: FineTuneEnd | None
    fine_tune_left: int
    calibrate_left: int
    metrics: Metrics
    steps_before: int
    counters: dict[str, int]
    settings: dict[str, float]
    state: bytes
    feed_s: float

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Seconds of each window's last sample, (n,); sample i is at i / rate_hz."""
        return self.sample_index / self.stream.rate_hz

    @property
    def tuned(self) -> NDArray[np.bool_]:
        """Windows (n,) that a fine-tuned layer saw: one that had taken a step before them."""
        steps_before = self.steps_before + np.cumsum(self.windows.fine_tuned, dtype=np.int64)
        return np.asarray(steps_before > self.windows.fine_tuned)

    @property
    def windows_per_s(self) -> float:
        """Windows that the twin computed a second, measured."""
        return len(self.windows) / max(self.feed_s, 1e-9)

    @property
    def times_real_time(self) -> float:
        """Seconds of signal a second of computing, measured."""
        return self.stream.duration_s / max(self.feed_s, 1e-9)


def replay(
    bundle: Bundle,
    recordings: Sequence[Recording],
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> ReplayResult:
    """Streams `recordings` through a new twin of `bundle`.

    progress: called with samples done and samples in all, after each piece.

    Raises:
        RecordingError: another rate than the model's, no whole window, no such place to begin
            fine-tuning at.
        DeviceError: a setting out of range, or more labels than the model has classes.
        StateImageError: Plan.state is damaged or of another model.
        BundleError: the device refuses the model.
    """
    plan = Plan() if plan is None else plan
    _check_rates(bundle, recordings)
    stream = concatenate(recordings, name=", ".join(r.name for r in recordings))
    lengths = tuple(recording.n_samples for recording in recordings)
    start, end = None, None
    if plan.fine_tune or plan.calibrate:
        start = find_fine_tune_start(plan.fine_tune_from, stream, lengths)
        end = find_fine_tune_end(stream, start.sample)
    twin = Twin(bundle)
    if plan.state is not None:
        twin.state = plan.state
    for name, value in plan.settings.items():
        twin.set(name, value)
    # Learning is on or off for this replay only: the state that it leaves must not remember it.
    could_learn = twin.get(LEARN)
    twin.set(LEARN, float(plan.learn))
    settings, before = twin.settings(), twin.counters()
    feeder = _Feeder(twin, stream, plan, start, end)
    windows = feeder.feed(progress)
    twin.set(LEARN, could_learn)
    if not len(windows):
        raise RecordingError(
            f"{stream.name}: nothing to replay: no stretch without a gap is as long as a window"
            f" of this model, {bundle.pipeline.window_len} samples"
        )
    left = feeder.left_at_end if any(feeder.left_at_end) else _left(twin, plan)
    class_names = (*twin.classes, *feeder.labels_without_class())
    sample_index = windows.sample_index - before["samples"]
    return ReplayResult(
        bundle=bundle,
        plan=plan,
        stream=stream,
        names=tuple(recording.name for recording in recordings),
        lengths=lengths,
        windows=windows,
        sample_index=sample_index,
        class_names=class_names,
        truth=_window_labels(stream, class_names, sample_index, bundle.pipeline.window_len),
        fine_tune_start=start,
        fine_tune_end=end if any(feeder.left_at_end) else None,
        fine_tune_left=left[0],
        calibrate_left=left[1],
        metrics=twin.metrics(),
        steps_before=before["reconstruction_steps"],
        counters={name: value - before[name] for name, value in twin.counters().items()},
        settings=settings,
        state=twin.state,
        feed_s=feeder.feed_s,
    )


def _check_rates(bundle: Bundle, recordings: Sequence[Recording]) -> None:
    model_hz = bundle.pipeline.rate_hz
    for recording in recordings:
        if not math.isclose(recording.rate_hz, model_hz, rel_tol=RATE_TOLERANCE):
            raise RecordingError(
                f"{recording.name} has {recording.rate_hz:g} Hz, but the model is for"
                f" {model_hz:g} Hz: take a model for {recording.rate_hz:g} Hz"
                f" or record at {model_hz:g} Hz"
            )


class _Feeder:
    """Feeds a stream piece by piece, with what happens between two samples in its place."""

    def __init__(
        self,
        twin: Twin,
        stream: Recording,
        plan: Plan,
        start: FineTuneStart | None,
        end: FineTuneEnd | None,
    ) -> None:
        self.feed_s = 0.0
        self.left_at_end = (0, 0)  # windows of fine-tuning and calibrating that `end` cut off
        self._twin, self._stream, self._plan = twin, stream, plan
        self._start, self._end = start, end
        known = twin.classes
        # Where each label of the stream occurs first, and its class on the device, -1 = none.
        self._first = {
            int(np.argmax(stream.labels == i)): i
            for i in range(len(stream.label_names))
            if np.any(stream.labels == i)
        }
        self._class_of = np.full(len(stream.label_names) + 1, -1, np.int16)
        for i, name in enumerate(stream.label_names):
            if name in known:
                self._class_of[i] = known.index(name)

    def feed(self, progress: Progress | None) -> Windows:
        """All windows of the stream, in order."""
        n = self._stream.n_samples
        chunk = max(1, round(self._plan.chunk_s * self._stream.rate_hz))
        cuts = {*range(0, n, chunk), *self._first, n}
        if self._start is not None:
            cuts.add(self._start.sample)
        if self._end is not None:
            cuts.add(self._end.sample)
        ordered = sorted(cuts)
        parts = []
        for first, stop in pairwise(ordered):
            self._before(first)
            parts.append(self._piece(first, stop))
            if progress is not None:
                progress(stop, n)
        return Windows.join(parts or [self._twin.feed(np.empty((0, 3), np.float32))])

    def labels_without_class(self) -> list[str]:
        """Labels that occur in the stream and are unknown to the device."""
        names = self._stream.label_names
        return [names[i] for _, i in sorted(self._first.items()) if self._class_of[i] < 0]

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
            self.left_at_end = _left(self._twin, self._plan)
            self._twin.fine_tune(0)
            if self.left_at_end[1]:
                self._twin.calibrate(None)

    def _piece(self, first: int, stop: int) -> Windows:
        gaps = self._stream.gaps
        inside = gaps[(gaps >= first) & (gaps < stop)] - first
        labels = self._class_of[self._stream.labels[first:stop]]
        began = perf_counter()
        windows = self._twin.feed(self._stream.samples[first:stop], labels, inside)
        self.feed_s += perf_counter() - began
        return windows


def _left(twin: Twin, plan: Plan) -> tuple[int, int]:
    """Windows that fine-tuning and calibrating still want of what the plan gave them."""
    steps = twin.counters()["fine_tune_left"] if plan.fine_tune else 0
    return steps, twin.watch().calibration_windows_left if plan.calibrate else 0


def _window_labels(
    stream: Recording,
    class_names: Sequence[str],
    sample_index: NDArray[np.int64],
    window_len: int,
) -> NDArray[np.int16]:
    """The device's rule, for labels without a class too: one label for all of a window."""
    changed = np.concatenate([[True], stream.labels[1:] != stream.labels[:-1]])
    run_start = np.maximum.accumulate(np.where(changed, np.arange(stream.n_samples), 0))
    whole = run_start[sample_index] <= sample_index - (window_len - 1)
    index = [class_names.index(n) if n in class_names else -1 for n in stream.label_names]
    labels = np.array([*index, -1], np.int16)[stream.labels[sample_index]]
    return np.where(whole, labels, np.int16(-1)).astype(np.int16)
