"""Plays PlatformIO for one board: its output, its waits, its failures. Run as a program.

$FAKE_PIO is a folder. In it: `scenario.json` with what is to happen; `calls.json`, one line of JSON
a call, `touched` and `uploaded` are what it leaves for the test.

    fail      "compile", "size", "touch", "erase", "busy": where it ends with an error
    lies      an upload ends well, and did nothing
    hang      seconds that an upload waits in its middle
    chunks    bytes that are written at a time, with a pause; default: lines
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["FAKE_PIO"])
SCENARIO = json.loads((FOLDER / "scenario.json").read_text())
PAGES = 69
SOURCES = ("board.cpp", "ble_port.cpp", "imu_lsm9ds1.cpp", "main.cpp")


def say(text: str) -> None:
    data = text.encode()
    size = SCENARIO.get("chunks") or len(data)
    for at in range(0, len(data), size):
        sys.stdout.buffer.write(data[at : at + size])
        sys.stdout.buffer.flush()


def fail(*lines: str) -> None:
    say("".join(f"{line}\n" for line in lines))
    say("========================= [\x1b[31m\x1b[1mFAILED\x1b[0m] Took 7.34 seconds =====\n")
    sys.exit(1)


def build(environment: str, compiled: bool) -> None:
    folder = f".pio/build/{environment}"
    say(f"Processing {environment} (platform: nordicnrf52@10.11.0; board: nano33ble)\n")
    say("-" * 80 + "\n")
    if not compiled:
        say("Platform Manager: Installing nordicnrf52 @ 10.11.0\nDownloading 0% 10% 20%\n")
        say("Tool Manager: Installing platformio/toolchain-gccarmnoneeabi @ 1.70201.0\n")
    say(f"{folder}/model: model 0123456789abcdef: model_data.h, model_data.cpp\n")
    say("Verbose mode can be enabled via `-v, --verbose` option\nHARDWARE: NRF52840 64MHz\n")
    if not compiled:
        for source in SOURCES:
            say(f"Compiling {folder}/src/{source}.o\n")
        if SCENARIO.get("fail") == "compile":
            fail(
                f"boards/nano33ble/src/{SOURCES[0]}: In member function 'void Board::begin()':",
                f"boards/nano33ble/src/{SOURCES[0]}:30:3: error: 'nonsense' was not declared in"
                " this scope",
                "   nonsense();",
                "   ^~~~~~~~",
                f"*** [{folder}/src/{SOURCES[0]}.o] Error 1",
            )
        say(f"Archiving {folder}/libFrameworkArduino.a\nLinking {folder}/firmware.elf\n")
    say(f"Checking size {folder}/firmware.elf\n")
    say("RAM:   [===       ]  26.4% (used 69228 bytes from 262144 bytes)\n")
    if SCENARIO.get("fail") == "size":
        fail(
            "Error: The program size (990000 bytes) is greater than maximum allowed (917504 bytes)",
            "*** [checkprogsize] Explicit exit, status 1",
        )
    say("Flash: [===       ]  29.7% (used 282280 bytes from 917504 bytes)\n")
    say(f"Building {folder}/firmware.bin\n")


def upload(environment: str, port: str) -> None:
    say("Configuring upload protocol...\nAVAILABLE: cmsis-dap, jlink, nrfjprog, sam-ba\n")
    say("CURRENT: upload_protocol = sam-ba\nLooking for upload port...\n")
    say(f"Using manually specified: {port}\n")
    if SCENARIO.get("fail") == "busy":
        fail(
            "Traceback (most recent call last):",
            f"serial.serialutil.SerialException: [Errno 16] could not open port {port}:"
            f" [Errno 16] Device or resource busy: '{port}'",
            "*** [upload] could not open port",
        )
    if SCENARIO.get("lies"):
        return
    say(f"Forcing reset using 1200bps open/close on port {port}\n")
    say("Waiting for the new upload port...\n")
    if SCENARIO.get("fail") == "touch":
        fail(f"No device found on {port.rsplit('/', 1)[-1]}", "*** [upload] Error 1")
    (FOLDER / "touched").touch()
    say(f"Uploading .pio/build/{environment}/firmware.bin\nErase flash\n")
    if SCENARIO.get("fail") == "erase":
        fail("", "Flash erase failed", "*** [upload] Error 1")
    say(f"\nDone in 0.001 seconds\nWrite 282280 bytes to flash ({PAGES} pages)\n")
    for page in range(0, PAGES + 1, 3):
        bar = "=" * (30 * page // PAGES)
        # A newline for bossac's carriage return, as PlatformIO passes it on to a pipe.
        say(f"[{bar:<30}] {100 * page // PAGES}% ({page}/{PAGES} pages)\n")
        if page == 30:
            (FOLDER / "half").touch()
            time.sleep(SCENARIO.get("hang", 0))
    say("Done in 11.520 seconds\n")
    (FOLDER / "uploaded").touch()


def main() -> None:
    words = sys.argv[1:]
    with (FOLDER / "calls.json").open("a") as calls:
        names = ("TINYOL_BUNDLE", "PLATFORMIO_BUILD_FLAGS")
        variables = {name: os.environ.get(name) for name in names}
        call = {"words": words, "cwd": os.getcwd(), "pid": os.getpid(), **variables}
        calls.write(json.dumps(call) + "\n")
    environment = words[words.index("-e") + 1]
    uploads = "upload" in words
    build(environment, compiled=uploads)
    if uploads:
        upload(environment, words[words.index("--upload-port") + 1])
    say("========================= [\x1b[32m\x1b[1mSUCCESS\x1b[0m] Took 8.01 seconds =====\n")


if __name__ == "__main__":
    main()
