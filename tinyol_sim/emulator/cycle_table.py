"""Cycles of a Cortex-M4F's instructions, as Arm's manual has them, for an estimate.

Source: Arm Cortex-M4 Processor Technical Reference Manual (100166; DDI 0439 before it): table 3-1
(instructions), section 3.3.2 (load and store timings: here `kind` and `address`) and the table of
the FPU's instructions (here `results`). It assumes memory without wait states. Where the manual
leaves a range, or is silent, there are three figures: the least, an estimate, the most.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..errors import EmulatorError

CAPSTONE = "capstone>=5.0.3"


class Cycles(NamedTuple):
    """Of an instruction or a run of them."""

    least: int
    estimate: int
    most: int


ONE, TWO, NONE = Cycles(1, 1, 1), Cycles(2, 2, 2), Cycles(0, 0, 0)
# P of the manual: refilling the pipeline behind a branch that is taken takes 1 to 3.
REFILL = Cycles(1, 2, 3)
# Section 3.3.2 has 3 for a load of the PC and for TBB, TBH.
REFILL_BY_LOAD = Cycles(1, 3, 3)
DIVIDE = Cycles(2, 7, 12)  # SDIV, UDIV end early, as their operands are
SYSTEM = Cycles(1, 1, 2)  # MRS, MSR, CPS; barriers
IT_FOLDED, IT_ALONE = Cycles(0, 0, 1), Cycles(0, 1, 1)  # folded into 16 bits before it
FLOAT_LOAD_OR_STORE = TWO
FLOAT_DIVIDE = 14  # VDIV, VSQRT; integer instructions behind one run meanwhile
FLOAT_MULTIPLY_ADD = Cycles(3, 3, 3)
_DOUBLE_MOVE = TWO  # VMOV between two core and two FPU registers

LOAD, FLOAT_LOAD, STORE, FLOAT_STORE, OTHER = "load", "float load", "store", "float store", ""

_FLOAT_RESULTS = ("vadd", "vsub", "vmul", "vnmul", "vdiv", "vsqrt", "vcvt", "vrint")
_FLOAT_MULTIPLY_ADDS = ("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms")
_SYSTEM = ("mrs", "msr", "cps", "dsb", "dmb", "isb")


class Timing(NamedTuple):
    """What of an instruction decides its cycles, and its neighbours'."""

    cycles: Cycles  # alone, and without refilling the pipeline
    kind: str = OTHER  # LOAD ...: of one register
    address: frozenset[str] = frozenset()  # core registers that an address is made of
    loaded: frozenset[str] = frozenset()  # the registers that a LOAD writes
    written: frozenset[str] = frozenset()  # core registers that data processing writes
    results: frozenset[str] = frozenset()  # FPU registers of which the next instruction waits
    consumed: frozenset[str] = frozenset()  # FPU registers that it needs from its first cycle
    refill: Cycles = NONE  # if execution goes on elsewhere
    register_offset: bool = False  # of a store
    literal: bool = False  # a load relative to the PC
    is_float: bool = False
    is_divide: bool = False  # VDIV, VSQRT
    is_it: bool = False
    is_conditional: bool = False  # in an IT block
    n_bytes: int = 2


class Disassembler:
    """Machine code to timings.

    Raises:
        EmulatorError: capstone is not installed.
    """

    def __init__(self) -> None:
        try:
            import capstone
        except ImportError:
            raise EmulatorError(
                f"estimates of cycles need capstone: `pip install '{CAPSTONE}'`"
            ) from None
        self._capstone: Any = capstone
        self._engine: Any = capstone.Cs(
            capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
        )
        self._engine.detail = True
        self._always = (capstone.arm.ARM_CC_AL, capstone.arm.ARM_CC_INVALID)

    def timings(self, code: bytes, address: int) -> list[Timing]:
        """Of each instruction in a run of Thumb-2 code.

        Raises:
            EmulatorError: code that capstone does not know.
        """
        found = [
            self._timing(instruction, *self._registers(instruction))
            for instruction in self._engine.disasm(code, address)
        ]
        if sum(timing.n_bytes for timing in found) != len(code):
            raise EmulatorError(f"capstone does not know all instructions at 0x{address:08x}")
        return found

    def _registers(self, instruction: Any) -> tuple[frozenset[str], frozenset[str]]:
        """Those that are read and written, by name; of the FPU as single ones."""
        read, written = instruction.regs_access()
        return (
            singles(map(instruction.reg_name, read)),
            singles(map(instruction.reg_name, written)),
        )

    def _timing(self, instruction: Any, read: frozenset[str], written: frozenset[str]) -> Timing:
        name = instruction.mnemonic.split(".")[0]
        size = instruction.size
        branch = self._branch(instruction, name, written)
        if branch is not None:
            return branch._replace(n_bytes=size)
        if name[:2] == "it" and name.strip("te") == "i":
            return Timing(ONE, is_it=True, n_bytes=size)
        conditional = instruction.cc not in self._always
        if name.startswith("v"):
            timing = self._float(instruction, name, read, written)
        elif name.startswith(("ldr", "str", "ldm", "stm", "push", "pop")):
            timing = self._memory(instruction, name, written)
        elif name.startswith(("sdiv", "udiv")):
            timing = Timing(DIVIDE, written=written)
        elif name.startswith(_SYSTEM):
            timing = Timing(SYSTEM, written=written)
        else:
            timing = Timing(ONE, written=written - {"apsr", "cpsr"})
        return timing._replace(n_bytes=size, is_conditional=conditional)

    def _branch(self, instruction: Any, name: str, written: frozenset[str]) -> Timing | None:
        if name in ("tbb", "tbh"):
            return Timing(
                Cycles(2, 3, 3), address=self._address(instruction), refill=REFILL_BY_LOAD
            )
        if name.startswith(("ldm", "pop")) and "pc" in written:
            n = self._list_length(instruction, name)
            return Timing(Cycles(1 + n, 1 + n, 1 + n), refill=REFILL)
        if name.startswith("ldr") and "pc" in written:
            return Timing(TWO, address=self._address(instruction), refill=REFILL_BY_LOAD)
        groups = (self._capstone.CS_GRP_JUMP, self._capstone.CS_GRP_CALL)
        if "pc" in written or any(instruction.group(group) for group in groups):
            return Timing(ONE, written=written - {"pc"}, refill=REFILL)
        return None

    def _memory(self, instruction: Any, name: str, written: frozenset[str]) -> Timing:
        address = self._address(instruction)
        if name.startswith(("ldm", "stm", "push", "pop")):
            n = self._list_length(instruction, name)
            base = frozenset({"sp"})
            if name.startswith(("ldm", "stm")):
                base = frozenset({instruction.reg_name(instruction.operands[0].reg)})
            return Timing(Cycles(1 + n, 1 + n, 1 + n), address=base)
        if name.startswith(("ldrd", "strd")):
            return Timing(Cycles(3, 3, 3), address=address)
        if name.startswith("ldr"):
            is_literal = "pc" in address
            return Timing(TWO, LOAD, address - {"pc"}, loaded=written, literal=is_literal)
        offset = len(address) > 1
        return Timing(TWO if offset else ONE, STORE, address, register_offset=offset)

    def _float(
        self, instruction: Any, name: str, read: frozenset[str], written: frozenset[str]
    ) -> Timing:
        def is_core(register: str) -> bool:
            return register[0] not in "sd" or register == "sp"

        core_written = frozenset(filter(is_core, written))
        floats_written = frozenset(register for register in written if not is_core(register))
        floats_read = frozenset(register for register in read if not is_core(register))
        if name.startswith(("vldr", "vstr")):
            wide = instruction.reg_name(instruction.operands[0].reg).startswith("d")
            cycles = Cycles(3, 3, 3) if wide else FLOAT_LOAD_OR_STORE
            kind = OTHER if wide else FLOAT_LOAD if name.startswith("vldr") else FLOAT_STORE
            address = self._address(instruction)
            return Timing(
                cycles, kind, address - {"pc"}, loaded=floats_written, consumed=floats_read,
                literal="pc" in address, is_float=True,
            )  # fmt: skip
        if name.startswith(("vldm", "vstm", "vpush", "vpop")):
            n = self._list_length(instruction, name)
            base = frozenset({"sp"})
            if name.startswith(("vldm", "vstm")):
                base = frozenset({instruction.reg_name(instruction.operands[0].reg)})
            cycles = Cycles(1 + n, 1 + n, 1 + n)
            return Timing(cycles, address=base, consumed=floats_read, is_float=True)
        if name.startswith(_FLOAT_MULTIPLY_ADDS):
            factors = singles(
                instruction.reg_name(operand.reg) for operand in instruction.operands[1:]
            )  # the addend may come a cycle later
            return Timing(
                FLOAT_MULTIPLY_ADD, results=floats_written, consumed=factors, is_float=True
            )
        if name.startswith(("vdiv", "vsqrt")):
            return Timing(
                Cycles(*[FLOAT_DIVIDE] * 3), results=floats_written, consumed=floats_read,
                is_float=True, is_divide=True,
            )  # fmt: skip
        has_result = name.startswith(_FLOAT_RESULTS)
        moved = len(instruction.operands) if name == "vmov" else 0
        return Timing(
            _DOUBLE_MOVE if moved > 2 else ONE,
            written=core_written,
            results=floats_written if has_result else frozenset(),
            consumed=floats_read,
            is_float=True,
        )

    def _address(self, instruction: Any) -> frozenset[str]:
        """The registers of the memory operand."""
        for operand in instruction.operands:
            if operand.type == self._capstone.arm.ARM_OP_MEM:
                both = (operand.mem.base, operand.mem.index)
                return frozenset(instruction.reg_name(register) for register in both if register)
        return frozenset()

    def _list_length(self, instruction: Any, name: str) -> int:
        """Words that an instruction with a list of registers moves."""
        listed = instruction.operands[0 if name.endswith(("push", "pop")) else 1 :]
        return len(singles(instruction.reg_name(operand.reg) for operand in listed))


def singles(registers: Iterable[str]) -> frozenset[str]:
    """The same registers, with each double one of the FPU as its two single ones."""
    found: list[str] = []
    for register in registers:
        if register.startswith("d") and register[1:].isdigit():
            first = 2 * int(register[1:])
            found += [f"s{first}", f"s{first + 1}"]
        else:
            found.append(register)
    return frozenset(found)
