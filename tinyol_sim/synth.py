"""A USB fan on a 3-axis accelerometer, from physics: forces, structure, mounting, sensor.

Everything before the converter is computed on a grid of about 2 kHz, so that what lies above
the sensor's Nyquist frequency folds down as it does in the real part:

    forces of the rotor (g)  ->  structure  ->  mounting  ->  + gravity  ->  sensor
    F1 = A (f/f0)^2              -r^2 / (1 - r^2 + 2j zeta r), r = f/fn

Axes of the fan: x sideways, y along the shaft, z up; the rotor plane is x-z. docs/synth.md has
the formulas, the parameters and their sources.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.recordings import Recording, concatenate

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]
Complexes = NDArray[np.complexfloating[Any, Any]]

MODES = ("normal", "stuck", "tilted")

REFERENCE_SPEED_HZ = 27.0  # 1620 rpm; a fan's forces are stated at it
_FINE_RATE_HZ = 2000.0  # the least rate of the grid before the sensor's converter
_SETTLE_S = 1.0  # computed and thrown away: the filters below are circular


@dataclass(frozen=True)
class Fan:
    """A small fan; amplitudes are forces over its mass, in g, at REFERENCE_SPEED_HZ."""

    speed_hz: float = REFERENCE_SPEED_HZ  # revolutions a second
    speed_wander: float = 0.003  # relative standard deviation, slow (seconds)
    level_wander: float = 0.1  # the same of the forces: the air stream is never still
    blades: int = 4
    imbalance_g: float = 0.035
    harmonics: tuple[float, ...] = (0.16, 0.05)  # 2x, 3x, ..., relative to the imbalance
    blade_pass_g: float = 0.02  # at blades * speed
    bearing_g: float = 0.03  # rms of the bearing's noise, in its resonance
    bearing_hz: float = 240.0
    bearing_damping: float = 0.2
    turbulence_g: float = 0.003  # rms, wide band, of the air on the blades
    resonance_hz: tuple[float, float, float] = (18.0, 24.0, 60.0)  # on its feet, along x, y, z
    damping: float = 0.12
    commutation_hz: float = 43.0  # of the drive when it tries to start a blocked rotor
    hum_g: float = 0.008  # torque ripple of a blocked rotor
    kick_g: float = 0.1  # peak of one attempt to start
    retry_s: float = 5.2  # between two attempts; 0: none


@dataclass(frozen=True)
class Placement:
    """How the sensor sits on the fan, and the fan in the room."""

    tilt_deg: float = 0.0  # of the board, about its x axis
    rotate_deg: float = 0.0  # of the board, about its z axis, before the tilt
    gain: float = 1.0  # vibration at the board / vibration of the fan
    resonance_scale: float = 1.0  # of `Fan.resonance_hz`: another table, other feet
    floor_g: float = 0.001  # rms of the floor's own vibration


@dataclass(frozen=True)
class Sensor:
    """An accelerometer: second-order low-pass, white noise, 16-bit converter."""

    name: str
    rate_hz: float
    bandwidth_hz: float  # -3 dB
    noise_density_g: float  # g / sqrt(Hz)
    full_scale_g: float = 4.0

    @property
    def resolution_g(self) -> float:
        """One step of the 16-bit converter, in g (0.122 mg at +-4 g)."""
        return self.full_scale_g / 32768


# Bandwidth: LSM9DS1 data sheet, CTRL_REG6_XL. ST states no noise density: assumed.
LSM9DS1 = Sensor("LSM9DS1", rate_hz=119.0, bandwidth_hz=50.0, noise_density_g=150e-6)
# Noise: BMI270 data sheet. Bandwidth: Bosch's table for the BMI160 at 100 Hz, normal mode.
BMI270 = Sensor("BMI270", rate_hz=100.0, bandwidth_hz=40.5, noise_density_g=160e-6)

USB_FAN = Fan()
TRAINING_PLACEMENT = Placement()

# The same fan, carried to its place of work: screwed down at another angle, on a softer support,
# at the end of a long USB cable (a lower voltage: a few percent slower).
FIELD_FAN = replace(USB_FAN, speed_hz=USB_FAN.speed_hz * 0.955)
FIELD_PLACEMENT = Placement(18.0, rotate_deg=35.0, gain=1.25, resonance_scale=0.8, floor_g=0.002)

# What leaning changes: the foot rests on its edge, the shaft hangs sideways in its bearings.
_LEAN_DEG = 25.0
_LEAN_HARMONICS = (0.6, 0.18)
_LEAN_AXIAL = 0.35  # gyroscopic share of 1x along the shaft, a quarter turn late
_LEAN_RESONANCE = 0.85
_LEAN_BEARING = 2.0


def sensor_for(rate_hz: float) -> Sensor:
    """The board's sensor at this rate: the BMI270 near 100 Hz, else the LSM9DS1.

    The bandwidth keeps its ratio to the rate; in the LSM9DS1 it does so from 119 Hz up.
    """
    part = BMI270 if abs(rate_hz - BMI270.rate_hz) < 5 else LSM9DS1
    return replace(part, rate_hz=rate_hz, bandwidth_hz=part.bandwidth_hz * rate_hz / part.rate_hz)


def synthesize(
    mode: str,
    seconds: float,
    *,
    rate_hz: float = 119.0,
    seed: int = 0,
    fan: Fan = USB_FAN,
    placement: Placement = TRAINING_PLACEMENT,
    sensor: Sensor | None = None,
) -> Recording:
    """One uninterrupted stretch of one mode, every sample labelled with it.

    Args:
        mode: one of MODES.
        seconds: length, at least one sample.
        rate_hz: samples a second.
        seed: same seed, same numpy: same bytes.
        fan, placement: the machine and how it is mounted.
        sensor: filter, noise and range; None: `sensor_for(rate_hz)`.

    Returns: `round(seconds * rate_hz)` samples, in g.
    Raises: RecordingError for an unknown mode, no sample, or a number that is not finite.
    """
    if mode not in MODES:
        raise RecordingError(f"unknown mode {mode!r}: use one of {', '.join(MODES)}")
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise RecordingError(f"rate of {rate_hz} Hz: it must be a positive number")
    if not (np.isfinite(seconds) and seconds * rate_hz >= 1):
        raise RecordingError(f"{seconds} s at {rate_hz} Hz hold no sample: ask for more seconds")
    if seed < 0:
        raise RecordingError(f"seed {seed}: it must be 0 or more")
    leaning = mode == "tilted"
    n_samples, settle = round(seconds * rate_hz), round(_SETTLE_S * rate_hz)
    step = int(np.ceil(_FINE_RATE_HZ / rate_hz))  # fine samples a reported sample
    rng = np.random.default_rng([seed, MODES.index(mode)])
    grid = _Grid((n_samples + settle) * step, rate_hz * step, rng)
    force = _blocked_force(grid, fan) if mode == "stuck" else _running_force(grid, fan, leaning)
    softening = placement.resonance_scale * (_LEAN_RESONANCE if leaning else 1.0)
    motion = placement.floor_g * _floor(grid)
    for axis, resonance_hz in enumerate(fan.resonance_hz):
        response = _inertance(grid.freq_hz, resonance_hz * softening, fan.damping)
        motion[:, axis] += placement.gain * grid.filtered(force[:, axis], response)
    # The sensor leans with the fan: gravity turns, the forces keep their place on the board.
    motion += _turn(_LEAN_DEG * leaning, 2, 0)[:, 2]
    board = motion @ (_turn(placement.tilt_deg, 1, 2) @ _turn(placement.rotate_deg, 0, 1)).T
    if not np.isfinite(board).all():
        raise RecordingError(f"not finite: check the numbers of {fan} and {placement}")
    return Recording(
        samples=_sensed(grid, board, settle * step, step, sensor or sensor_for(rate_hz)),
        rate_hz=rate_hz,
        labels=np.full(n_samples, -1, dtype=np.int16),
        label_names=(),
        gaps=np.empty(0, dtype=np.int64),
        name=f"synth-{mode}-{seed}",
    ).with_label(mode)


def training_recordings(rate_hz: float, seed: int = 0) -> list[Recording]:
    """What an autoencoder is trained and calibrated with, in the training placement.

    Returns: five minutes of `normal` (a minute at each of five speeds within 1.5 %: the supply
    is never exactly 5 V), then half a minute each of `stuck` and `tilted`: anomalies for a ROC
    curve, and the loud and quiet extremes for the quantiser's representative data.
    """
    speeds = (1.0, 0.985, 0.9925, 1.0075, 1.015)
    fans = [replace(USB_FAN, speed_hz=USB_FAN.speed_hz * ratio) for ratio in speeds]
    plan = [("normal", 60.0, fan) for fan in fans]
    plan += [("stuck", 30.0, USB_FAN), ("tilted", 30.0, USB_FAN)]
    return [
        synthesize(mode, seconds, rate_hz=rate_hz, seed=1000 * (seed + 1) + i, fan=fan)
        for i, (mode, seconds, fan) in enumerate(plan)
    ]


def shipped_scenario(rate_hz: float) -> Recording:
    """What the demo replays: 7.5 minutes of one fan that is carried to its place of work.

    60 s normal in the training placement; then, re-mounted (FIELD_FAN, FIELD_PLACEMENT), 150 s
    normal without a label, for fine-tuning; three rounds of 20 s each of normal, stuck, tilted;
    a last 20 s of each to test on. A gap at every border; all labelled but the 150 s.
    """
    stretches = [synthesize("normal", 60.0, rate_hz=rate_hz, seed=1)]
    field = [("normal", 150.0), *[(mode, 20.0) for _ in range(4) for mode in MODES]]
    for i, (mode, seconds) in enumerate(field):
        stretch = synthesize(
            mode, seconds, rate_hz=rate_hz, seed=2 + i, fan=FIELD_FAN, placement=FIELD_PLACEMENT
        )
        stretches.append(stretch if i else stretch.with_label(None))
    return concatenate(stretches, name="shipped-scenario")


class _Grid:
    """The fine time grid of one stretch, its noise source and its (circular) filters."""

    def __init__(self, n: int, rate_hz: float, rng: np.random.Generator) -> None:
        self.n, self.rate_hz, self.rng = n, rate_hz, rng
        self.freq_hz: Floats = np.asarray(np.fft.rfftfreq(n, 1 / rate_hz), np.float64)

    def filtered(self, signal: Floats, response: Complexes) -> Floats:
        return np.asarray(np.fft.irfft(np.fft.rfft(signal) * response, self.n))

    def noise(self, response: Complexes) -> Floats:
        """Gaussian noise of this spectrum, expected rms 1."""
        rms = np.sqrt(np.mean(np.abs(response) ** 2))
        return self.filtered(self.rng.standard_normal(self.n), response / rms)

    def slow(self, time_constant_s: float) -> Floats:
        """Wander of rms 1: white noise through one pole."""
        return self.noise(1 / (1 + 2j * np.pi * self.freq_hz * time_constant_s))

    def around(self, centre_hz: float, damping: float) -> Floats:
        """Noise of rms 1 through a resonance: 2j zeta r / (1 - r^2 + 2j zeta r)."""
        r = self.freq_hz / centre_hz
        return self.noise(2j * damping * r / (1 - r**2 + 2j * damping * r))


def _running_force(grid: _Grid, fan: Fan, leaning: bool) -> Floats:
    """Forces of the turning rotor, (n, 3), g."""
    speed_hz = fan.speed_hz * (1 + fan.speed_wander * grid.slow(4.0))
    # Forces of rotation and of the air both go with the square of the speed.
    level = (speed_hz / REFERENCE_SPEED_HZ) ** 2 * (1 + fan.level_wander * grid.slow(1.5))
    angle = 2 * np.pi * (np.cumsum(speed_hz) / grid.rate_hz + grid.rng.random())
    force = np.zeros((grid.n, 3))
    imbalance = fan.imbalance_g * level
    force[:, 0] = imbalance * np.cos(angle)
    force[:, 1] = (_LEAN_AXIAL if leaning else 0.0) * imbalance * -np.sin(angle)
    force[:, 2] = imbalance * np.sin(angle)
    for order, ratio in enumerate(_LEAN_HARMONICS if leaning else fan.harmonics, start=2):
        phase = order * angle + order  # locked to the rotor, each with its own lag
        force[:, 0] += ratio * imbalance * np.cos(phase)
        force[:, 1] += 0.4 * ratio * imbalance * np.cos(phase)
        force[:, 2] += ratio * imbalance * np.sin(phase)
    blade_pass = fan.blade_pass_g * level * np.cos(fan.blades * angle)
    force += blade_pass[:, None] * np.array([0.5, 1.0, 0.5])  # thrust: mostly along the shaft
    load = 1 + 0.5 * np.cos(angle)  # the imbalance presses the balls once a turn
    bearing_g = fan.bearing_g * (_LEAN_BEARING if leaning else 1.0)
    for axis in range(3):
        force[:, axis] += bearing_g * load * grid.around(fan.bearing_hz, fan.bearing_damping)
        force[:, axis] += fan.turbulence_g * level * grid.slow(0.02)
    return force


def _blocked_force(grid: _Grid, fan: Fan) -> Floats:
    """Forces of a motor whose rotor cannot turn, (n, 3), g: hum, and kicks of the drive."""
    hum_hz = fan.commutation_hz * (1 + 0.01 * grid.slow(2.0))
    angle = 2 * np.pi * (np.cumsum(hum_hz) / grid.rate_hz + grid.rng.random())
    torque = fan.hum_g * (1 + 0.25 * grid.slow(0.5)) * (np.cos(angle) + 0.3 * np.cos(2 * angle))
    kick_len = int(0.02 * grid.rate_hz)
    kick = fan.kick_g * np.sin(np.pi * np.arange(kick_len) / kick_len)
    start_s = grid.rng.uniform(0, fan.retry_s)
    while fan.retry_s > 0 and (start := int(start_s * grid.rate_hz)) + kick_len <= grid.n:
        torque[start : start + kick_len] += kick
        start_s += fan.retry_s * grid.rng.uniform(0.9, 1.1)
    # The stator takes the torque about y: sideways at the board, a little of it up and down.
    return np.outer(torque, [1.0, 0.15, 0.5])


def _floor(grid: _Grid) -> Floats:
    """Vibration of the floor, (n, 3), rms 1 upwards: steps and doors, about 12 Hz."""
    return np.column_stack([share * grid.around(12.0, 0.3) for share in (0.4, 0.4, 1.0)])


def _inertance(freq_hz: Floats, resonance_hz: float, damping: float) -> Complexes:
    """Acceleration over force / mass, of a mass on a spring and a damper; 1 far above."""
    r = freq_hz / resonance_hz
    return np.asarray(-(r**2) / (1 - r**2 + 2j * damping * r))


def _sensed(grid: _Grid, board: Floats, start: int, step: int, sensor: Sensor) -> Singles:
    """What the sensor reports of `board` from fine sample `start` on, every `step`: (n, 3), g."""
    x = grid.freq_hz / sensor.bandwidth_hz
    low_pass = 1 / (1 + 1j * np.sqrt(2) * x - x**2)  # Butterworth
    sampled = np.column_stack([grid.filtered(a, low_pass)[start::step] for a in board.T])
    # 1.11: noise bandwidth of this filter over its -3 dB bandwidth.
    noise_g = sensor.noise_density_g * np.sqrt(1.11 * sensor.bandwidth_hz)
    sampled += noise_g * grid.rng.standard_normal(sampled.shape)
    counts = np.clip(np.rint(sampled / sensor.resolution_g), -32768, 32767)
    return np.asarray(counts * sensor.resolution_g, dtype=np.float32)


def _turn(deg: float, first: int, second: int) -> Floats:
    """Rotation matrix that turns axis `first` towards axis `second`."""
    cos, sin = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cos
    matrix[second, first], matrix[first, second] = sin, -sin
    return matrix
