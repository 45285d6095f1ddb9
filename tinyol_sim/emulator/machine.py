"""What every emulated machine can do, whichever emulator runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ..errors import EmulatorError

MACHINES = ("unicorn", "qemu")
START_TIMEOUT_S = 10.0
NOT_RUNNING = "the emulated board is not running"

# firmware/boards/emulator: linker.ld, timer.h
RAM_BASE, FLASH_BASE, MEMORY_BYTES = 0x20000000, 0x00000000, 4 << 20
TIMER_HZ = 25_000_000
# How far the timer advances by an instruction, where it counts instructions (icount).
NS_PER_INSTRUCTION = 1024


class Machine(Protocol):
    """An emulated board with one serial link. One thread may write while another reads.

    Bytes go both ways unchanged, except that what the board has to say besides the wire
    protocol (firmware/boards/emulator/notice.h) is taken out and kept in `notices`, and that
    received bytes are handed on a whole frame at a time.
    """

    def start(self) -> None:
        """Powers the board on; returns when it listens.

        What it has learned is what its flash holds: nothing, without a file for it.

        Raises:
            EmulatorError: it did not start; for a model that the device refuses, why.
        """

    def write(self, data: bytes) -> None:
        """Sends bytes; EmulatorError if the board is not running."""

    def read(self, timeout: float) -> bytes:
        """What has come since, at least one frame; b"" after `timeout` seconds without.

        Raises:
            EmulatorError: the board has stopped, and all that it had sent before was read.
        """

    def stop(self) -> None:
        """Cuts the power; without effect on a machine that is off."""

    def instructions(self) -> int | None:
        """Instructions executed since the start; None where nobody counts them."""

    @property
    def notices(self) -> Sequence[str]:
        """The notices since the start, each "WORD text"."""

    def __enter__(self) -> Machine:
        """Starts it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops it."""


def new_machine(
    image: Path, name: str = "unicorn", *, icount: bool = False, flash: Path | None = None
) -> Machine:
    """A machine, off, with this image in its flash.

    Args:
        image: what build_image() made.
        name: "unicorn" or "qemu".
        icount: the board's timer counts instructions, not time: for measuring. Its heartbeat
            then knows no seconds.
        flash: the file that the board's flash is, made where there is none: what the board saves
            is there when it is switched on again, on either machine. None: a new flash each time.

    Raises:
        EmulatorError: that emulator is not installed; says what to install.
    """
    if name == "unicorn":
        from .unicorn_machine import UnicornMachine

        return UnicornMachine(image, icount=icount, flash=flash)
    if name == "qemu":
        from .qemu_machine import QemuMachine

        return QemuMachine(image, icount=icount, flash=flash)
    raise EmulatorError(f"no machine {name!r}; it must be one of {', '.join(MACHINES)}")
