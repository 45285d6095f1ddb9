"""The twin's own promises: chunks, threads, types of arrays, and the processor's float mode."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_models import float_bundle, float_net, int8_bundle, vibration
from units import Units

from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin, Windows

N = 1500
SAMPLES = vibration(N)
SAMPLES[400] = np.nan
LABELS = (np.arange(N) // 170 % 3 - 1).astype(np.int16)
GAPS = [3, 4, 90, 700, 1490]


def ready_twin(**pipeline: object) -> Twin:
    twin = Twin(int8_bundle(**pipeline))
    for name in "ab":
        twin.add_class(name)
    twin.fine_tune(200)
    return twin


def assert_same(ours: Windows, theirs: Windows) -> None:
    for name, column in vars(ours).items():
        np.testing.assert_array_equal(column, getattr(theirs, name), err_msg=name)


# --- chunks ----------------------------------------------------------------------------------


@given(st.lists(st.integers(0, N), max_size=12), st.sampled_from([(8, 4), (8, 1), (4, 11)]))
def test_any_chunking_gives_the_same(cuts: list[int], window: tuple[int, int]) -> None:
    pipeline = {"window_len": window[0], "hop": window[1]}
    whole, pieces = ready_twin(**pipeline), ready_twin(**pipeline)
    expected = whole.feed(SAMPLES, LABELS, GAPS)
    borders = [0, *sorted(cuts), N]
    parts = []
    for start, stop in zip(borders[:-1], borders[1:], strict=True):
        inside = [gap - start for gap in GAPS if start <= gap < stop]
        parts.append(pieces.feed(SAMPLES[start:stop], LABELS[start:stop], inside))
    assert_same(Windows.join(parts), expected)
    assert pieces.state == whole.state


def test_label_for_some_windows_ends_however_the_stream_is_cut() -> None:
    """A column that says what the label is already says nothing new."""
    states = []
    for cut in (50, 300, N):
        twin = ready_twin()
        twin.label("a", 5)
        zeros = np.zeros(N, np.int16)
        for start, stop in ((0, cut), (cut, N)):
            twin.feed(SAMPLES[start:stop], zeros[start:stop])
        states.append(twin.state)
    assert states[0] == states[1] == states[2]


def test_every_window_is_handed_out() -> None:
    """Short windows far apart, a gap before each: more windows than samples / hop."""
    twin = ready_twin(window_len=4, hop=100)
    windows = twin.feed(vibration(400), gaps=np.arange(4, 400, 4))
    assert len(windows) == twin.counters()["windows"] == 100


def test_no_samples() -> None:
    twin = ready_twin()
    before = twin.state
    windows = twin.feed(np.zeros((0, 3)), np.zeros(0, int), [])
    assert len(windows) == 0
    assert windows.features.shape == (0, twin.n_features)
    assert windows.probabilities.shape == (0, 2)
    assert twin.state == before


def test_join_pads_classes_that_came_later() -> None:
    twin = Twin(int8_bundle({"classifier.head": 0.0}))  # it predicts before its first lesson
    parts = [twin.feed(SAMPLES[:100])]
    twin.add_class("a")
    parts.append(twin.feed(SAMPLES[100:200]))
    joined = Windows.join(parts)
    n = len(parts[0])
    assert joined.probabilities.shape == (len(joined), 1)
    np.testing.assert_array_equal(joined.probabilities[:n], 0)
    np.testing.assert_array_equal(joined.probabilities[n:], 1)


# --- arrays ----------------------------------------------------------------------------------


def wide(x: NDArray[np.float32]) -> NDArray[np.float64]:
    return x.astype(np.float64)


@pytest.mark.parametrize(
    "given_as",
    [
        wide,
        lambda x: x.astype(">f4"),
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.tolist(),
        lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(-1, 3),  # read-only
    ],
)
def test_samples_in_any_form(given_as: Callable[[NDArray[np.float32]], object]) -> None:
    expected = ready_twin().feed(SAMPLES)
    windows = ready_twin().feed(given_as(SAMPLES))  # type: ignore[arg-type]
    assert_same(windows, expected)


def test_whole_numbers_are_samples() -> None:
    whole = np.random.default_rng(0).integers(-2, 3, (100, 3))
    assert_same(ready_twin().feed(whole), ready_twin().feed(whole.astype(np.float32)))


def test_a_double_beyond_float32_is_a_refused_sample() -> None:
    samples = wide(vibration(40))
    samples[10, 1] = 1e300
    twin = ready_twin()
    twin.feed(samples)
    assert twin.counters()["refused_samples"] == 1


@pytest.mark.parametrize("shape", [(0,), (3,), (5, 2), (5, 4), (2, 3, 3)])
def test_bad_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(DeviceError, match=r"samples must have the shape \(n, 3\), not"):
        ready_twin().feed(np.zeros(shape))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros(4, int), r"labels must have the shape \(5,\), not \(4,\)"),
        (np.zeros((5, 1), int), r"labels must have the shape \(5,\), not \(5, 1\)"),
        ([0, 0, 0, 0, 2], "labels go from 0 to 2; this device has 2 classes"),
        ([0, 0, 0, 0, -2], "labels go from -2 to 0; this device has 2 classes"),
        (np.full(5, 65536), "labels go from 65536 to 65536; this device has 2 classes"),
        (np.full(5, 2**63, np.uint64), "labels go from 9223372036854775808"),
        (np.full(5, 0.5), "labels must be whole numbers, not float64"),
        (["a"] * 5, "labels must be whole numbers, not "),
    ],
)
def test_bad_labels(labels: object, says: str) -> None:
    twin = ready_twin()
    before = twin.state
    with pytest.raises(DeviceError, match=says):
        twin.feed(SAMPLES[:5], labels)  # type: ignore[arg-type]
    assert twin.state == before


@pytest.mark.parametrize("gaps", [[5], [-1], [3, 3], [4, 2], [2**40]])
def test_bad_gaps(gaps: list[int]) -> None:
    twin = ready_twin()
    before = twin.state
    with pytest.raises(DeviceError, match="gaps must be rising indices of samples, 0 to 4"):
        twin.feed(SAMPLES[:5], gaps=gaps)
    with pytest.raises(DeviceError, match="gaps must be whole numbers, not float64"):
        twin.feed(SAMPLES[:5], gaps=np.array([1.5]))
    assert twin.state == before


def test_nothing_handed_out_is_shared() -> None:
    """Arrays that were returned stay as they were when the twin goes on."""
    twin = ready_twin()
    windows, weights = twin.feed(SAMPLES[:400], LABELS[:400]), twin.weights()
    kept = {name: column.copy() for name, column in {**vars(windows), **weights}.items()}
    twin.feed(SAMPLES[400:], LABELS[400:])
    for name, column in {**vars(windows), **weights}.items():
        np.testing.assert_array_equal(column, kept[name])
        column[...] = 0


@pytest.mark.parametrize("count", [-1, 2**32 - 1, 2**40])
def test_counts_out_of_range(count: int) -> None:
    twin = ready_twin()
    for attempt in (lambda: twin.fine_tune(count), lambda: twin.label("a", count)):
        with pytest.raises(DeviceError, match=f"is {count}; it must be 0 to 4294967294"):
            attempt()
    with pytest.raises(DeviceError, match="it must be 1 to 65535"):
        twin.label_back("a", count)


# --- threads ---------------------------------------------------------------------------------


def in_threads(n: int, work: Callable[[int], None]) -> None:
    """Runs work(0) ... work(n - 1) at once; re-raises what any of them raised."""
    failures: list[BaseException] = []

    def run(i: int) -> None:
        try:
            work(i)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_twins_side_by_side() -> None:
    """Each thread its own twin: as if each were alone."""
    samples = np.tile(SAMPLES, (20, 1))
    labels = np.tile(LABELS, 20)
    states = [b""] * 4

    def work(i: int) -> None:
        twin = ready_twin()
        for _ in range(3):
            twin.feed(samples, labels)
        states[i] = twin.state

    in_threads(4, work)
    assert states[0]
    assert states == [states[0]] * 4


def test_one_twin_from_several_threads() -> None:
    """Calls take turns: nothing is lost, whatever the order."""
    twin, n_calls = ready_twin(), 60

    def work(i: int) -> None:
        for call in range(n_calls):
            if i == 0:
                twin.feed(SAMPLES[:30])
            elif i == 1:
                twin.label("a", 1)
                twin.feed(SAMPLES[:8])
            elif i == 2:
                twin.add_class(f"c{call}"[:15])
                assert f"c{call}" in twin.classes
                assert len(twin.metrics().f1) >= 2
                twin.remove_class(f"c{call}")
            else:
                before = twin.counters()["samples"]
                image = twin.state
                assert image[:4] == b"TOLS"
                assert twin.weights()["softmax"].shape[1] == twin.n_features
                assert len(twin.class_status()) >= 2
                assert twin.watch().limit >= 0
                assert twin.counters()["samples"] >= before

    in_threads(4, work)
    assert twin.counters()["samples"] == n_calls * 38
    assert twin.classes == ["a", "b"]
    twin.state = twin.state


# --- float mode ------------------------------------------------------------------------------


def tiny_life() -> tuple[bytes, Windows]:
    """A run whose errors are denormal: inputs near 1e-20, and a net without biases."""
    twin = Twin(float_bundle(float_net(biased=False)))
    twin.fine_tune(None)
    windows = twin.feed(SAMPLES * np.float32(1e-20))
    return twin.state, windows


def test_denormals_count_whatever_the_process_does(units: Units) -> None:
    """A library built with -ffast-math flushes them to zero for a whole thread."""
    state, windows = tiny_life()
    smallest_normal = np.finfo(np.float32).tiny
    assert np.all((windows.error > 0) & (windows.error < smallest_normal))
    if units.lib.tinyol_unit_flush_denormals(1) == -1:
        pytest.skip("written for x86 only")
    try:
        bare = units.map("sigmoid", [-100.0])  # the core without the twin's protection
        flushed_state, flushed_windows = tiny_life()
    finally:
        still_on = units.lib.tinyol_unit_flush_denormals(0)
    assert bare[0] == 0 < units.map("sigmoid", [-100.0])[0]
    assert flushed_state == state
    assert_same(flushed_windows, windows)
    assert still_on == 1  # the caller's mode is left as it was
