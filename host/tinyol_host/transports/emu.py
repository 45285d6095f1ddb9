"""`emu:` - the board's image on an emulated Cortex-M4F, over its emulated UART."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tinyol_host.errors import LinkError
from tinyol_host.transports.stream import StreamTransport
from tinyol_sim.bundle import Bundle
from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.machine import Machine, new_machine
from tinyol_sim.errors import EmulatorError

# So long the power stays on after a goodbye where the board has a flash that lasts: it saves then,
# which takes one of hardware a quarter of a second, and an emulated one a few milliseconds.
SAVING_S = 0.25


class MachineStream:
    """A machine that runs, as a ByteStream; close() cuts its power, `power_off_s` later."""

    def __init__(self, machine: Machine, power_off_s: float = 0.0) -> None:
        self._machine = machine
        self._power_off_s = power_off_s
        self.read = machine.read
        self.write = machine.write

    def close(self) -> None:
        """See ByteStream."""
        try:
            time.sleep(self._power_off_s)
        finally:
            self._machine.stop()


class PowerSwitch:
    """Builds a board's image once, and starts a machine with it each time."""

    def __init__(self, bundle: Bundle, options: Mapping[str, str]) -> None:
        """options: "machine" (unicorn, qemu), "compiler" (zig, gcc), "optimize" (Os, O2, O3),
        "flash" (the file that its flash is; a new flash each time without).
        """
        self._bundle = bundle
        flash = options.get("flash")
        self._flash = None if flash is None else Path(flash).expanduser()
        self._options = options
        self._image: Path | None = None

    def build(self) -> Path:
        """The image; blocks, for half a minute where no part of it was ever compiled.

        Raises:
            LinkError: it cannot be built; says what to install.
        """
        if self._image is None:
            try:
                self._image = build_image(
                    self._bundle,
                    compiler=self._options.get("compiler"),
                    optimize=f"-{self._options.get('optimize', 'O2')}",
                )
            except EmulatorError as error:
                raise LinkError(f"emu: {error}") from None
        return self._image

    def __call__(self) -> MachineStream:
        """Power on; LinkError if it does not start."""
        image = self.build()
        try:
            name = self._options.get("machine", "unicorn")
            if self._flash is None:
                machine = new_machine(image, name)
            else:
                machine = new_machine(image, name, flash=self._flash)
            machine.start()
        except EmulatorError as error:
            raise LinkError(f"emu: {error}") from None
        return MachineStream(machine, 0.0 if self._flash is None else SAVING_S)


def emu_transport(switch: PowerSwitch) -> StreamTransport:
    """A transport to an emulated board of its own.

    open() builds its image, if that was not done before, and switches it on; close() switches it
    off. Opened again, it has restarted, and knows what its flash holds: nothing without a file.
    """
    return StreamTransport(switch, "emu")
