"""Calls single functions of the core on this host and on an emulated Cortex-M4F alike.

A file of tests/native gives them as a table in section .vectors, `tinyol_calls`; each takes a
pointer to a row of words: numbers, and the addresses of arrays.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from cffi import FFI
from native_build import REPO, any_compiler
from native_build import build as build_native
from numpy.typing import NDArray

from tinyol_sim.emulator import build
from tinyol_sim.emulator.compilers import find_compiler
from tinyol_sim.emulator.elf import load_segments

Word = int | NDArray[Any] | None

_FLASH, _RAM, _BYTES = 0x0000_0000, 0x2000_0000, 4 << 20
_ARRAYS = _RAM + _BYTES // 2  # the stack ends below
_RETURN = _FLASH + _BYTES - 16
_KEPT = 0x1234_5678  # in what a function must leave as it was
_GUARD = bytes(range(0xC0, 0xE0))  # behind each array
_SCRIPT = """
SECTIONS {
  .text 0x0 : { KEEP(*(.vectors)) *(.text .text.*) *(.rodata .rodata.*) }
  .ARM.exidx : { *(.ARM.exidx .ARM.exidx.*) }
  .data 0x20000000 : { *(.data .data.* .bss .bss.* COMMON) }
}
"""


class CoreCalls(Protocol):
    """One build of some functions."""

    def call(self, which: int, *words: Word) -> int:
        """The result of function `which` of the table. It may write into arrays; None is null."""


class HostCalls:
    """On this host, by the first compiler here; the test skips without one."""

    def __init__(self, sources: Sequence[str], flags: Sequence[str]) -> None:
        self._ffi = FFI()
        self._ffi.cdef("extern uint32_t (*const tinyol_calls[])(const uintptr_t *);")
        library = build_native(any_compiler(), "calls.so", sources, ("-Wno-psabi", *flags))
        self._lib: Any = self._ffi.dlopen(str(library))

    def call(self, which: int, *words: Word) -> int:
        """See CoreCalls."""
        row = [
            int(self._ffi.cast("uintptr_t", self._ffi.from_buffer(word)))
            if isinstance(word, np.ndarray)
            else word or 0
            for word in words
        ]
        return int(self._lib.tinyol_calls[which](self._ffi.new("uintptr_t[]", row)))


class BoardCalls:
    """On the emulated CPU.

    Args:
        sources: relative to the project.
        compiler: "gcc" or "zig".
        flags: behind the board's own.
    """

    def __init__(self, sources: Sequence[str], compiler: str, flags: Sequence[str]) -> None:
        uc: Any = importlib.import_module("unicorn")
        self._arm: Any = importlib.import_module("unicorn.arm_const")
        self._cpu = uc.Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB | uc.UC_MODE_MCLASS)
        self._cpu.ctl_set_cpu_model(self._arm.UC_CPU_ARM_CORTEX_M4)
        self._cpu.mem_map(_FLASH, _BYTES)
        self._cpu.mem_map(_RAM, _BYTES)
        with tempfile.TemporaryDirectory() as folder:
            image = _link(Path(folder), sources, compiler, flags)
            for address, content in load_segments(image):
                self._cpu.mem_write(address, content)

    def call(self, which: int, *words: Word) -> int:
        """See CoreCalls.

        Raises:
            AssertionError: it left a register changed that callers keep, or wrote behind an array.
        """
        at = _ARRAYS
        placed: list[tuple[int, NDArray[Any]]] = []
        row = []
        for word in words:
            if isinstance(word, np.ndarray):
                self._cpu.mem_write(at, word.tobytes() + _GUARD)
                placed.append((at, word))
                row.append(at)
                at += (word.nbytes + len(_GUARD) + 3) // 4 * 4
            else:
                row.append(word or 0)
        self._cpu.mem_write(at, np.array(row, "<u4").tobytes())
        self._run(which, at)
        for address, array in placed:
            found = bytes(self._cpu.mem_read(address, array.nbytes + len(_GUARD)))
            assert found[array.nbytes :] == _GUARD, "written behind an array"
            array[...] = np.frombuffer(found[: array.nbytes], array.dtype).reshape(array.shape)
        return int(self._cpu.reg_read(self._arm.UC_ARM_REG_R0))

    def _run(self, which: int, row_at: int) -> None:
        arm, cpu = self._arm, self._cpu
        kept = [getattr(arm, f"UC_ARM_REG_R{n}") for n in range(4, 12)]
        kept += [getattr(arm, f"UC_ARM_REG_S{n}") for n in range(16, 32)]
        for register in kept:
            cpu.reg_write(register, _KEPT)
        cpu.reg_write(arm.UC_ARM_REG_SP, _ARRAYS)
        cpu.reg_write(arm.UC_ARM_REG_LR, _RETURN | 1)
        cpu.reg_write(arm.UC_ARM_REG_R0, row_at)
        entry = int.from_bytes(cpu.mem_read(_FLASH + 4 * which, 4), "little")
        cpu.emu_start(entry | 1, _RETURN)
        assert all(cpu.reg_read(register) == _KEPT for register in kept)
        assert cpu.reg_read(arm.UC_ARM_REG_SP) == _ARRAYS


def _link(work: Path, sources: Sequence[str], compiler: str, flags: Sequence[str]) -> Path:
    tools = find_compiler(compiler)
    includes = [f"-I{REPO / 'firmware' / folder}" for folder in build.INCLUDES]
    (work / "link.ld").write_text(_SCRIPT)
    objects = []
    for source in sources:
        objects.append(str(work / f"{Path(source).stem}.o"))
        arguments = [*tools.compile_flags, *flags, "-Werror", *includes]
        build._run([*tools.program, *arguments, "-c", str(REPO / source), "-o", objects[-1]], work)
    script = ["-T", str(work / "link.ld"), "-Wl,--gc-sections", "-Wl,--entry=0"]
    image = work / "image.elf"
    build._run([*tools.program, *tools.link_flags, *script, *objects, "-o", str(image)], work)
    return image
