"""The inner loops marked for llvm-mca in the firmware's assembly, and their cycles two ways.

A region lies between the comments `LLVM-MCA-BEGIN name` and `LLVM-MCA-END`.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tinyol_sim.emulator.build import FIRMWARE, INCLUDES
from tinyol_sim.emulator.compilers import find_compiler
from tinyol_sim.emulator.cycle_table import Disassembler
from tinyol_sim.emulator.cycles import run_cycles

_MARKED = re.compile(r"LLVM-MCA-BEGIN +(\w+)(.*?)LLVM-MCA-END", re.DOTALL)
_MANY = re.compile(r"(v?)(ldm|stm)(?:ia|\.w)* +(\w+)!? *, *\{([^}]*)\}")
_ITERATIONS = 100
_CPU = ("-mtriple=thumbv7em-none-eabihf", "-mcpu=cortex-m4")


def marked_sources() -> list[Path]:
    """The C++ files that have a region, in themselves or in a header of their folder."""
    folders = [FIRMWARE / "lib/tinyol/src/tinyol", FIRMWARE / "lib/frozen/src/frozen"]
    found: list[Path] = []
    for folder in folders:
        headers = [path.name for path in folder.glob("*.h") if _MARK in path.read_text()]
        for source in sorted(folder.glob("*.cpp")):
            text = source.read_text()
            if _MARK in text or any(f'/{header}"' in text for header in headers):
                found.append(source)
    return found


_MARK = "LLVM-MCA-BEGIN"


def regions(source: Path, folder: Path) -> dict[str, list[str]]:
    """Name -> instructions, as GCC for the Cortex-M4F writes them at -O2; branches go nowhere."""
    made = folder / f"{source.stem}.s"
    tools = find_compiler("gcc")
    includes = [f"-I{FIRMWARE / include}" for include in INCLUDES]
    command = [*tools.program, *tools.compile_flags, "-O2", *includes]
    subprocess.run([*command, "-S", str(source), "-o", str(made)], check=True)
    found: dict[str, list[str]] = {}
    for name, body in _MARKED.findall(made.read_text()):
        lines = [line.split("@")[0].strip() for line in body.splitlines()]
        instructions = [line for line in lines if line and not line.endswith(":")]
        instructions = [line for line in instructions if not line.startswith((".", "#"))]
        found[name] = [re.sub(r"^(b\w*)\s+\d+[bf]$", r"\1 .", line) for line in instructions]
    return found


def estimated_cycles(instructions: list[str], folder: Path) -> tuple[int, int]:
    """How many instructions, and their cycles in the middle of the loop, without the refill."""
    code = _assembled(instructions, folder)
    timings = Disassembler().timings(code, 0)
    _, after_one = run_cycles(timings)
    # The loop's branch is its last instruction, behind which nothing is pipelined.
    cycles, _ = run_cycles(timings, after_one._replace(last=None))
    return len(timings), cycles.estimate


def mca_cycles(instructions: list[str], folder: Path) -> float:
    """What llvm-mca's model of the Cortex-M4 says of a turn.

    It takes an instruction that loads or stores many registers for one of a single register:
    those are written as one each, and a NOP for the address.
    """
    written = [single for line in instructions for single in _singles(line)]
    source = folder / "region.s"
    source.write_text("\n".join([".syntax unified", ".thumb", *written]) + "\n")
    command = ["llvm-mca", *_CPU, f"-iterations={_ITERATIONS}", str(source)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    total = re.search(r"Total Cycles: +(\d+)", printed)
    assert total is not None, printed
    return int(total.group(1)) / _ITERATIONS


def _singles(line: str) -> list[str]:
    many = _MANY.match(line)
    if many is None:
        return [line]
    floats, kind, base, listed = many.groups()
    verb = floats + ("ldr" if kind == "ldm" else "str")
    return ["nop", *(f"{verb} {register}, [{base}]" for register in _listed(listed))]


def _listed(text: str) -> list[str]:
    found: list[str] = []
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        letter, start = first[0], int(first[1:])
        found += [f"{letter}{i}" for i in range(start, int(last[1:] if last else start) + 1)]
    return found


def _assembled(instructions: list[str], folder: Path) -> bytes:
    source, made, raw = folder / "part.s", folder / "part.o", folder / "part.bin"
    head = [".syntax unified", ".thumb", ".cpu cortex-m4", ".fpu fpv4-sp-d16"]
    source.write_text("\n".join([*head, *instructions]) + "\n")
    subprocess.run(["arm-none-eabi-as", str(source), "-o", str(made)], check=True)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", str(made), str(raw)], check=True)
    return raw.read_bytes()
