"""The synthetic fan obeys its physics and its sensor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyol_sim.errors import RecordingError
from tinyol_sim.recordings import Recording
from tinyol_sim.synth import (
    BMI270,
    LSM9DS1,
    MODES,
    TRAINING_PLACEMENT,
    USB_FAN,
    sensor_for,
    synthesize,
)
from tinyol_sim.synth_plot import folded_hz, power_density, spectrum_figure

LSB_G = 4 / 32768


def level_at(recording: Recording, line_hz: float) -> float:
    """Amplitude density (three axes together, g / sqrt(Hz)) within 0.6 Hz of a line."""
    freq_hz, density = power_density(recording)
    return float(np.sqrt(density.sum(axis=1)[np.abs(freq_hz - line_hz) < 0.6].max()))


@pytest.mark.parametrize("rate_hz", [119.0, 100.0])
def test_rotating_fan_has_lines_at_speed_and_harmonic_and_folded_blade_pass(rate_hz: float) -> None:
    recording = synthesize("normal", 30.0, rate_hz=rate_hz)
    freq_hz, density = power_density(recording)
    floor = float(np.sqrt(np.median(density.sum(axis=1))))
    assert freq_hz[density.sum(axis=1)[4:].argmax() + 4] == pytest.approx(27.0, abs=0.5)
    assert level_at(recording, 27.0) > 20 * floor
    assert level_at(recording, folded_hz(54.0, rate_hz)) > 3 * floor
    assert level_at(recording, folded_hz(4 * 27.0, rate_hz)) > 3 * floor


def test_blade_pass_moves_with_the_number_of_blades() -> None:
    fan = replace(USB_FAN, blades=5)
    recording = synthesize("normal", 30.0, fan=fan)
    assert folded_hz(5 * 27.0, 119.0) == pytest.approx(16.0)
    assert level_at(recording, 16.0) > 2 * level_at(recording, 11.0)


def test_sensor_bandwidth_attenuates_what_folds_down() -> None:
    narrow = replace(LSM9DS1, bandwidth_hz=10.0)
    wide, cut = synthesize("normal", 20.0), synthesize("normal", 20.0, sensor=narrow)
    ratio = level_at(cut, 11.0) / level_at(wide, 11.0)  # 108 Hz, folded: 12 dB an octave
    assert ratio < 0.15


def test_imbalance_force_grows_with_the_square_of_the_speed() -> None:
    # Far above its resonances the fan is a free mass: what is left is the force.
    fan = replace(USB_FAN, resonance_hz=(1.0,) * 3, speed_wander=0, level_wander=0, bearing_g=0)
    sensor = replace(LSM9DS1, bandwidth_hz=1000.0)
    slow, fast = (
        level_at(synthesize("normal", 20.0, fan=replace(fan, speed_hz=hz), sensor=sensor), hz)
        for hz in (20.0, 40.0)
    )
    assert fast / slow == pytest.approx(4.0, rel=0.05)


def test_stuck_fan_hums_and_kicks_but_does_not_rotate() -> None:
    normal, stuck = synthesize("normal", 30.0), synthesize("stuck", 30.0)
    assert level_at(stuck, 27.0) < 0.1 * level_at(normal, 27.0)
    assert level_at(stuck, USB_FAN.commutation_hz) > 3 * level_at(normal, USB_FAN.commutation_hz)
    moving = stuck.samples - stuck.samples.mean(axis=0)
    assert moving.std() < 0.5 * normal.samples.std(axis=0).max()
    loud = np.abs(moving).max(axis=1) > 5 * np.median(np.abs(moving).max(axis=1))
    kicks = np.flatnonzero(np.diff(np.flatnonzero(loud), prepend=-1000) > 119)
    assert 4 <= len(kicks) <= 8  # one about every 5.2 s


def test_tilted_fan_has_more_second_harmonic_and_turned_gravity() -> None:
    normal, tilted = synthesize("normal", 30.0), synthesize("tilted", 30.0)
    ratio_normal = level_at(normal, 54.0) / level_at(normal, 27.0)
    ratio_tilted = level_at(tilted, 54.0) / level_at(tilted, 27.0)
    assert ratio_tilted > 1.5 * ratio_normal
    up_normal, up_tilted = normal.samples.mean(axis=0), tilted.samples.mean(axis=0)
    cosine = up_normal @ up_tilted / np.linalg.norm(up_normal) / np.linalg.norm(up_tilted)
    assert 20 < np.degrees(np.arccos(cosine)) < 30


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tilt_deg", [0.0, 40.0, 180.0])
def test_gravity_is_one_g_in_every_position(mode: str, tilt_deg: float) -> None:
    placement = replace(TRAINING_PLACEMENT, tilt_deg=tilt_deg, rotate_deg=70.0)
    mean = synthesize(mode, 10.0, placement=placement).samples.astype(np.float64).mean(axis=0)
    assert np.linalg.norm(mean) == pytest.approx(1.0, abs=0.005)
    if mode != "tilted":
        assert mean[2] == pytest.approx(np.cos(np.radians(tilt_deg)), abs=0.005)


@pytest.mark.parametrize("mode", ["normal", "tilted"])
def test_vibration_of_a_turning_fan_is_of_a_plausible_size(mode: str) -> None:
    samples = synthesize(mode, 20.0).samples
    assert 0.01 < np.linalg.norm(samples.std(axis=0)) < 0.3


def test_samples_lie_on_the_converters_grid() -> None:
    samples = synthesize("normal", 5.0).samples
    assert samples.dtype == np.float32
    counts = samples.astype(np.float64) / LSB_G
    assert np.array_equal(counts, np.rint(counts))


def test_strong_vibration_clips_at_full_scale() -> None:
    violent = replace(TRAINING_PLACEMENT, gain=200.0)
    samples = synthesize("normal", 5.0, placement=violent).samples
    assert samples.max() == np.float32(4 - LSB_G)
    assert samples.min() == np.float32(-4)


def test_sensor_alone_shows_its_noise_density() -> None:
    silent = replace(USB_FAN, hum_g=0.0, kick_g=0.0)
    still = replace(TRAINING_PLACEMENT, floor_g=0.0)
    for rate_hz, sensor in ((119.0, LSM9DS1), (100.0, BMI270)):
        samples = synthesize("stuck", 20.0, rate_hz=rate_hz, fan=silent, placement=still).samples
        expected = sensor.noise_density_g * np.sqrt(1.11 * sensor.bandwidth_hz)
        assert samples.std(axis=0) == pytest.approx([expected] * 3, rel=0.06)


def test_sensor_follows_the_rate() -> None:
    assert sensor_for(119.0) == LSM9DS1
    assert sensor_for(99.84).name == BMI270.name
    assert sensor_for(238.0).bandwidth_hz == pytest.approx(100.0)


@pytest.mark.parametrize("mode", MODES)
def test_same_seed_same_bytes(mode: str) -> None:
    first, again, other = (synthesize(mode, 3.0, seed=seed) for seed in (7, 7, 8))
    assert first.samples.tobytes() == again.samples.tobytes()
    assert first.samples.tobytes() != other.samples.tobytes()


@pytest.mark.parametrize(("seconds", "rate_hz"), [(3.0, 119.0), (0.05, 100.0), (2.5, 400.0)])
def test_one_stretch_is_labelled_and_without_gaps(seconds: float, rate_hz: float) -> None:
    recording = synthesize("stuck", seconds, rate_hz=rate_hz)
    assert recording.n_samples == round(seconds * rate_hz)
    assert recording.rate_hz == rate_hz
    assert {recording.label_names[label] for label in recording.labels} == {"stuck"}
    assert len(recording.gaps) == 0


@pytest.mark.parametrize(
    ("mode", "seconds", "rate_hz", "seed", "said"),
    [
        ("broken", 1.0, 119.0, 0, "normal, stuck, tilted"),
        ("normal", 0.0, 119.0, 0, "no sample"),
        ("normal", float("nan"), 119.0, 0, "no sample"),
        ("normal", 1.0, 0.0, 0, "positive"),
        ("normal", 1.0, 119.0, -1, "0 or more"),
    ],
)
def test_wrong_arguments_say_what_would_be_right(
    mode: str, seconds: float, rate_hz: float, seed: int, said: str
) -> None:
    with pytest.raises(RecordingError, match=said):
        synthesize(mode, seconds, rate_hz=rate_hz, seed=seed)


def test_a_placement_that_is_not_finite_is_refused() -> None:
    placement = replace(TRAINING_PLACEMENT, tilt_deg=float("nan"))
    with pytest.raises(RecordingError, match="not finite"):
        synthesize("normal", 1.0, placement=placement)


def test_real_ceiling_fan_is_of_the_same_order(real_data: Path) -> None:
    """Level and line-to-floor ratio against an MSA301 on a ceiling fan at its highest speed."""
    folder = real_data / "ceiling-fan" / "fan_0_high_0_weight"
    files = sorted(folder.glob("*.csv"))[:60]
    if not files:
        pytest.skip(f"no ceiling-fan recordings in {folder}")
    seconds = [np.loadtxt(file, delimiter=",")[:190] for file in files]
    real = np.concatenate([s - s.mean(axis=0) for s in seconds if len(s) == 190])
    ours = synthesize("normal", 30.0).samples
    ratio = np.linalg.norm(ours.std(axis=0)) / np.linalg.norm(real.std(axis=0))
    assert 1 / 3 < ratio < 3


def test_picture_of_the_docs_can_be_drawn() -> None:
    figure = spectrum_figure(seconds=5.0)
    assert [len(axes.lines) for axes in figure.axes] == [3 + 4, 2]
