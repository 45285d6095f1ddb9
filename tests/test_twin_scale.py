"""Long streams through the twin: linear in length, flat in memory, beside other threads."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyol_sim.benchmark import one_feed
from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.twin import Twin

PIECE = 10_000  # samples


def bundle(hop: int) -> Bundle:
    shipped = default_bundle(119.0)
    pipeline = replace(shipped.pipeline, hop=hop)
    return Bundle.create(
        shipped.tflite,
        pipeline,
        settings=shipped.settings,
        normal=shipped.normal,
        taps=shipped.taps,
    )


def shaken(n: int) -> NDArray[np.float32]:
    return np.random.default_rng(n).normal([0, 0, 1], 0.25, (n, 3)).astype(np.float32)


def teaching_twin() -> Twin:
    twin = Twin(bundle(hop=1))
    twin.add_class("normal")
    twin.label("normal")
    return twin


def test_another_thread_runs_while_a_stretch_is_fed() -> None:
    """Were the GIL held, nothing else could run in the middle half of the call."""
    twin, samples = teaching_twin(), shaken(200_000)
    began, ended, seen = [0.0], [0.0], list[float]()
    started = threading.Event()

    def feed() -> None:
        started.set()
        began[0] = time.perf_counter()
        twin.feed(samples)
        ended[0] = time.perf_counter()

    worker = threading.Thread(target=feed)
    worker.start()
    started.wait()
    while worker.is_alive():
        seen.append(time.perf_counter())
        time.sleep(0.0005)
    worker.join()
    quarter = (ended[0] - began[0]) / 4
    assert any(began[0] + quarter < moment < ended[0] - quarter for moment in seen)


def test_twins_side_by_side_end_in_the_state_of_one_alone() -> None:
    samples = [shaken(20_000 + i) for i in range(4)]
    alone = [teaching_twin() for _ in samples]
    together = [teaching_twin() for _ in samples]
    for twin, stretch in zip(alone, samples, strict=True):
        twin.feed(stretch)
    workers = [
        threading.Thread(target=twin.feed, args=(stretch,))
        for twin, stretch in zip(together, samples, strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [twin.state for twin in together] == [twin.state for twin in alone]


def test_a_window_costs_the_same_however_long_the_stretch() -> None:
    """Eight times as many, in one call: far from eight times the time for each."""

    def seconds_a_window(n: int) -> float:
        samples, least = shaken(n), float("inf")
        for _ in range(3):
            twin = teaching_twin()
            start = time.thread_time()
            windows = twin.feed(samples)
            least = min(least, (time.thread_time() - start) / len(windows))
        return least

    assert seconds_a_window(8 * PIECE) < 3 * seconds_a_window(PIECE)


def run_and_read(program: str) -> list[int]:
    """The whole numbers that a Python of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=__file__.rpartition("/")[0],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


# Not ru_maxrss: a process begins with that of the one that started it.
PEAK_MB = """
import numpy as np
from test_twin_scale import PIECE, bundle, shaken, teaching_twin
from tinyol_sim.twin import Twin

def peak_mb():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) // 1024
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no /proc")
def test_a_stream_fed_in_pieces_takes_no_more_memory_the_longer_it_is() -> None:
    few, many = run_and_read(
        PEAK_MB
        + """
twin, samples = teaching_twin(), shaken(PIECE)
labels = np.zeros(PIECE, np.int16)
for i in range(100):
    twin.feed(samples, labels, gaps=[5])
    if i in (9, 99):
        print(peak_mb())
"""
    )
    assert many - few <= 2  # MB; all windows of 90 pieces would be 100


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in other units")
def test_a_contiguous_float32_array_is_not_copied() -> None:
    before, fed, converted = run_and_read(
        PEAK_MB
        + """
twin, samples = Twin(bundle(hop=1000)), np.zeros((4_000_000, 3), np.float32)
samples[:, 2] = 1
print(peak_mb())
twin.feed(samples)
print(peak_mb())
twin.feed(np.asfortranarray(samples))
print(peak_mb())
"""
    )
    assert fed - before <= 5  # MB; a copy would be 46
    assert converted - fed >= 40  # which this measure sees


def test_the_profiled_job_runs_and_says_how_it_is_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert one_feed.main(["paper", "2"]) == 0
    assert "paper: 199 windows" in capsys.readouterr().out  # of 238 samples, 40 a window
    for wrong in (["papers"], ["paper", "0"], ["paper", "x"], ["paper", "2", "3"]):
        assert one_feed.main(wrong) == 2
        assert "one_feed [shipped|paper]" in capsys.readouterr().err
