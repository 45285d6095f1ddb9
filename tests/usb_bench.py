"""A Nano 33 BLE at USB as a test sees it: its ports, and the device's code behind one of them."""

from __future__ import annotations

import json
import os
import select
import sys
import time
import tty
from pathlib import Path
from typing import Any

import numpy as np
from boards_with_flash import MemoryFlash
from pty_board import PtyBoard
from wire_by_hand import SELF_TEST, decode_frame

from tinyol_host.ports import Port
from tinyol_sim._core import ffi, lib
from tinyol_sim.bundle import Bundle
from tinyol_sim.refusals import new_refusal

SERIAL = "768275C7726D618B"
REPLY = 2
BODY = 28  # behind header and outcome
KERNELS, TFLM = 1, 2


class NanoAtPty(PtyBoard):
    """TinyOL on a Nano: the twin's board, which calls itself one and has a sensor if it is to."""

    def __init__(
        self,
        bundle: Bundle,
        name: str = "nano33ble-rev1",
        sensor: bool = True,
        broken: bool = False,
        tflm: bool = False,
        flash: MemoryFlash | None = None,
    ) -> None:
        super().__init__(bundle)
        self.bundle = bundle
        self.flash = flash or MemoryFlash(16, 4096)  # must outlive the board
        lib.tinyol_board_attach_flash(self._board, self.flash.handle, new_refusal())
        if sensor:
            lib.tinyol_board_give_sensor(self._board, bundle.pipeline.rate_hz)
        lib.tinyol_board_be(self._board, name.encode(), TFLM if tflm else KERNELS)
        self.sensor, self.broken = sensor, broken

    def with_the_same_flash(self) -> NanoAtPty:
        """As after an upload that leaves the flash's last pages alone."""
        return NanoAtPty(self.bundle, flash=self.flash)

    def _pump(self) -> None:
        unfinished, out, framed = b"", ffi.new("uint8_t[512]"), ffi.new("uint8_t[524]")
        noise = np.random.default_rng(1)
        while not self._stop.is_set():
            if self.sensor:
                sample = noise.normal(0, 0.1, (2, 3)).astype(np.float32)
                lib.tinyol_board_sense(self._board, ffi.from_buffer("float *", sample), 2, False)
            if not select.select([self._master], [], [], 0.02)[0]:
                continue
            *frames, unfinished = (unfinished + os.read(self._master, 4096)).split(b"\0")
            for frame in filter(None, frames):
                message = decode_frame(frame)
                now_ms = time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF
                lib.tinyol_board_receive(self._board, 0, message, len(message), now_ms)
            while length := lib.tinyol_board_take(self._board, 0, out):
                message = bytearray(ffi.buffer(out, length))
                if self.broken and bytes(message[1:3]) == bytes([REPLY, SELF_TEST]):
                    message[BODY + 4] ^= 1
                size = lib.tinyol_encode_frame(bytes(message), length, framed)
                os.write(self._master, ffi.buffer(framed, size))


class OtherSketch(PtyBoard):
    """A program of somebody else, as on a board from the factory: it answers nothing."""

    def _pump(self) -> None:
        while not self._stop.is_set():
            if select.select([self._master], [], [], 0.02)[0]:
                os.read(self._master, 4096)


class UsbBench:
    """One board, whose port follows what the fake PlatformIO does to it.

    after: what runs once it was uploaded; None = nothing comes back.
    stays: it does not leave its bootloader.
    """

    def __init__(self, folder: Path, before: PtyBoard) -> None:
        self.folder = folder
        self.now: PtyBoard | None = before
        self.after: PtyBoard | None = None
        self.stays = False
        self.others: list[Port] = []
        self.in_bootloader = False
        before.plug_in()
        (folder / "bin").mkdir()
        program = folder / "bin" / "pio"
        program.write_text(
            f"#!{sys.executable} -SE\nimport runpy\n"
            f"runpy.run_path({str(Path(__file__).with_name('fake_pio.py'))!r},"
            " run_name='__main__')\n"
        )
        program.chmod(0o755)
        self.plan()

    def plan(self, **scenario: Any) -> None:
        """What the fake PlatformIO is to do."""
        (self.folder / "scenario.json").write_text(json.dumps(scenario))

    def comes_back_as(self, board: PtyBoard) -> None:
        """What runs once the next upload is done."""
        for name in ("touched", "uploaded"):
            (self.folder / name).unlink(missing_ok=True)
        self.after = board

    def calls(self) -> list[dict[str, Any]]:
        """How it was called."""
        path = self.folder / "calls.json"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def ports(self) -> list[Port]:
        """In place of list_ports()."""
        if (self.folder / "uploaded").exists() and self.now is not self.after and not self.stays:
            if self.now is not None:
                self.now.unplug()
            self.now = self.after
            if self.now is not None:
                self.now.plug_in()
        if self.now is None:
            return self.others
        touched = (self.folder / "touched").exists() and not (
            (self.folder / "uploaded").exists() and not self.stays
        )
        if touched or self.in_bootloader:
            waiting = Port(self.now.path, "bootloader", "0" * 16 + SERIAL, "Arduino Nano 33 BLE")
            return [waiting, *self.others]
        return [Port(self.now.path, "sketch", SERIAL, "Nano 33 BLE"), *self.others]

    def close(self) -> None:
        """Unplugs what is there."""
        if self.now is not None:
            self.now.unplug()
            self.now = None


def open_pty() -> tuple[int, int, str]:
    """Master, slave and the path of a port that nobody serves."""
    master, slave = os.openpty()
    tty.setraw(slave)
    return master, slave, os.ttyname(slave)
