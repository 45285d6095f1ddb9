"""The Nano 33 BLE's firmware and its model: refused, run by our kernels, run by TFLM."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nano_board import (
    CLASS_ADD,
    HARDWARE,
    LOCATE,
    NAME_SET,
    SAVE,
    STREAM,
    NanoBoard,
    NewBoard,
    boards_in,
    capabilities,
)
from nano_build import SKETCH
from native_build import REPO, compilers
from tflm_stub import TflmStub
from wire_by_hand import FEED_BEGIN, FINE_TUNE, IMAGE_GET, INFO, LABEL, SELF_TEST

from tinyol_sim.bundle import default_bundle

pytestmark = pytest.mark.skipif(not compilers(), reason="no C++ compiler: neither g++ nor clang++")
KERNELS, TFLM, HAS_SENSOR, HAS_LED, HAS_MODEL = 1, 2, 4, 8, 16
NO_MODEL, NOT_FOUND = -16, -3
RUNNING, MISSING = 1, 2
GONE = 0
SAMPLES = 2
SELF_TEST_AT = 84  # in INFO's fields


@pytest.fixture
def board(tmp_path: Path) -> NewBoard:
    return boards_in(tmp_path)


def damaged() -> tuple[bytes, bytes]:
    """A firmware's patch: one bit of its model image is another."""
    image = default_bundle(119.0).model_image
    return image, image[:100] + bytes([image[100] ^ 4]) + image[101:]


def colours(nano: NanoBoard, ms: int = 1000) -> list[str]:
    return [nano.led() for _ in range(ms // 20) if not nano.run(20)]


def hardware(nano: NanoBoard) -> tuple[int, int, float, int, int, int, str]:
    """Sensor, conditions, rate, dropped samples, arena in use, arena, name."""
    *numbers, name = struct.unpack("<BBxxfIII24s", nano.request(HARDWARE))
    return (*numbers, name.rstrip(b"\0").decode())


# --- no model ----------------------------------------------------------------------------------


def test_a_board_whose_model_is_refused_says_so_and_records(board: NewBoard) -> None:
    nano = board(patch=damaged())
    hello = nano.open_usb()
    assert capabilities(hello) == KERNELS | HAS_SENSOR | HAS_LED
    assert struct.unpack_from("<8sf", hello, 16) == (bytes(8), 119.0)  # model id, rate
    nano.request(STREAM, b"\x0a")
    nano.read_usb(2000)
    assert nano.logs == nano.conditions() == ["model refused: CRC-32: damaged"]
    samples = [event for event in nano.events if event[2] == SAMPLES]
    n = sum(event[24] for event in samples)
    assert n == pytest.approx(2 * 119, abs=12)
    first = [struct.unpack_from("<Q", event, 16)[0] for event in samples]
    assert set(np.diff(first)) == {8}
    assert set(colours(nano)) == {"r", ""}
    assert hardware(nano)[:3] == (RUNNING, 1, 119.0)
    assert struct.unpack_from("<I", nano.request(INFO), SELF_TEST_AT) == (3,)
    assert struct.unpack_from("<II", nano.request(SELF_TEST), 8) == (0, 0)  # of the net


def test_what_needs_a_model_is_refused_without(board: NewBoard) -> None:
    nano = board(patch=damaged())
    nano.open_usb()
    for opcode, payload in (
        (CLASS_ADD, b"\x02ok"),
        (LABEL, struct.pack("<hHI", 0, 0, 1)),
        (SAVE, b""),
        (IMAGE_GET, b""),
        (FEED_BEGIN, b""),
    ):
        assert nano.refused(opcode, payload) == (NO_MODEL, "model")
    nano.request(NAME_SET, b"\x04pump")
    nano.run(1200)
    assert nano.name() == "pump"
    nano.lib.stub_usb_open(0)
    assert not nano.run(2000)


# --- TFLM and our kernels ----------------------------------------------------------------------


def tflm(**options: object) -> Callable[[ctypes.CDLL], TflmStub]:
    """TFLM's part, as the model that ships wants it."""
    tflite = default_bundle(119.0).tflite
    return lambda library: TflmStub(library, tflite, **options)  # type: ignore[arg-type]


def of_schema(version: int) -> tuple[bytes, bytes]:
    """A firmware's patch: its .tflite says that it is of another schema."""
    tflite = bytearray(default_bundle(119.0).tflite)
    (root,) = struct.unpack_from("<I", tflite)
    table = root - struct.unpack_from("<i", tflite, root)[0]
    at = root + struct.unpack_from("<H", tflite, table + 4)[0]
    assert struct.unpack_from("<I", tflite, at) == (3,)
    struct.pack_into("<I", tflite, at, version)
    return default_bundle(119.0).tflite, bytes(tflite)


def test_a_build_says_what_runs_its_net(board: NewBoard) -> None:
    own, theirs = board(), board(frozen="tflm", before=tflm())
    flags = HAS_SENSOR | HAS_LED | HAS_MODEL
    assert capabilities(own.open_usb()) == KERNELS | flags
    assert capabilities(theirs.open_usb()) == TFLM | flags
    for nano in (own, theirs):
        assert nano.conditions() == []
        assert struct.unpack_from("<I", nano.request(INFO), SELF_TEST_AT) == (3,)
        wanted, found = struct.unpack_from("<II", nano.request(SELF_TEST), 8)
        assert wanted == found != 0
        used, arena = hardware(nano)[4:6]
        assert 0 < used <= arena


def test_on_tflm_a_board_learns_the_same(board: NewBoard) -> None:
    images = []
    for options in ({}, {"frozen": "tflm", "before": tflm()}):
        nano = board(**options)
        nano.open_usb()
        nano.request(CLASS_ADD, b"\x02ok")
        nano.request(LABEL, struct.pack("<hHI", 0, 0, 0xFFFFFFFF))
        nano.request(FINE_TUNE, struct.pack("<I", 0xFFFFFFFF))
        nano.listen(4000)
        images.append(nano.state())
    assert images[0] == images[1]


def test_a_model_that_tflm_cannot_run_is_told(board: NewBoard) -> None:
    nano = board(frozen="tflm", before=tflm(), patch=of_schema(4))
    assert not capabilities(nano.open_usb()) & HAS_MODEL
    assert nano.conditions() == [
        "model refused: tflite schema: of another version (needed 3, found 4)"
    ]
    refusing = board(frozen="tflm", before=tflm(refuses=True))
    refusing.open_usb()
    assert refusing.conditions() == ["model refused: tflm: not supported"]
    assert set(colours(refusing)) == {"r", ""}
    refusing.request(STREAM, b"\x02")
    refusing.read_usb(500)
    assert any(event[2] == SAMPLES for event in refusing.events)


def test_a_net_that_gives_other_numbers_fails_the_self_test(board: NewBoard) -> None:
    nano = board(frozen="tflm", before=tflm(flip=("embedding", 3)))
    nano.open_usb()
    assert struct.unpack_from("<I", nano.request(INFO), SELF_TEST_AT) == (1,)


def test_no_other_word_names_what_runs_the_net() -> None:
    (compiler, *_) = compilers()
    header = REPO / SKETCH / "frozen_choice.h"
    for word, value in (("tflm", "1"), ("kernels", "0"), ("tensorflow", None), ("", None)):
        done = subprocess.run(
            [*compiler.command, "-E", "-dM", f"-DTINYOL_FROZEN={word}", str(header)],
            capture_output=True,
            text=True,
        )
        assert (done.returncode == 0) == (value is not None)
        assert value is None or f"#define TINYOL_FROZEN_TFLM {value}\n" in done.stdout
        assert value is not None or "TINYOL_FROZEN must be tflm or kernels" in done.stderr


# --- conditions, hardware, LED -----------------------------------------------------------------


def test_a_condition_stands_until_it_is_over(board: NewBoard) -> None:
    nano = board()
    nano.open_usb()
    assert nano.conditions() == []
    assert hardware(nano) == (RUNNING, 0, 119.0, 0, *hardware(nano)[4:6], "TinyOL-1a2b")
    nano.lib.stub_sensor(GONE)
    nano.read_usb(1000)
    assert nano.logs == []  # nobody asked for the log
    assert nano.conditions() == ["sensor missing: it does not answer"]
    assert hardware(nano)[:2] == (MISSING, 1)
    nano.request(STREAM, b"\x08")
    nano.listen(4000)
    assert nano.logs == ["sensor missing: it does not answer"]  # once
    nano.lib.stub_sensor(1)
    nano.listen(4000)
    assert nano.conditions() == []
    assert [line for line in nano.logs if line.startswith("sensor")] == nano.logs[:1]


def test_a_radio_that_does_not_start_is_a_condition(board: NewBoard) -> None:
    nano = board(radio_off=True)
    nano.open_usb()
    assert nano.conditions() == ["radio: Bluetooth does not start"]
    assert set(colours(nano)) == {"r", ""}


def test_locate_blinks_white_above_everything(board: NewBoard) -> None:
    nano = board(patch=damaged())
    nano.open_usb()
    nano.request(LOCATE, b"\x02")
    seen = colours(nano, 1500)
    assert set(seen) == {"rgb", ""}
    changes = sum(a != b for a, b in zip(seen, seen[1:], strict=False))
    assert changes > 12
    nano.run(700)
    assert set(colours(nano)) == {"r", ""}
    nano.request(LOCATE, b"\xff")
    nano.request(LOCATE, b"\x00")
    assert set(colours(nano)) == {"r", ""}
