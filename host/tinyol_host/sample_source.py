"""Samples for a board without a sensor: of a simulated fan, or of a recording in a loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import DeviceError, RecordingError
from tinyol_sim.recordings import read_recording
from tinyol_sim.replay import RATE_TOLERANCE
from tinyol_sim.synth import MODES, synthesize

SYNTH, NONE = "synth", "none"
DEFAULT = f"{SYNTH}:normal"
MODE_S = 20.0  # a simulated fan changes its mode, or is started anew, so often

Samples = NDArray[np.float32]


class SampleSource:
    """Samples without an end, in stretches; the first sample of each does not follow the last.

    name: what was asked for; rate_hz: samples a second of the recorded time; speed: how much
    faster than that they are to be fed.
    """

    def __init__(
        self,
        name: str,
        rate_hz: float,
        stretch: Callable[[int], Samples],
        lengths: Sequence[int],
        speed: float = 1.0,
    ) -> None:
        """stretch: that of a number, from 0 without an end, (n, 3) float32 in g; lengths: their n,
        1 or more, which begin anew where they end.
        """
        self.name = name
        self.rate_hz = rate_hz
        self.speed = speed
        self._stretch_of = stretch
        self._lengths = lengths
        self._number = -1
        self._stretch: Samples = np.empty((0, 3), np.float32)
        self._at = 0
        self._gap = False

    def begin_at(self, index: int) -> None:
        """Begins with this sample: a machine goes on while nobody is connected to its board."""
        turns, rest = divmod(index, sum(self._lengths))
        number = 0
        while rest >= self._lengths[number]:
            rest -= self._lengths[number]
            number += 1
        self._number = turns * len(self._lengths) + number
        self._stretch, self._at, self._gap = self._stretch_of(self._number), rest, True

    def take(self, n: int) -> tuple[Samples, bool]:
        """The next samples.

        Args:
            n: how many at most, 1 or more.

        Returns: (m, 3) float32 in g, 1 <= m <= n: a stretch is not exceeded; and whether there
            is a gap before the first. It may compute for a tenth of a second.
        """
        if self._at >= len(self._stretch):
            self._number += 1
            self._stretch, self._at, self._gap = self._stretch_of(self._number), 0, True
        gap, self._gap = self._gap, False
        samples = self._stretch[self._at : self._at + n]
        self._at += len(samples)
        return samples, gap


def open_source(spec: str, *, rate_hz: float | None, speed: float = 1.0) -> SampleSource | None:
    """The source that an option `source=` names.

    Args:
        spec: "synth" (a fan in all modes by turns), "synth:MODE[+MODE...]", a recording's path,
            or "none".
        rate_hz: the model's rate; None: that of the recording, 119 Hz for a simulated fan.
        speed: times real time, above 0.

    Returns: None for "none".
    Raises:
        DeviceError: an unknown mode.
        RecordingError: the recording cannot be read, has no sample, or another rate.
    """
    if spec == NONE:
        return None
    word, _, modes = spec.partition(":")
    if word == SYNTH:
        rate_hz = 119.0 if rate_hz is None else rate_hz
        return _fan(spec, _modes(spec, modes), rate_hz, speed)
    return _from_recording(spec, rate_hz, speed)


def _modes(spec: str, words: str) -> Sequence[str]:
    if spec == SYNTH:
        return MODES
    modes = words.split("+")
    for mode in modes:
        if mode not in MODES:
            raise DeviceError(
                f"source={spec}: a simulated fan has no mode {mode!r}, but {', '.join(MODES)};"
                " several follow each other as in synth:normal+stuck"
            )
    return modes


def _fan(spec: str, modes: Sequence[str], rate_hz: float, speed: float) -> SampleSource:
    def stretch(number: int) -> Samples:
        mode = modes[number % len(modes)]
        return synthesize(mode, MODE_S, rate_hz=rate_hz, seed=number).samples

    lengths = [len(stretch(0))] * len(modes)
    return SampleSource(spec, rate_hz, stretch, lengths, speed)


def _from_recording(path: str, rate_hz: float | None, speed: float) -> SampleSource:
    try:
        recording = read_recording(path)
    except RecordingError:
        if rate_hz is None:
            raise
        recording = read_recording(path, rate_hz=rate_hz)  # it states none: then it is the model's
    if not recording.n_samples:
        raise RecordingError(f"{path}: there is no sample in it to feed")
    if rate_hz is not None and not math.isclose(recording.rate_hz, rate_hz, rel_tol=RATE_TOLERANCE):
        raise RecordingError(
            f"{path} has {recording.rate_hz:g} Hz, but the model is for {rate_hz:g} Hz: take a"
            f" model for {recording.rate_hz:g} Hz or record at {rate_hz:g} Hz"
        )
    stretches = np.split(recording.samples, recording.gaps)
    lengths = [len(stretch) for stretch in stretches]
    return SampleSource(
        path, recording.rate_hz, lambda n: stretches[n % len(stretches)], lengths, speed
    )
