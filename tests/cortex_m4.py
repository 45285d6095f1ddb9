"""Single functions of the C++ sources on an emulated Cortex-M4F: compiled, called, counted."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyol_sim.emulator.block_counter import BlockCounter
from tinyol_sim.emulator.build import FIRMWARE, cache_folder
from tinyol_sim.emulator.compilers import find_compiler
from tinyol_sim.emulator.elf import load_segments

_RAM, _RAM_BYTES = 0x20000000, 4 << 20
_FLASH_BYTES = 4 << 20
_STACK_TOP, _ARGUMENTS = _RAM + 0x10000, _RAM + 0x100000
_RETURN = _FLASH_BYTES - 4  # nothing lies there: the call is over


def link(sources: Sequence[str | Path], compiler: str, flags: Sequence[str], folder: Path) -> Path:
    """An image of these sources, relative to the project's folder; a table of functions in the
    section .vectors lies at address 0."""
    tools = find_compiler(compiler)
    root = FIRMWARE.parent
    includes = [f"-I{FIRMWARE / 'lib' / name / 'src'}" for name in ("tinyol", "frozen")]
    objects = []
    for number, source in enumerate(sources):
        objects.append(str(folder / f"{number}.o"))
        command = [*tools.program, *tools.compile_flags, *flags, *includes]
        _run([*command, "-c", str(root / source), "-o", objects[-1]])
    image = folder / "image.elf"
    script = ["-T", str(FIRMWARE / "boards/emulator/linker.ld"), "-Wl,--entry=0"]
    _run([*tools.program, *tools.link_flags, *script, *objects, "-o", str(image)])
    return image


def _run(command: list[str]) -> None:
    zig_cache = str(cache_folder() / "zig")
    environment = {"ZIG_GLOBAL_CACHE_DIR": zig_cache, "ZIG_LOCAL_CACHE_DIR": zig_cache}
    done = subprocess.run(
        command, env={**environment, **os.environ}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


class CortexM4:
    """A CPU that runs one function of an image at a time. `instructions`: of the last call."""

    def __init__(self, image: Path) -> None:
        unicorn = pytest.importorskip("unicorn")
        self._arm: Any = unicorn.arm_const
        cpu: Any = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        cpu.ctl_set_cpu_model(self._arm.UC_CPU_ARM_CORTEX_M4)
        cpu.mem_map(0, _FLASH_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        cpu.mem_map(_RAM, _RAM_BYTES)
        for address, content in load_segments(image):
            cpu.mem_write(address, content)
        self._counter = BlockCounter()
        cpu.hook_add(unicorn.UC_HOOK_BLOCK, self._counter.on_block)
        cpu.ctl_flush_tb()
        self._cpu = cpu
        self._next = _ARGUMENTS
        self.instructions = 0

    def place(self, values: NDArray[Any] | bytes) -> int:
        """Copies into the CPU's memory, behind what was placed since the last call; the address,
        a multiple of 4."""
        content = values if isinstance(values, bytes) else values.tobytes()
        at, self._next = self._next, self._next + (len(content) + 7 & ~3)
        assert self._next <= _RAM + _RAM_BYTES, "that is more than the memory"
        self._cpu.mem_write(at, content)
        return at

    def read(self, address: int, like: NDArray[Any]) -> NDArray[Any]:
        """An array of that shape and type from the CPU's memory."""
        content = bytes(self._cpu.mem_read(address, like.nbytes))
        return np.frombuffer(content, like.dtype).reshape(like.shape)

    def call(self, place: int, *arguments: int) -> None:
        """Calls the table's function with at most four words; registers that a function must keep
        are checked."""
        arm, cpu = self._arm, self._cpu
        kept = [getattr(arm, f"UC_ARM_REG_R{i}") for i in range(4, 12)]
        for i, register in enumerate(kept):
            cpu.reg_write(register, 0xA5A50000 + i)
        for i, argument in enumerate(arguments):
            cpu.reg_write(getattr(arm, f"UC_ARM_REG_R{i}"), argument & 0xFFFFFFFF)
        cpu.reg_write(arm.UC_ARM_REG_SP, _STACK_TOP)
        cpu.reg_write(arm.UC_ARM_REG_LR, _RETURN | 1)
        (function,) = struct.unpack("<I", cpu.mem_read(4 * place, 4))
        before = self._counter.instructions
        cpu.emu_start(function | 1, _RETURN)
        self.instructions = self._counter.instructions - before
        assert [cpu.reg_read(register) for register in kept] == [
            0xA5A50000 + i for i in range(len(kept))
        ]
        assert cpu.reg_read(arm.UC_ARM_REG_SP) == _STACK_TOP
        self._next = _ARGUMENTS
