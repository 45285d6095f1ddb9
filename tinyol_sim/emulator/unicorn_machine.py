"""The emulated board on unicorn: nothing to install but two wheels, and no other process.

The CPU runs in a thread of its own. It sleeps while the firmware waits for a byte (WFI), so that
an idle board costs nothing.
"""

from __future__ import annotations

import atexit
import ctypes
import mmap
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import EmulatorError
from .block_counter import BlockCounter
from .boot import BOOT_ADDRESS, boot_memory
from .elf import load_segments, load_symbols
from .flash_file import FLASH_ADDRESS, FLASH_BYTES, FlashFile
from .flash_watch import FlashWatch
from .inbox import Inbox
from .machine import (
    FLASH_BASE,
    MEMORY_BYTES,
    NOT_RUNNING,
    NS_PER_INSTRUCTION,
    RAM_BASE,
    START_TIMEOUT_S,
    TIMER_HZ,
)

UNICORN = "unicorn==2.1.4"

_PAGE = 0x1000
_TIMER_BASE, _UART_BASE, _SYSTEM_BASE = 0x40002000, 0x40004000, 0xE000E000
_UART_DATA, _UART_STATE, _RECEIVE_FULL = 0x00, 0x04, 2
_TIMER_VALUE = 0x04
_NS_PER_TICK = 1_000_000_000 // TIMER_HZ
_FLASH_DATA = "__flash_data"  # firmware/boards/emulator/linker.ld
_WAKE_S = 0.1  # firmware/boards/emulator/timer.h


class UnicornMachine:
    """A Machine (machine.py).

    counter: with icount, makes what counts the instructions; anew with each start().
    flash_watch: sees what the board stores in its flash, and may cut its power there; None, or
        to be set before start().

    Raises:
        EmulatorError: unicorn is not installed.
    """

    def __init__(
        self,
        image: Path,
        *,
        icount: bool = False,
        flash: Path | None = None,
        counter: Callable[[], BlockCounter] = BlockCounter,
    ) -> None:
        try:
            import unicorn
        except ImportError:
            raise EmulatorError(f"this machine needs unicorn: `pip install {UNICORN}`") from None
        self._unicorn: Any = unicorn
        self._image = image
        self._segments = load_segments(image)
        self._icount = icount
        self._flash = None if flash is None else FlashFile(flash)
        self._flash_bytes: mmap.mmap | None = None
        self.flash_watch: FlashWatch | None = None
        self._new_counter = counter
        self._counter: BlockCounter | None = None
        self._inbox = Inbox()
        self._cpu: Any = None
        self._thread: threading.Thread | None = None
        self._power = False
        self._wake = threading.Event()
        self._to_board: deque[int] = deque()
        self._from_board = bytearray()
        self._started_ns = 0

    # --- Machine -------------------------------------------------------------------------

    def start(self) -> None:
        """See Machine."""
        if self._power:
            raise EmulatorError("the emulated board is running already")
        self._inbox = Inbox()
        self._counter = self._new_counter() if self._icount else None
        self._to_board.clear()
        self._from_board.clear()
        self._wake.clear()
        self._open_flash()
        self._cpu = self._new_cpu()
        self._started_ns = time.monotonic_ns()
        self._power = True
        self._thread = threading.Thread(target=self._run, name="emulated-cpu", daemon=True)
        self._thread.start()
        atexit.register(self.stop)
        try:
            self._inbox.wait_ready(START_TIMEOUT_S)
        except BaseException:  # Ctrl-C too
            self.stop()
            raise

    def write(self, data: bytes) -> None:
        """See Machine."""
        if not self._power:
            raise EmulatorError(NOT_RUNNING)
        self._to_board.extend(data)
        self._wake.set()

    def read(self, timeout: float) -> bytes:
        """See Machine."""
        return self._inbox.get(timeout)

    def stop(self) -> None:
        """See Machine."""
        self._power = False
        self._inbox.fail(NOT_RUNNING)
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._wake.set()
        while thread.is_alive():  # again, should it come just before the CPU is set going
            self._cpu.emu_stop()
            thread.join(0.02)
        self._cpu = None
        self._close_flash()
        atexit.unregister(self.stop)

    def instructions(self) -> int | None:
        """See Machine; counted with icount only, since it takes half the speed."""
        return self._counter.instructions if self._counter is not None else None

    @property
    def notices(self) -> list[str]:
        """See Machine."""
        return self._inbox.notices

    def __enter__(self) -> UnicornMachine:
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

    # --- the board -----------------------------------------------------------------------

    def _new_cpu(self) -> Any:
        uc, arm = self._unicorn, self._unicorn.arm_const
        cpu = uc.Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB | uc.UC_MODE_MCLASS)
        cpu.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        self._map_program(cpu)
        cpu.mem_map(RAM_BASE, MEMORY_BYTES, uc.UC_PROT_READ | uc.UC_PROT_WRITE)
        self._map_flash(cpu)
        cpu.mem_map(_SYSTEM_BASE, _PAGE)  # written at start-up, and without effect here
        cpu.mmio_map(_UART_BASE, _PAGE, self._read_uart, None, self._write_uart, None)
        cpu.mmio_map(_TIMER_BASE, _PAGE, self._read_timer, None, _ignore_write, None)
        for address, content in self._segments:
            if address >= FLASH_BASE + MEMORY_BYTES:
                cpu.mem_write(address, content)
        cpu.mem_write(BOOT_ADDRESS, boot_memory())
        if self._counter is not None:
            cpu.hook_add(uc.UC_HOOK_BLOCK, self._counter.on_block)
            cpu.ctl_flush_tb()
        return cpu

    def _map_program(self, cpu: Any) -> None:
        """Flash: code, and data, each read of which is seen if it matters.

        As a device, since a hook on reads breaks loads in IT blocks (unicorn 2.1.4).
        """
        uc, counter = self._unicorn, self._counter
        in_flash = [part for part in self._segments if part[0] < FLASH_BASE + MEMORY_BYTES]
        flash = bytearray(MEMORY_BYTES)
        for address, content in in_flash:
            flash[address : address + len(content)] = content
        data = MEMORY_BYTES
        if counter is not None and counter.reads_matter:
            data = load_symbols(self._image)[_FLASH_DATA]

            def read(_: Any, offset: int, size: int, __: Any) -> int:
                counter.on_flash_read()
                return int.from_bytes(flash[data + offset : data + offset + size], "little")

            cpu.mmio_map(data, MEMORY_BYTES - data, read, None, _ignore_write, None)
        cpu.mem_map(FLASH_BASE, data, uc.UC_PROT_READ | uc.UC_PROT_EXEC)
        cpu.mem_write(FLASH_BASE, bytes(flash[:data]))

    def _open_flash(self) -> None:
        if self._flash is not None:
            self._flash.open()
            self._flash_bytes = self._flash.mapped()
        else:
            self._flash_bytes = mmap.mmap(-1, FLASH_BYTES)
            self._flash_bytes[:] = b"\xff" * FLASH_BYTES

    def _map_flash(self, cpu: Any) -> None:
        uc, content = self._unicorn, self._flash_bytes
        assert content is not None
        memory = ctypes.c_char.from_buffer(content)  # only to learn the address
        where = ctypes.c_void_p(ctypes.addressof(memory))
        cpu.mem_map_ptr(FLASH_ADDRESS, FLASH_BYTES, uc.UC_PROT_READ | uc.UC_PROT_WRITE, where)
        if self.flash_watch is not None:
            end = FLASH_ADDRESS + FLASH_BYTES - 1
            on_store = self.flash_watch.on_store
            cpu.hook_add(uc.UC_HOOK_MEM_WRITE, on_store, begin=FLASH_ADDRESS, end=end)

    def _close_flash(self) -> None:
        content, self._flash_bytes = self._flash_bytes, None
        if content is not None:
            content.close()
        if self._flash is not None:
            self._flash.close()

    def _power_was_cut(self) -> bool:
        """In the middle of a store: what was stored behind it is taken back."""
        watch = self.flash_watch
        if watch is None or watch.content_at_cut is None or self._flash_bytes is None:
            return False
        self._flash_bytes[:] = watch.content_at_cut
        self._inbox.fail("the emulated board's power was cut")
        return True

    def _run(self) -> None:
        """The CPU's thread: unicorn returns whenever the firmware executes WFI."""
        cpu, arm = self._cpu, self._unicorn.arm_const
        stack_top, pc = (int.from_bytes(cpu.mem_read(at, 4), "little") for at in (0, 4))
        cpu.reg_write(arm.UC_ARM_REG_SP, stack_top)
        try:
            while self._power:
                cpu.emu_start(pc | 1, MEMORY_BYTES - 1)
                pc = cpu.reg_read(arm.UC_ARM_REG_PC)
                if self._power_was_cut():
                    return
                self._hand_over()
                if not self._to_board:
                    self._wake.wait(_WAKE_S)
                self._wake.clear()
        except self._unicorn.UcError as error:
            pc = cpu.reg_read(arm.UC_ARM_REG_PC)
            self._hand_over()
            self._inbox.fail(f"the emulated CPU has stopped at 0x{pc:08x}: {error}")
        except Exception as error:
            # Nobody would see it in this thread; whoever reads gets it instead.
            self._inbox.fail(f"the emulator has failed: {error!r}")

    def _hand_over(self) -> None:
        if self._from_board:
            told = len(self._inbox.notices)
            self._inbox.put(bytes(self._from_board))
            self._from_board.clear()
            if self._counter is not None and len(self._inbox.notices) > told:
                self._counter.on_notice(self._inbox.notices[-1])

    def _read_uart(self, _: Any, offset: int, size: int, data: Any) -> int:
        if offset == _UART_STATE:
            return _RECEIVE_FULL if self._to_board else 0
        if offset == _UART_DATA and self._to_board:
            return self._to_board.popleft()
        return 0

    def _write_uart(self, _: Any, offset: int, size: int, value: int, data: Any) -> None:
        if offset == _UART_DATA:
            self._from_board.append(value & 0xFF)
            if value == 0:
                self._hand_over()

    def _read_timer(self, _: Any, offset: int, size: int, data: Any) -> int:
        if offset != _TIMER_VALUE:
            return 0
        if self._counter is not None:
            self._counter.on_timer_read()
            ns = self._counter.instructions * NS_PER_INSTRUCTION
        else:
            ns = time.monotonic_ns() - self._started_ns
        return 0xFFFFFFFF - (ns // _NS_PER_TICK) % (1 << 32)


def _ignore_write(_: Any, offset: int, size: int, value: int, data: Any) -> None:
    """The timer is set up once, as this machine has it."""
