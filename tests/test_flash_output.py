"""What PlatformIO and the uploader print: the stages read from it, and the reasons of a failure."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tinyol_host.flashing import usb_port
from tinyol_host.flashing.build_failure import advice, lines_that_matter
from tinyol_host.flashing.build_output import BuildOutput
from tinyol_host.flashing.firmware_folder import find_firmware
from tinyol_host.flashing.fitting import MOST_IMAGE_BYTES, check_flash
from tinyol_host.flashing.flash_error import FlashError
from tinyol_host.flashing.stages import Stage, left_as
from tinyol_host.ports import Port
from tinyol_sim.bundle import default_bundle

BAR = "[===============               ] 50% (34/69 pages)"
SEEN = list[tuple[Stage, int, "int | None", str]]


def read(*pieces: str) -> tuple[BuildOutput, SEEN]:
    seen: SEEN = []
    output = BuildOutput(lambda *what: seen.append(what))
    output.begin(Stage.EXPORT)
    for piece in pieces:
        output.feed(piece)
    output.end()
    return output, seen


def test_stages_in_their_order() -> None:
    output, seen = read(
        "Processing nano33ble_sense (platform: nordicnrf52@10.11.0)\n"
        "Library Manager: \x1b[32mInstalling arduino-libraries/ArduinoBLE @ 1.5.0\x1b[0m\n"
        "Compiling .pio/build/x/src/main.cpp.o\nCompiling .pio/build/x/lib123/sgd.cpp.o\n"
        "Archiving .pio/build/x/lib123/libtinyol.a\nLinking .pio/build/x/firmware.elf\n"
        "RAM:   [===       ]  26.4% (used 69228 bytes from 262144 bytes)\n"
        "Flash: [===       ]  29.7% (used 282280 bytes from 917504 bytes)\n"
        "Looking for upload port...\nUploading .pio/build/x/firmware.bin\nErase flash\n"
        f"Write 282280 bytes to flash (69 pages)\n{BAR}\nCompiling what is not\n"
    )
    stages = list(dict.fromkeys(stage for stage, *_ in seen))
    assert stages == [Stage.EXPORT, Stage.FETCH, Stage.COMPILE, Stage.LINK, Stage.UPLOAD]
    assert (Stage.FETCH, 1, None, "arduino-libraries/ArduinoBLE, the first time only") in seen
    assert (Stage.COMPILE, 2, None, "sgd.cpp.o") in seen
    assert seen[-1] == (Stage.UPLOAD, 50, 100, "page 34 of 69")
    assert output.stage is Stage.UPLOAD  # there is no way back from it
    assert (output.flash_used, output.ram_used) == (282280, 69228)
    assert BAR not in output.lines


def test_a_bar_is_seen_before_its_line_ends() -> None:
    _, seen = read(f"Uploading x\n\r{BAR[:20]}", BAR[20:])
    assert (Stage.UPLOAD, 50, 100, "page 34 of 69") in seen


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("No device found on ttyACM0", "press its reset button twice"),
        (
            "Error: Couldn't find a board on the selected port. Check",
            "press its reset button twice",
        ),
        ("SAM-BA operation failed", "press its reset button twice"),
        ("[Errno 13] could not open port /dev/ttyACM0: [Errno 13] Permission denied", "dialout"),
        ("[Errno 16] Device or resource busy: '/dev/ttyACM0'", "ModemManager"),
        ("Flash write failed", "another cable"),
        ("Error: Please specify `upload_port` for environment", "name its port with -d"),
        ("HTTPClientError: ", "needs the Internet"),
        ("ld: region `RAM' overflowed by 8122 bytes", "more RAM than the board has"),
        ("Error: The program size (990000 bytes) is greater than maximum allowed", "too large"),
        (
            "UnknownPackageError: Could not find the package with 'toolchain-gccarmnoneeabi @ <2'"
            " requirements for your system 'linux_aarch64'",
            "from a PC",
        ),
        ("sh: arm-none-eabi-g++: Bad CPU type in executable", "rosetta"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
    ],
)
def test_what_users_meet_is_explained(line, words) -> None:
    lines = ["Compiling .pio/build/x/src/error.cpp.o", line, "*** [x] Error 1"]
    assert words in advice(lines, Stage.LINK)
    assert line in lines_that_matter(lines)
    assert lines[0] not in lines_that_matter(lines)


def test_what_is_not_known_is_shown() -> None:
    elsewhere = "OSError: [Errno 13] Permission denied: '.pio/build/x/firmware.elf'"
    assert advice([elsewhere], Stage.LINK) == ""
    assert lines_that_matter([elsewhere]) == [elsewhere]
    lines = [f"line {i}" for i in range(20)]
    assert lines_that_matter(lines) == lines[-8:]
    assert advice(lines, Stage.COMPILE) == ""
    assert "reset button twice" in advice(lines, Stage.UPLOAD)


def test_what_is_left_follows_from_the_stage() -> None:
    for stage in Stage:
        words = left_as(stage)
        untouched = "was not touched" in words
        assert untouched == (list(Stage).index(stage) < list(Stage).index(Stage.UPLOAD))
        assert ("reset button twice" in words) == (stage is Stage.UPLOAD)


def test_a_bootloader_pads_the_serial_number() -> None:
    sketch = Port("/dev/ttyACM0", "sketch", "768275C7726D618B", "")
    waiting = Port("/dev/ttyACM1", "bootloader", "0000000000000000768275c7726d618b", "")
    other = Port("/dev/ttyACM0", "sketch", "868275C7726D618B", "")
    assert usb_port.is_same_board(sketch, waiting)
    assert not usb_port.is_same_board(sketch, other)
    nameless = Port("/dev/ttyACM0", "sketch", None, "")
    assert usb_port.is_same_board(sketch, nameless)  # by the port
    assert not usb_port.is_same_board(waiting, nameless)


def test_a_board_that_comes_back_late_elsewhere(monkeypatch) -> None:
    board = Port("/dev/ttyACM0", "sketch", "AB12", "")
    neighbour = Port("/dev/ttyACM0", "sketch", "CD34", "")  # has taken its port meanwhile
    back = Port("/dev/ttyACM3", "sketch", "AB12", "")
    looks = iter([[], [neighbour], [neighbour, back]])
    monkeypatch.setattr(usb_port, "list_ports", lambda: next(looks))
    monkeypatch.setattr(usb_port, "LOOK_S", 0.001)
    assert asyncio.run(usb_port.wait_for_program(board)) is back
    monkeypatch.setattr(usb_port, "list_ports", lambda: [neighbour])
    with pytest.raises(FlashError, match=r"did not come back within 0 s \(the ports here: "):
        asyncio.run(usb_port.wait_for_program(board, 0))


def test_the_checkouts_own_firmware() -> None:
    firmware = find_firmware()
    assert (firmware.path / "boards" / "nano33ble" / "export_model.py").is_file()
    rates = {revision: e.sensor_hz for revision, e in firmware.environments.items()}
    assert rates == {1: 119.0, 2: 100.0}


def test_what_the_boards_flash_holds() -> None:
    # Two slots of six pages each, and each slot begins with a header of 40 bytes.
    assert MOST_IMAGE_BYTES == 24536
    for rate_hz in (119.0, 100.0):
        assert asyncio.run(check_flash(default_bundle(rate_hz), "x")) <= MOST_IMAGE_BYTES


def test_it_ends_before_the_build_and_says_so(tmp_path: Path) -> None:
    """A program of its own, as a shell starts it; its PlatformIO ignores the first signal."""
    tests = Path(__file__).parent
    program = f"""
import os, sys
sys.path.insert(0, {str(tests)!r})
from pathlib import Path
from usb_bench import NanoAtPty, UsbBench
from tinyol_host.cli import main
from tinyol_host.flashing import build, usb_port
from tinyol_sim.bundle import default_bundle
build.END_S = 0.3
bench = UsbBench(Path({str(tmp_path)!r}), NanoAtPty(default_bundle()))
(bench.folder / "bin" / "pio").write_text("#!/bin/sh\\ntrap '' INT\\necho $$ > $FAKE_PIO/pid\\n"
    "while :; do sleep 1; done\\n")
usb_port.list_ports = bench.ports
status = main(["flash"])
bench.close()
sys.exit(status)
"""
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path / "home"),
        "FAKE_PIO": str(tmp_path),
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    environment.pop("TINYOL_DEVICE", None)

    async def scenario() -> tuple[int | None, str]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=environment, stderr=asyncio.subprocess.PIPE
        )
        deadline = time.monotonic() + 20
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(child.communicate(), 20)
        return child.returncode, err.decode()

    status, err = asyncio.run(scenario())
    assert (status, err) == (
        130,
        "the board was not touched: it runs what it ran before\ninterrupted\n",
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
