"""The Nano's firmware while its 32-bit clocks wrap: micros() every 71 minutes, millis() after 49
days. Whatever the time is at power-up, it does the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from nano_board import LOCATE, STREAM, NanoBoard, boards_in
from native_build import compilers

pytestmark = pytest.mark.skipif(not compilers(), reason="no C++ compiler: neither g++ nor clang++")
SAMPLES_AND_LOG = 2 + 8
# Time of the turn, and how long before it the power comes: that of micros() falls into the sleep
# below, in which samples are lost, that of millis() into the blinking of the LED.
TURNS_US = {
    "micros": (1 << 32, 9_000_000),
    "half of micros": (1 << 31, 9_000_000),
    "millis": (1000 << 32, 4_000_000),
    "half of millis": (1000 << 31, 4_000_000),
}


def clock(us: int) -> Callable[[ctypes.CDLL], None]:
    def set_it(lib: ctypes.CDLL) -> None:
        lib.stub_clock.argtypes = [ctypes.c_uint64]
        lib.stub_clock(us)

    return set_it


def course(start_us: int, revision: int) -> tuple[list[bytes], list[str], list[str]]:
    """Events (but for the boot's own number), log lines and the LED's colours, of 12 s."""
    with TemporaryDirectory() as folder:
        nano: NanoBoard = boards_in(Path(folder))(revision, before=clock(start_us))
        colours = []
        nano.open_usb()
        nano.request(STREAM, bytes([SAMPLES_AND_LOG]))
        nano.connect()
        for second in range(12):
            if second == 3:
                nano.request(LOCATE, bytes([2]))
            if second == 7:
                nano.lib.stub_sleep(3500)  # nobody reads the FIFO meanwhile
            nano.request(3)
            for _ in range(10):
                nano.read_usb(100)
                # Whatever colour it blinks in, its phase is the clock's own.
                colours.append(nano.led())
        events = [event[:8] + event[12:] for event in nano.events]
        assert sum(event[2] == 2 for event in events) > 50
        return events, nano.logs, colours


@cache
def usual(revision: int) -> tuple[list[bytes], list[str], list[str]]:
    return course(0, revision)


@pytest.mark.parametrize("revision", [1, 2])
@pytest.mark.parametrize("turn", list(TURNS_US))
def test_a_clock_that_wraps_changes_nothing(turn: str, revision: int) -> None:
    events, logs, colours = usual(revision)
    turn_us, before_us = TURNS_US[turn]
    start_us = turn_us - before_us
    found = course(start_us - start_us % 1000, revision)  # both clocks begin as in the usual course
    assert any("dropped" in line for line in logs)
    assert found[1] == logs
    assert found[0] == events
    # It blinks as long, in the same colours.
    assert set(found[2]) == set(colours)
