"""Windows of the core against those cut in float64: lengths, hops, gaps, axes, centrings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_learner import WindowPlan, cut_windows
from units import Units, f32

PLANS = st.builds(
    WindowPlan,
    window_len=st.integers(2, 50),
    hop=st.integers(1, 120),
    axes=st.sampled_from(["projection", "all"]),
    centring=st.sampled_from(["window", "training"]),
    projection=st.just((0.6, -0.2, 0.77)),
    centre=st.just((0.1, -0.2, 0.98)),
    scale=st.just((10.0, 20.0, 5.0)),
    offset=st.sampled_from([0.0, 0.5]),
)


@given(PLANS, st.integers(0, 400), st.sets(st.integers(1, 399)), st.integers(0, 2**32 - 1))
def test_windows_against_the_reference(
    units: Units, plan: WindowPlan, n: int, gaps: set[int], seed: int
) -> None:
    samples = f32(np.random.default_rng(seed).normal([0, 0, 1], 0.3, (n, 3)))
    borders = sorted(gap for gap in gaps if gap < n)
    cut = units.windows(plan, samples, borders)
    # The core's settings are float32; the reference starts from the same numbers.
    exact = {
        name: tuple(f32(getattr(plan, name)).astype(float))
        for name in ("projection", "centre", "scale")
    }
    expected = cut_windows(WindowPlan(**{**vars(plan), **exact}), samples, borders)
    assert cut.last_sample.tolist() == [window.last_sample for window in expected]
    for inputs, log_variance, window in zip(cut.inputs, cut.log_variance, expected, strict=True):
        np.testing.assert_allclose(inputs, window.inputs, atol=2e-5)
        # Samples of about 1 g are good to 1e-7 g: it is much beside a very small deviation.
        tolerance = 1e-4 + 2e-6 / np.exp(window.log_variance / 2)
        assert log_variance == pytest.approx(window.log_variance, abs=tolerance)
    for last, means, logs in zip(cut.last_sample, cut.mean, cut.axis_log_variance, strict=True):
        window_samples = samples[int(last) - plan.window_len + 1 : int(last) + 1].astype(float)
        np.testing.assert_allclose(means, window_samples.mean(axis=0), atol=1e-6)
        exact_logs = np.log(np.maximum(window_samples.var(axis=0), 1e-12))
        np.testing.assert_allclose(
            logs, exact_logs, atol=1e-4 + 2e-6 / np.exp(exact_logs.min() / 2)
        )


def sum_in_order(values: NDArray[np.float32]) -> np.float32:
    """Four sums, of every fourth value each, taken one after the other in float32."""
    four = [np.add.accumulate(values[k::4], dtype=np.float32)[-1:].sum() for k in range(4)]
    return np.float32((four[0] + four[1]) + (four[2] + four[3]))


@given(PLANS, st.integers(0, 2**32 - 1))
def test_the_bits_of_a_window(units: Units, plan: WindowPlan, seed: int) -> None:
    """float32, one operation after the other, wherever the ring has turned to."""
    n, length = plan.window_len + 3 * plan.hop, np.float32(plan.window_len)
    samples = f32(np.random.default_rng(seed).normal([0, 0, 1], 0.3, (n, 3)))
    cut = units.windows(plan, samples)
    weights, centres, scales = f32(plan.projection), f32(plan.centre), f32(plan.scale)
    for i, last in enumerate(cut.last_sample):
        window = samples[int(last) - plan.window_len + 1 : int(last) + 1]
        means = [sum_in_order(axis) / length for axis in window.T]
        variances = [
            sum_in_order((axis - mean) ** 2) / length
            for axis, mean in zip(window.T, means, strict=True)
        ]
        least = np.float32(1e-12)
        assert cut.mean[i].tolist() == means
        logs = units.map("log", np.maximum(f32(variances), least))
        assert cut.axis_log_variance[i].tolist() == logs.tolist()
        channels = window
        if plan.axes == "projection":
            x, y, z = (window * weights).T
            channels = ((x + y) + z)[:, None]
            means = [sum_in_order(channels[:, 0]) / length]
            variances = [sum_in_order((channels[:, 0] - means[0]) ** 2) / length]
        total = np.float32(0)
        for variance in variances:
            total += variance
        assert cut.log_variance[i] == units.map("log", f32([max(total, least)]))[0]
        width = channels.shape[1]
        centre = f32(means) if plan.centring == "window" else centres[:width]
        inputs = (channels - centre) * scales[:width] + np.float32(plan.offset)
        assert cut.inputs[i].tolist() == inputs.ravel().tolist()


def test_a_long_gap_free_stream_never_slips(units: Units) -> None:
    """Window i begins at sample i * hop, however the ring has turned."""
    samples = np.zeros((5000, 3))
    samples[:, 2] = np.arange(5000)
    plan = WindowPlan(window_len=7, hop=3, centring="training")
    cut = units.windows(plan, samples)
    np.testing.assert_array_equal(cut.inputs[:, 0], 3 * np.arange(len(cut.inputs)))
    np.testing.assert_array_equal(cut.inputs[:, 6] - cut.inputs[:, 0], 6)


@pytest.mark.parametrize("axes", ["projection", "all"])
def test_centring_by_the_window_is_blind_to_gravity(units: Units, axes: str) -> None:
    samples = np.random.default_rng(0).normal(0, 0.05, (40, 3))
    plan = WindowPlan(window_len=40, hop=40, axes=axes, scale=(10, 10, 10))
    lying, standing = (units.windows(plan, samples + g) for g in ([0, 0, 1], [0.7, -0.7, 0.1]))
    np.testing.assert_allclose(lying.inputs, standing.inputs, atol=1e-5)
    assert lying.log_variance[0] == pytest.approx(standing.log_variance[0], abs=1e-4)


def test_a_window_without_any_movement(units: Units) -> None:
    cut = units.windows(WindowPlan(window_len=16, hop=16), np.tile([0.25, 0.5, 1], (16, 1)))
    np.testing.assert_array_equal(cut.inputs, 0)
    assert cut.log_variance[0] == pytest.approx(np.log(1e-12), rel=1e-6)


def test_the_largest_samples_stay_finite(units: Units) -> None:
    samples = np.tile([[1e4], [-1e4]], (20, 3))
    cut = units.windows(WindowPlan(window_len=40, hop=1, axes="all", scale=(1e6,) * 3), samples)
    assert np.all(np.isfinite(cut.inputs))
    assert cut.log_variance[0] == pytest.approx(np.log(3e8), rel=1e-6)
