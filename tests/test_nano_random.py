"""Where the Nano 33 BLE's random numbers come from: the chip's generator, tested, before the radio.

The stub of the generator ends the process if it is touched once the radio has started.
"""

from __future__ import annotations

import ctypes
import random
from pathlib import Path

import pytest
from nano_board import (
    ACCESS,
    CHALLENGE,
    CLASS_ADD,
    FIRST,
    PAIR,
    ROTATE,
    NanoBoard,
    NewBoard,
    boards_in,
)
from nano_build import build_firmware
from native_build import compilers

pytestmark = pytest.mark.skipif(not compilers(), reason="no C++ compiler: neither g++ nor clang++")
NOISE, SILENT, STUCK, BIASED, BREAKS_OFF, REPEATS_ONCE = range(6)
NONE, HARDWARE = 0, 1
UNSUPPORTED = -14
START_BYTES = 1024
WINDOW, FAILS_IN_A_ROW, FAILS_IN_A_WINDOW = 512, 6, 62  # SP 800-90B, 4.4: 4 bits a byte, 2^-20


@pytest.fixture
def board(tmp_path: Path) -> NewBoard:
    return boards_in(tmp_path)


@pytest.fixture(scope="module")
def firmware() -> ctypes.CDLL:
    return ctypes.CDLL(str(build_firmware(1)))


def random_source(nano: NanoBoard) -> int:
    return nano.request(ACCESS)[1]


def test_the_seed_is_drawn_once_before_the_radio_starts(board: NewBoard) -> None:
    nano = board()
    assert nano.lib.stub_radio_started() == 1
    assert nano.lib.stub_noise_bytes() == START_BYTES
    nano.open_usb()
    assert random_source(nano) == HARDWARE
    nano.request(PAIR, FIRST)
    for _ in range(3):
        nano.request(PAIR, ROTATE)
        nano.request(CHALLENGE, bytes(16))
    assert nano.lib.stub_noise_bytes() == START_BYTES
    assert nano.lib.stub_noise_left_as() == 0  # as it was found
    assert nano.conditions() == []


def test_no_two_boots_and_no_two_draws_are_alike(board: NewBoard) -> None:
    boot_ids, drawn = set(), []
    for _ in range(4):
        nano = board()
        nano.open_usb()
        boot_ids.add(nano.boot_id)
        drawn.append(nano.request(PAIR, FIRST))
        drawn += [nano.request(PAIR, ROTATE), nano.request(PAIR, ROTATE)]
        drawn += [nano.request(CHALLENGE, bytes(16)) for _ in range(2)]
    assert len(boot_ids) == 4
    assert {len(one) for one in drawn} == {32, 16}
    assert len({one[:16] for one in drawn}) == len(drawn) == 20


@pytest.mark.parametrize("noise", [SILENT, STUCK, BIASED, BREAKS_OFF, REPEATS_ONCE])
def test_a_generator_that_fails_is_told_and_nothing_is_drawn(board: NewBoard, noise: int) -> None:
    nano = board(noise=noise)
    nano.open_usb()
    assert nano.conditions() == ["random numbers: the generator fails"]
    assert random_source(nano) == NONE
    assert nano.refused(PAIR, FIRST) == (UNSUPPORTED, "random")
    assert nano.boot_id == 1
    assert nano.lib.stub_noise_left_as() == 0
    nano.request(CLASS_ADD, b"\x02ok")  # it works all the same


def test_a_board_that_was_paired_and_whose_generator_fails_says_so(board: NewBoard) -> None:
    nano = board()
    nano.open_usb()
    nano.request(PAIR, FIRST)
    after = board(flash=nano.flash, noise=SILENT)
    after.open_usb()
    assert after.request(ACCESS)[0] & 1
    assert after.refused(CHALLENGE, bytes(16)) == (UNSUPPORTED, "random")


def passes(data: bytes) -> bool:
    """SP 800-90B, 4.4.1 and 4.4.2, over whole and begun windows."""
    runs = any(len(set(data[i : i + FAILS_IN_A_ROW])) == 1
               for i in range(len(data) - FAILS_IN_A_ROW + 1))  # fmt: skip
    windows = (data[i : i + WINDOW] for i in range(0, len(data), WINDOW))
    alike = any(window.count(window[0]) >= FAILS_IN_A_WINDOW for window in windows)
    return len(data) >= START_BYTES and not runs and not alike


def altered(chooser: random.Random) -> bytes:
    """Noise in which a byte comes more often, or more often in a row, near the limits."""
    data = bytearray(chooser.randbytes(chooser.choice([1023, 1024, 1024, 1500, 2048])))
    if chooser.random() < 0.5:
        at = chooser.randrange(len(data) - 8)
        n = chooser.randrange(4, 8)
        data[at : at + n] = bytes([data[at]]) * n
    if chooser.random() < 0.7:
        begin = WINDOW * chooser.randrange(2)
        # Every eighth, or thereabouts: never six in a row.
        for k in range(chooser.randrange(55, 64)):
            data[begin + 8 * k] = data[begin]
    return bytes(data)


def test_the_health_tests_are_those_of_the_standard(firmware: ctypes.CDLL) -> None:
    chooser = random.Random(90)
    found = [0, 0]
    for _ in range(3000):
        data = altered(chooser)
        expected = passes(data)
        assert firmware.stub_noise_passes(data, len(data)) == expected
        found[expected] += 1
    assert min(found) > 500


def test_sound_noise_is_not_refused(firmware: ctypes.CDLL) -> None:
    chooser = random.Random(1)
    for _ in range(2000):
        assert firmware.stub_noise_passes(chooser.randbytes(START_BYTES), START_BYTES) == 1
