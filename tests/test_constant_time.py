"""Checking a MAC takes as many instructions whatever the key, and wherever it is wrong.

Counted on an emulated Cortex-M4, where none of those that the check is made of takes a time that
depends on its operands: additions, rotations, exclusive ors, loads and stores in RAM.
"""

from __future__ import annotations

import secrets
import struct
import subprocess
from pathlib import Path
from typing import Any

import attack_count
import pytest
from emulator_cases import HAS_GCC
from session_by_hand import TO_DEVICE, mac, session_key

from tinyol_sim.emulator.block_counter import BlockCounter
from tinyol_sim.emulator.elf import load_segments

pytest.importorskip("unicorn")
pytestmark = pytest.mark.skipif(not HAS_GCC, reason="no arm-none-eabi-g++")

KIND = "guesses by the clock"
REPO = Path(__file__).resolve().parent.parent
CORE = REPO / "firmware" / "lib" / "tinyol" / "src"
PARTS = ("session_auth", "blake2s", "secret_bytes", "bytes", "float_math")
FLAGS = "-std=gnu++14 -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -fno-exceptions"
FLAGS += " -fno-rtti -fno-math-errno -ffp-contract=off -ffunction-sections -nostartfiles"
FLAGS += " -specs=nano.specs -specs=nosys.specs -Wl,--gc-sections -Wl,--entry=tinyol_test_verify"
FLAGS += " -Wl,-Ttext=0x1000 -Wl,-Tdata=0x20000000 -Wl,--no-warn-rwx-segments"
RAM, STACK, STOP = 0x20000000, 0x20008000, 0xF000
KEY_AT, HOST_AT, DEVICE_AT, MESSAGE_AT = (RAM + 0x4000 + 0x100 * i for i in range(4))


class Checker:
    """The device's own code, on an emulated CPU."""

    def __init__(self, path: Path, optimize: str) -> None:
        sources = [str(CORE / "tinyol" / f"{part}.cpp") for part in PARTS]
        wrapper = str(REPO / "tests" / "native" / "verify_main.cpp")
        command = ["arm-none-eabi-g++", *FLAGS.split(), optimize, f"-I{CORE}", wrapper, *sources]
        subprocess.run([*command, "-o", str(path)], check=True, capture_output=True, text=True)
        import unicorn
        from unicorn import arm_const

        self._arm = arm_const
        self._cpu: Any = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._cpu.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        self._cpu.mem_map(0, 0x20000)
        self._cpu.mem_map(RAM, 0x10000)
        for address, content in load_segments(path):
            self._cpu.mem_write(address, content)
        (self._entry,) = struct.unpack_from("<I", path.read_bytes(), 24)
        self.counter = BlockCounter()
        self._cpu.hook_add(unicorn.UC_HOOK_BLOCK, self.counter.on_block)
        self._cpu.ctl_flush_tb()

    def check(self, key: bytes, message: bytes) -> tuple[bool, int]:
        """Whether the MAC is right, and the instructions that it took to say so."""
        for address, content in ((KEY_AT, key), (HOST_AT, HOST), (DEVICE_AT, DEVICE)):
            self._cpu.mem_write(address, content)
        self._cpu.mem_write(MESSAGE_AT, message)
        arm = self._arm
        for register, value in (
            (arm.UC_ARM_REG_R0, KEY_AT),
            (arm.UC_ARM_REG_R1, HOST_AT),
            (arm.UC_ARM_REG_R2, DEVICE_AT),
            (arm.UC_ARM_REG_R3, MESSAGE_AT),
            (arm.UC_ARM_REG_SP, STACK),
            (arm.UC_ARM_REG_LR, STOP | 1),
        ):
            self._cpu.reg_write(register, value)
        self._cpu.mem_write(STACK, struct.pack("<I", len(message)))
        before = self.counter.instructions
        self._cpu.emu_start(self._entry | 1, STOP)
        return bool(self._cpu.reg_read(arm.UC_ARM_REG_R0) & 1), self.counter.instructions - before


HOST, DEVICE = bytes(range(16)), bytes(range(16, 32))


@pytest.mark.parametrize("optimize", ["-Os", "-O2"])
def test_a_wrong_mac_takes_as_long_wherever_it_is_wrong(optimize: str, tmp_path: Path) -> None:
    checker = Checker(tmp_path / "verify.elf", optimize)
    for length in (16, 24, 100):
        counts = set()
        for key in (bytes(32), b"\xff" * 32, *(secrets.token_bytes(32) for _ in range(6))):
            message = secrets.token_bytes(length)
            right = mac(session_key(key, HOST, DEVICE, 3, 77), TO_DEVICE, 5, message)
            good, count = checker.check(key, message + right)
            assert good
            counts.add(count)
            for at in range(8):
                for flip in (0x01, 0x80, 0xFF):
                    attack_count.tried(KIND)
                    wrong = right[:at] + bytes([right[at] ^ flip]) + right[at + 1 :]
                    good, count = checker.check(key, message + wrong)
                    assert not good
                    counts.add(count)
                    assert len(counts) == 1
                    attack_count.beaten(KIND)
