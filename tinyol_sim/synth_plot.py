"""Spectra of the synthetic fan; `python -m tinyol_sim.synth_plot FILE.png` draws docs/synth.md's.

Welch's method: the mean periodogram of half-overlapping, Hann-windowed segments
(P. D. Welch, IEEE Trans. Audio Electroacoustics 15, 1967).
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tinyol_sim.recordings import Recording
from tinyol_sim.synth import FIELD_FAN, FIELD_PLACEMENT, LSM9DS1, MODES, USB_FAN, synthesize

_COLOURS = {"normal": "#1b6ca8", "stuck": "#8a8a8a", "tilted": "#d1495b", "re-mounted": "#e69f00"}


def folded_hz(freq_hz: float, rate_hz: float) -> float:
    """Where a line at `freq_hz` appears after sampling at `rate_hz`, in 0..rate_hz / 2."""
    return abs(freq_hz - rate_hz * round(freq_hz / rate_hz))


def power_density(
    recording: Recording, segment_s: float = 4.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One-sided power spectral density by Welch's method.

    Args:
        recording: one stretch without gaps, at least one segment long.
        segment_s: length of a segment; resolution is about 2 / segment_s Hz.

    Returns: frequencies (f,), Hz, and densities (f, 3), g^2 / Hz, of the three axes.
    """
    length = round(segment_s * recording.rate_hz)
    window = np.hanning(length)[:, None]
    starts = range(0, recording.n_samples - length + 1, max(1, length // 2))
    total = np.zeros((length // 2 + 1, 3))
    for start in starts:
        segment = recording.samples[start : start + length].astype(np.float64)
        total += np.abs(np.fft.rfft((segment - segment.mean(axis=0)) * window, axis=0)) ** 2
    density = 2 * total / (len(starts) * recording.rate_hz * np.sum(window**2))
    return np.asarray(np.fft.rfftfreq(length, 1 / recording.rate_hz), np.float64), density


def spectrum_figure(rate_hz: float = LSM9DS1.rate_hz, seconds: float = 60.0) -> Figure:
    """The three modes, and normal before and after the fan is re-mounted."""
    modes = {mode: synthesize(mode, seconds, rate_hz=rate_hz) for mode in MODES}
    moved = synthesize("normal", seconds, rate_hz=rate_hz, fan=FIELD_FAN, placement=FIELD_PLACEMENT)
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw(left, modes, "three modes, one placement")
    _draw(right, {"normal": modes["normal"], "re-mounted": moved}, "normal, re-mounted")
    left.set_ylabel("three axes together, mg / √Hz")
    lines = {
        "1x": USB_FAN.speed_hz,
        "2x": 2 * USB_FAN.speed_hz,
        "3x, folded": folded_hz(3 * USB_FAN.speed_hz, rate_hz),
        "blades, folded": folded_hz(USB_FAN.blades * USB_FAN.speed_hz, rate_hz),
    }
    for name, line_hz in lines.items():
        left.annotate(name, (line_hz, 100), ha="center", fontsize=7, color="#444444")
        left.axvline(line_hz, ymax=0.92, color="#cccccc", lw=0.7, zorder=0)
    return figure


def _draw(axes: Axes, recordings: dict[str, Recording], title: str) -> None:
    for name, recording in recordings.items():
        freq_hz, density = power_density(recording)
        level_mg = 1e3 * np.sqrt(density.sum(axis=1))
        axes.semilogy(freq_hz[2:], level_mg[2:], label=name, color=_COLOURS[name], lw=1)
    axes.set(xlabel="Hz", title=title, ylim=(0.07, 200), xlim=(0, recording.rate_hz / 2))
    axes.legend(loc="lower center", ncols=3, frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    spectrum_figure().savefig(sys.argv[1], dpi=110)
