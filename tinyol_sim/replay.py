"""Recordings through a twin at full speed: what a board would have seen, said and learned.

    bundle, recordings, plan  ->  replay()  ->  ReplayResult  ->  replay_summary.py, report.py

The recordings are fed in order, each border a gap. A label becomes a class at the first sample
that carries it, as when a person shows it. What comes out depends on samples, labels and plan
alone: the size of the pieces that are fed changes no bit. `replay_streams` does the same with
recordings of any length, in memory that does not grow with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import DeviceError, RecordingError
from tinyol_sim.feeder import Feeder, Progress, windows_left
from tinyol_sim.fine_tune_end import FineTuneEnd, find_fine_tune_end
from tinyol_sim.fine_tune_start import FineTuneStart, find_fine_tune_start
from tinyol_sim.recording_stream import RecordingStream, join_streams, stream_of
from tinyol_sim.recordings import Recording, concatenate
from tinyol_sim.tally.tally import Tally
from tinyol_sim.thinned import Thinned
from tinyol_sim.threshold import threshold_in
from tinyol_sim.twin import Metrics, Twin, Windows
from tinyol_sim.window_block import WindowBlock

RATE_TOLERANCE = 1e-3  # relative; the same that recordings are joined with
LEARN = "classifier.learn"
MAX_KEPT = 1 << 17  # windows of a streamed replay that are kept for its plots

OnBlock = Callable[[WindowBlock, tuple[str, ...]], None]


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
    chunk_s: float = 300.0
    calibrate: int | None = None

    def __post_init__(self) -> None:
        if LEARN in self.settings:
            raise DeviceError(f"{LEARN} is not for settings: Plan.learn (--learn) decides it")
        if not (math.isfinite(self.chunk_s) and self.chunk_s > 0):
            raise DeviceError(f"chunk_s is {self.chunk_s}; it must be a number above 0")


@dataclass(frozen=True, eq=False)
class ReplayResult:
    """What became of a replay; n windows.

    stream: the recordings as one; its samples too after `replay`.
    names, lengths: of each recording, lengths in samples.
    tally: all windows summed up.
    every: 1 after `replay`, which keeps all windows. After `replay_streams` windows, sample_index,
        truth and tuned are those of each `every`-th window, from the first one on.
    windows: per window, over all recordings, `predicted` an index into class_names.
    sample_index: (n,) of each window's last sample in `stream`.
    class_names: the device's classes, then labels that it has no class for.
    truth: (n,) int16 index into class_names, -1 = no label, or not one for the whole window.
    tuned: (n,) windows that a fine-tuned layer saw: one that had taken a step before them.
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
    stream: Recording | RecordingStream
    names: tuple[str, ...]
    lengths: tuple[int, ...]
    tally: Tally
    every: int
    windows: Windows
    sample_index: NDArray[np.int64]
    class_names: tuple[str, ...]
    truth: NDArray[np.int16]
    tuned: NDArray[np.bool_]
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
    def windows_per_s(self) -> float:
        """Windows that the twin computed a second, measured."""
        return self.tally.n_windows / max(self.feed_s, 1e-9)

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
    _check_rates(bundle, recordings)
    stream = concatenate(recordings, name=_joined(recordings))
    kept = Thinned(None)
    found = _run(bundle, recordings, stream_of(stream), plan, progress, kept, None)
    return replace(found, stream=stream)


def replay_streams(
    bundle: Bundle,
    streams: Sequence[RecordingStream],
    plan: Plan | None = None,
    progress: Progress | None = None,
    on_block: OnBlock | None = None,
) -> ReplayResult:
    """The same for recordings of any length: same state, same windows, same sums.

    Of the windows an evenly spaced part is kept (ReplayResult.every); `on_block` is called with
    all of them, block by block in order, and the class names that `truth` and `predicted` index.
    Raises what `replay` does, and RecordingError where a file fails while it is read.
    """
    _check_rates(bundle, streams)
    stream = join_streams(streams, name=_joined(streams))
    return _run(bundle, streams, stream, plan, progress, Thinned(MAX_KEPT), on_block)


def _run(
    bundle: Bundle,
    recordings: Sequence[Recording | RecordingStream],
    stream: RecordingStream,
    plan: Plan | None,
    progress: Progress | None,
    kept: Thinned,
    on_block: OnBlock | None,
) -> ReplayResult:
    plan = Plan() if plan is None else plan
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
    feeder = Feeder(twin, stream, plan, start, end)
    tally = Tally(len(feeder.class_names), threshold_in(settings))
    for block in feeder.feed(bundle.pipeline.window_len, progress):
        tally.add(block)
        kept.add(block)
        if on_block is not None:
            on_block(block, feeder.class_names)
    tally.finish()
    twin.set(LEARN, could_learn)
    if not tally.n_windows:
        raise RecordingError(
            f"{stream.name}: nothing to replay: no stretch without a gap is as long as a window"
            f" of this model, {bundle.pipeline.window_len} samples"
        )
    left = feeder.left_at_end if any(feeder.left_at_end) else windows_left(twin, plan)
    block = kept.block()
    return ReplayResult(
        bundle=bundle,
        plan=plan,
        stream=stream,
        names=tuple(recording.name for recording in recordings),
        lengths=lengths,
        tally=tally,
        every=kept.every,
        windows=block.windows,
        sample_index=block.sample_index,
        class_names=feeder.class_names,
        truth=block.truth,
        tuned=block.tuned,
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


def _joined(recordings: Sequence[Recording | RecordingStream]) -> str:
    return ", ".join(recording.name for recording in recordings)


def _check_rates(bundle: Bundle, recordings: Sequence[Recording | RecordingStream]) -> None:
    model_hz = bundle.pipeline.rate_hz
    for recording in recordings:
        if not math.isclose(recording.rate_hz, model_hz, rel_tol=RATE_TOLERANCE):
            raise RecordingError(
                f"{recording.name} has {recording.rate_hz:g} Hz, but the model is for"
                f" {model_hz:g} Hz: take a model for {recording.rate_hz:g} Hz"
                f" or record at {model_hz:g} Hz"
            )
