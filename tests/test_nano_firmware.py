"""The Nano 33 BLE's firmware, compiled against stubs of the Arduino core and run on them."""

from __future__ import annotations

import importlib.util
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulator_cases import HAS_GCC, int8_bundle
from nano_board import (
    BULK,
    CLASS_ADD,
    CONTROL,
    EVENTS,
    INFO_VALUE,
    SAVE,
    STREAM,
    Flash,
    NanoBoard,
    NewBoard,
    board_of,
    boards_in,
    capabilities,
)
from nano_build import with_crc
from native_build import compilers
from wire_by_hand import (
    CALIBRATE,
    FEED,
    FEED_BEGIN,
    INFO,
    LABEL,
    SELF_TEST,
    SETTING_SET,
    UNKNOWN_NAME,
    open_wire,
)

from tinyol_host.cli import main as tinyol
from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.c_arrays import write_c_arrays
from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.machine import new_machine
from tinyol_sim.settings import SETTINGS
from tinyol_sim.synth import synthesize

pytestmark = pytest.mark.skipif(not compilers(), reason="no C++ compiler: neither g++ nor clang++")
SAMPLES = 2
GONE, RUNS, SILENT, REPEATS = range(4)
HAS_SENSOR = 4
LOST_EVENTS_AT = 80  # in INFO's fields


def without_alarm(
    nano: NanoBoard, threshold: float = SETTINGS["anomaly.threshold"].maximum
) -> None:
    """The stub's sensor counts, which is no fan: the alarm goes by the error, above this."""
    for name, value in (("anomaly.detector", 0.0), ("anomaly.threshold", threshold)):
        nano.request(SETTING_SET, struct.pack("<HHf", SETTINGS[name].id, 0, value))


@pytest.fixture
def board(tmp_path: Path) -> NewBoard:
    return boards_in(tmp_path)


def samples_of(board: NanoBoard) -> list[tuple[int, int, np.ndarray]]:
    """Index of the first, gaps, and samples of each SAMPLES event."""
    found = []
    for event in board.events:
        if event[2] == SAMPLES:
            first, n, gaps = struct.unpack_from("<QBB", event, 16)
            found.append((first, gaps, np.frombuffer(event, "<f4", 3 * n, 28).reshape(n, 3)))
    return found


@pytest.mark.parametrize("revision", [1, 2])
def test_samples_come_at_the_sensors_rate(board: NewBoard, revision: int) -> None:
    nano = board(revision)
    hello = nano.open_usb()
    assert capabilities(hello) & HAS_SENSOR
    assert board_of(hello) == f"nano33ble-rev{revision}"
    nano.request(STREAM, bytes([2]))
    nano.read_usb(3000)
    streamed = samples_of(nano)
    n = sum(len(s) for _, _, s in streamed)
    assert n == pytest.approx(3 * (119, 100)[revision - 1], abs=12)
    assert sum(gaps for _, gaps, _ in streamed[1:]) == 0
    # The stub's sensor counts: nothing is missing or twice, and the axes are revision 1's.
    x, y, z = np.concatenate([s for _, _, s in streamed]).T
    sign = 1 if revision == 1 else -1
    assert set(np.unique(np.diff(z))) == {np.float32(4 / 32768)}
    assert (x == sign * z).all()
    assert (y == sign * z).all()


@pytest.mark.parametrize("revision", [1, 2])
def test_lost_samples_are_counted_and_make_a_gap(board: NewBoard, revision: int) -> None:
    nano = board(revision)
    nano.open_usb()
    nano.request(STREAM, bytes([2 + 8]))
    nano.read_usb(300)
    before = len(samples_of(nano))
    nano.lib.stub_sleep(4000)  # nobody reads the FIFO meanwhile
    nano.read_usb(500)
    lost = int(next(line for line in nano.logs if "dropped" in line).split()[1])
    held, rate = ((32, 119), (290, 100))[revision - 1]
    assert lost == pytest.approx(4 * rate - held, abs=4)
    assert sum(gaps for _, gaps, _ in samples_of(nano)[before:]) == 1


@pytest.mark.parametrize("revision", [1, 2])
@pytest.mark.parametrize(
    ("state", "words"), [(GONE, "missing"), (SILENT, "silent"), (REPEATS, "stuck")]
)
def test_a_dead_sensor_is_an_error_and_comes_back(
    board: NewBoard, revision: int, state: int, words: str
) -> None:
    nano = board(revision)
    nano.open_usb()
    without_alarm(nano)
    nano.request(STREAM, bytes([2 + 8]))
    nano.read_usb(1000)
    nano.lib.stub_sensor(state)
    nano.listen(4000)
    assert any(words in line for line in nano.logs)
    assert {nano.led() for _ in range(20) if not nano.run(50)} == {"r", ""}
    events = len(samples_of(nano))
    nano.listen(4000)
    assert len(samples_of(nano)) <= events + 1  # nothing is made up
    nano.lib.stub_sensor(RUNS)
    nano.listen(6000)
    assert nano.led() == "b"
    back = samples_of(nano)[events:]
    assert sum(gaps for _, gaps, _ in back) >= 1
    assert len(back) > 5


def test_without_a_sensor_the_board_says_so_and_can_be_fed(board: NewBoard) -> None:
    nano = board(sensor=GONE)
    assert not capabilities(nano.open_usb()) & HAS_SENSOR
    assert {nano.led() for _ in range(20) if not nano.run(50)} == {"r", ""}
    nano.request(FEED_BEGIN)
    nano.run(50)
    assert nano.led() == "b"


def test_a_model_for_another_rate_is_refused(board: NewBoard) -> None:
    image = default_bundle(119.0).model_image
    other = image.replace(struct.pack("<f", 119.0), struct.pack("<f", 100.0), 1)
    nano = board(patch=(image, with_crc(other)))
    assert not capabilities(nano.open_usb()) & HAS_SENSOR
    nano.request(STREAM, bytes([2 + 8]))
    nano.read_usb(2000)
    assert any("another sampling rate" in line for line in nano.logs)
    assert samples_of(nano) == []
    assert {nano.led() for _ in range(20) if not nano.run(50)} == {"r", ""}


def test_the_led_tells_the_state(board: NewBoard) -> None:
    flash = Flash()
    taught = board(flash=flash)
    taught.open_usb()
    without_alarm(taught)
    taught.request(SAVE)
    nano = board(flash=flash)
    alone = [nano.led() for _ in range(200) if not nano.run(20)]
    assert set(alone) == {"b", ""}
    assert alone.count("b") < 20  # flashes
    nano.open_usb()
    assert {nano.led() for _ in range(100) if not nano.run(20)} == {"b"}
    nano.request(CLASS_ADD, b"\x02ok")
    nano.request(LABEL, struct.pack("<hHI", 0, 0, 0xFFFFFFFF))
    assert {nano.led() for _ in range(100) if not nano.run(20)} == {"rg", ""}
    nano.request(LABEL, struct.pack("<hHI", -1, 0, 0))
    nano.request(CALIBRATE, struct.pack("<II", 0, 1000))
    assert {nano.led() for _ in range(100) if not nano.run(20)} == {"rg", ""}
    nano.request(CALIBRATE, struct.pack("<II", 0, 0))
    without_alarm(nano, 0.0)
    nano.run(1000)
    assert {nano.led() for _ in range(50) if not nano.run(20)} == {"r"}


def test_the_led_tells_what_no_class_explains(board: NewBoard) -> None:
    nano = board()
    nano.open_usb()
    without_alarm(nano)
    nano.request(CLASS_ADD, b"\x02ok")
    nano.request(LABEL, struct.pack("<hHI", 0, 0, 40))
    nano.read_usb(9000)
    assert nano.led() == "b"
    fan = synthesize("normal", 10.0).samples
    nano.request(FEED_BEGIN)
    for at in range(0, 1000, 40):
        chunk = fan[at : at + 40]
        head = struct.pack("<BBH", len(chunk), 0, 0)
        nano.request(FEED, head + chunk.tobytes())
    colours = [nano.led() for _ in range(100) if not nano.run(10)]
    assert set(colours) == {"rb", ""}
    assert 0.4 < colours.count("rb") / 100 < 0.6
    nano.request(UNKNOWN_NAME, struct.pack("<I", 1) + b"\x03fan")
    assert {nano.led() for _ in range(50) if not nano.run(20)} == {"b"}


def test_a_host_that_does_not_read_stops_nothing(board: NewBoard) -> None:
    nano = board()
    nano.open_usb()
    nano.request(STREAM, bytes([3]))
    nano.lib.stub_usb_stuck(1)
    assert not nano.run(8000)
    nano.lib.stub_usb_stuck(0)
    nano.read_usb(500)
    info = nano.request(INFO)
    lost_events = struct.unpack_from("<I", info, LOST_EVENTS_AT)[0]
    assert lost_events > 0
    assert struct.unpack_from("<I", info, 8)[0] <= 1  # gaps: the sensor was read all the time


def test_a_port_that_is_closed_ends_its_streams(board: NewBoard) -> None:
    nano = board()
    nano.open_usb()
    nano.request(STREAM, bytes([3]))
    nano.lib.stub_usb_open(0)
    nano.run(100)
    nano.open_usb()
    nano.events.clear()
    nano.read_usb(500)
    assert nano.events == []


# --- Bluetooth ---------------------------------------------------------------------------------


def hello_by_radio(nano: NanoBoard) -> list[tuple[str, bytes]]:
    nano.write_radio(CONTROL, nano.message(1, struct.pack("<QQ", 9, 0)))
    nano.run(10)
    return nano.read_radio()


def test_a_reply_comes_where_its_request_was_written_without_an_echo(board: NewBoard) -> None:
    nano = board()
    assert nano.lib.stub_radio_name() == b"TinyOL-1a2b"
    nano.connect()
    replies = hello_by_radio(nano)
    assert [(uuid, value[1]) for uuid, value in replies] == [(CONTROL, 2)]
    header = struct.unpack_from("<BBBBHHIHH", replies[0][1])
    nano.session, nano.boot_id, nano.sequence = header[4], header[6], 1
    assert struct.unpack_from("<H", replies[0][1], 30)[0] == 244
    nano.write_radio(BULK, nano.message(INFO))
    nano.run(10)
    assert [(uuid, value[1]) for uuid, value in nano.read_radio()] == [(BULK, 2)]
    nano.sequence = 2
    nano.write_radio(CONTROL, nano.message(STREAM, b"\1"))
    nano.run(3000)
    assert {uuid for uuid, _ in nano.read_radio()} == {CONTROL, EVENTS}


def test_info_can_be_read_without_a_session(board: NewBoard) -> None:
    nano = board()
    assert board_of(nano.read_value(INFO_VALUE)) == "nano33ble-rev1"


def test_a_full_controller_loses_events_and_stops_nothing(board: NewBoard) -> None:
    nano = board()
    nano.open_usb()
    nano.connect()
    header = struct.unpack_from("<BBBBHHIHH", hello_by_radio(nano)[0][1])
    usb = (nano.session, nano.sequence)
    nano.session, nano.sequence = header[4], 1
    nano.write_radio(CONTROL, nano.message(STREAM, b"\3"))
    nano.run(100)
    nano.lib.stub_radio_full(1)
    assert not nano.run(5000)
    nano.session, nano.sequence = usb
    info = nano.request(INFO)
    assert struct.unpack_from("<I", info, LOST_EVENTS_AT)[0] > 0
    assert struct.unpack_from("<I", info, 8)[0] <= 1  # gaps
    # The connection breaks while packets are under way: the next one finds an empty controller.
    nano.lib.stub_radio_connect(0, 23)
    nano.run(50)
    nano.lib.stub_radio_full(0)
    nano.read_radio()
    nano.connect()
    nano.session = nano.sequence = nano.boot_id = 0
    assert len(hello_by_radio(nano)) == 1


def test_a_central_that_died_is_disconnected(board: NewBoard) -> None:
    nano = board()
    nano.connect()
    nano.run(15000)
    assert nano.lib.stub_radio_connected()
    hello_by_radio(nano)
    nano.run(15000)
    assert nano.lib.stub_radio_connected()
    nano.run(10000)
    assert not nano.lib.stub_radio_connected()


def test_usb_and_bluetooth_are_one_device(board: NewBoard) -> None:
    nano = board()
    nano.open_usb()
    nano.connect(mtu=23)
    pieces = [value for _, value in hello_by_radio(nano)]
    assert all(len(piece) <= 20 for piece in pieces)
    message = b"".join(piece[1:] for piece in pieces)
    assert struct.unpack_from("<H", message, 30)[0] == 244
    nano.request(CLASS_ADD, b"\x04fine")
    nano.run(50)
    told = b"".join(value[1:] for uuid, value in nano.read_radio() if uuid == EVENTS)
    assert told.endswith(b"\x04fine")


# --- faults ------------------------------------------------------------------------------------


def test_a_stalled_loop_resets_the_board_and_the_next_boot_says_where(board: NewBoard) -> None:
    nano = board()
    assert nano.lib.stub_ticks(15) == 0
    nano.run(10)  # a pass of the loop feeds it
    assert nano.lib.stub_ticks(15) == 0
    assert nano.lib.stub_ticks(1) == 1
    assert nano.lib.stub_setup() == 0  # the same RAM: what was retained is there
    nano.open_usb()
    nano.request(STREAM, b"\x08")
    nano.read_usb(100)
    assert "last run: stalled at 0x000123ab" in nano.logs
    # RAM that a bootloader overwrote: a register is left.
    after = board(retained=nano.kept())
    after.open_usb()
    after.request(STREAM, b"\x08")
    after.read_usb(100)
    assert "last run: stalled" in after.logs
    again = board(retained=(0, 0))
    again.open_usb()
    again.request(STREAM, b"\x08")
    again.read_usb(100)
    assert again.logs == []


def test_a_fatal_error_is_recorded_and_a_warning_is_not(board: NewBoard) -> None:
    nano = board()
    assert nano.lib.stub_crash(0x1234, -5, 0) == 0
    assert nano.lib.stub_crash(0x1234, -5, 1) == 1
    after = board(retained=nano.kept())
    after.open_usb()
    after.request(STREAM, b"\x08")
    after.read_usb(100)
    assert "last run: crashed" in after.logs


def test_the_chips_watchdog_is_longer_than_an_upload_and_fed(board: NewBoard) -> None:
    nano = board(retained=(2, 0))  # DOG
    nano.open_usb()
    nano.request(STREAM, b"\x08")
    nano.read_usb(100)
    assert "last run: hung, interrupts off" in nano.logs


# --- the model, and the arithmetic -------------------------------------------------------------


def test_code_runs_from_the_cache(board: NewBoard) -> None:
    assert board().lib.stub_instructions_cached() == 1


def test_model_export_writes_what_a_build_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = int8_bundle()
    bundle.save(tmp_path / "own.tinyol")
    assert tinyol(["model", "export", str(tmp_path / "own.tinyol"), "--to", str(tmp_path)]) == 0
    assert bundle.model_id in capsys.readouterr().out
    flags = (tmp_path / "model_flags.txt").read_text().split()
    assert "-DTINYOL_MAX_CLASSES=5" in flags
    text = (tmp_path / "model_data.cpp").read_text()
    array = text[text.index("{\n    0x") : text.index("};")]
    image = bytes(int(word, 16) for word in array.replace(",", " ").split()[1:])
    assert zlib.crc32(image) == zlib.crc32(bundle.model_image)
    written = [path.stat().st_mtime_ns for path in write_c_arrays(bundle, tmp_path)]
    assert [path.stat().st_mtime_ns for path in write_c_arrays(bundle, tmp_path)] == written


def test_model_export_refuses_another_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = int8_bundle()
    odd = Bundle.create(bundle.tflite, replace(bundle.pipeline, rate_hz=104.0))
    odd.save(tmp_path / "odd.tinyol")
    words = ["model", "export", str(tmp_path / "odd.tinyol"), "--to", str(tmp_path / "model")]
    assert tinyol([*words, "--rate-hz", "119"]) == 1
    assert "made for 104 Hz, and the board's sensor runs at 119 Hz" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


@pytest.mark.skipif(
    not (HAS_GCC and importlib.util.find_spec("unicorn")), reason="no arm-none-eabi-g++ or unicorn"
)
def test_the_arduino_cores_flags_give_the_expected_numbers() -> None:
    """Its -Os, its standard, and no word against fused multiply-adds: GCC's default is to fuse."""
    arduino = ("-std=gnu++14", "-funsigned-char", "-ffp-contract=fast", "-fomit-frame-pointer")
    image = build_image(default_bundle(119.0), compiler="gcc", optimize="-Os", extra=arduino)
    with new_machine(image, "unicorn") as machine:
        found = struct.unpack("<IIII", open_wire(machine).request(SELF_TEST))
    assert found[0] == found[1]
    assert found[2] == found[3]
