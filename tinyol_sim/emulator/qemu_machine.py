"""The emulated board on QEMU: a second, independent emulator, with Arm's interrupt controller.

The UART is one end of a socket pair that QEMU inherits: no port to find, nobody else can connect.
A shell between the two kills QEMU when its standard input ends, which it does when this process
does, whatever it dies of.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO

from ..errors import EmulatorError
from .boot import BOOT_ADDRESS, boot_memory
from .flash_file import FILE_BYTES, FlashFile
from .inbox import Inbox
from .machine import NOT_RUNNING, START_TIMEOUT_S

QEMU = "qemu-system-arm"
_INSTALL = f"`apt install {QEMU}`"
# 1 instruction = 2^10 ns: machine.NS_PER_INSTRUCTION.
_ICOUNT = ("-icount", "shift=10")
# The socket comes as standard output, since a shell knows one-digit descriptors only. A process
# in the background has no standard input, so the shell alone sees ours.
_SHELL = '"$@" 3<&1 >/dev/null & exec >/dev/null; read -r _; kill -9 $! 2>/dev/null; wait'
_MACHINE = ("-cpu", "cortex-m4", "-display", "none", "-monitor", "none")
_SERIAL = ("-chardev", "socket,id=uart,fd=3", "-serial", "chardev:uart")


def _board(flash: Path | None) -> tuple[str, ...]:
    """The board, and what its memory at flash_file.FLASH_ADDRESS is."""
    if flash is None:
        return ("-M", "mps2-an386")
    path = str(flash.absolute()).replace(",", ",,")
    backend = f"memory-backend-file,id=flash,share=on,mem-path={path},size={FILE_BYTES}"
    return ("-M", "mps2-an386,memory-backend=flash", "-object", backend)


class QemuMachine:
    """A Machine (machine.py).

    Raises:
        EmulatorError: QEMU is not installed.
    """

    def __init__(self, image: Path, *, icount: bool = False, flash: Path | None = None) -> None:
        program = shutil.which(QEMU)
        if program is None:
            raise EmulatorError(f"this machine needs QEMU: {_INSTALL}")
        self._flash = None if flash is None else FlashFile(flash)
        self._command = [program, *_board(flash), *_MACHINE, *_SERIAL]
        self._command += _ICOUNT if icount else ()
        self._command += ["-kernel", str(image)]
        self._inbox = Inbox()
        self._shell: subprocess.Popen[bytes] | None = None
        self._uart: socket.socket | None = None
        self._said: IO[bytes] | None = None
        self._listener: threading.Thread | None = None

    def start(self) -> None:
        """See Machine."""
        if self._shell is not None:
            raise EmulatorError("the emulated board is running already")
        # A file that nobody else may read, until QEMU has: arguments are there for all to see.
        with tempfile.NamedTemporaryFile(prefix="tinyol-boot-") as memory:
            memory.write(boot_memory())
            memory.flush()
            self._launch(Path(memory.name))

    def _launch(self, boot_file: Path) -> None:
        self._inbox = Inbox()
        if self._flash is not None:
            self._flash.open()
        path = str(boot_file).replace(",", ",,")
        boot = f"loader,file={path},addr=0x{BOOT_ADDRESS:x},force-raw=on"
        ours, theirs = socket.socketpair()
        said = tempfile.TemporaryFile()  # noqa: SIM115, stop() closes it
        try:
            self._shell = subprocess.Popen(
                ["sh", "-c", _SHELL, "sh", *self._command, "-device", boot],
                stdin=subprocess.PIPE,
                stdout=theirs.fileno(),
                stderr=said,
                start_new_session=True,  # Ctrl-C is ours: the client may still want to say goodbye
            )
        except OSError as error:
            ours.close()
            said.close()
            self._close_flash()
            raise EmulatorError(f"QEMU cannot be started: {error}") from None
        finally:
            theirs.close()
        self._uart, self._said = ours, said
        self._listener = threading.Thread(
            target=self._listen, args=(ours, self._inbox), name="emulated-uart", daemon=True
        )
        self._listener.start()
        try:
            self._inbox.wait_ready(START_TIMEOUT_S)
        except BaseException:  # Ctrl-C too
            self.stop()
            raise

    def write(self, data: bytes) -> None:
        """See Machine."""
        if self._uart is None:
            raise EmulatorError(NOT_RUNNING)
        try:
            self._uart.sendall(data)
        except OSError:
            raise EmulatorError(NOT_RUNNING) from None

    def read(self, timeout: float) -> bytes:
        """See Machine."""
        return self._inbox.get(timeout)

    def stop(self) -> None:
        """See Machine."""
        self._inbox.fail(NOT_RUNNING)
        shell, self._shell = self._shell, None
        if shell is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # the shell leads a group of its own, QEMU in it
        shell.wait()
        if shell.stdin is not None:
            shell.stdin.close()
        uart, self._uart = self._uart, None
        if self._listener is not None:
            self._listener.join()  # QEMU's end is closed
        for resource in (uart, self._said):
            if resource is not None:
                resource.close()
        self._close_flash()

    def instructions(self) -> int | None:
        """See Machine: QEMU does not say."""
        return None

    @property
    def notices(self) -> list[str]:
        """See Machine."""
        return self._inbox.notices

    def __enter__(self) -> QemuMachine:
        """See Machine."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """See Machine."""
        self.stop()

    def _close_flash(self) -> None:
        if self._flash is not None:
            self._flash.close()

    def _listen(self, uart: socket.socket, inbox: Inbox) -> None:
        """Empties the UART at once, so that neither side waits for the other for ever."""
        while True:
            try:
                data = uart.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            inbox.put(data)
        inbox.fail(f"QEMU has ended: {self._last_words()}")

    def _last_words(self) -> str:
        if self._said is None:
            return "it said nothing"
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[0] if lines else "it said nothing"
