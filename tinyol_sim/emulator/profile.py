"""Where the instructions and cycles of a window go on a Cortex-M4F, function by function.

    python -m tinyol_sim.emulator.profile [MODEL] [--stage "window, predicting"]

The compiler puts small functions into those that call them: they count there.
"""

from __future__ import annotations

import argparse
import bisect
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bundle import Bundle, default_bundle
from ..errors import TinyOLError
from .build import build_image
from .counting import run_on
from .cycles import CycleCounter
from .elf import load_symbols

STAGE = "window, lesson + fine-tuning, SGD"
_FILTERS = ("arm-none-eabi-c++filt", "c++filt", "llvm-cxxfilt")


@dataclass(frozen=True)
class FunctionCost:
    """What one function takes of a stage, without those that it calls; means."""

    name: str
    instructions: float
    cycles: float  # the estimate


class _Profiler(CycleCounter):
    """Instructions and cycles by block, of the measurements that a stage's notices tell of."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage
        self._now: dict[int, list[int]] = {}
        self._between_reads: deque[dict[int, list[int]]] = deque(maxlen=3)
        self.windows = 0
        self.blocks: dict[int, list[int]] = {}  # address -> instructions, cycles

    def on_block(self, machine: Any, address: int, n_bytes: int, extra: Any) -> None:
        before = self.instructions, self._estimate
        super().on_block(machine, address, n_bytes, extra)
        block = self._now.setdefault(address, [0, 0])
        block[0] += self.instructions - before[0]
        block[1] += self._estimate - before[1]

    def on_timer_read(self) -> None:
        super().on_timer_read()
        self._between_reads.append(self._now)
        self._now = {}

    def on_notice(self, notice: str) -> None:
        super().on_notice(notice)
        if notice.split(" ", 2)[0] == "STAGE" and notice.split(" ", 2)[2] == self._stage:
            self.windows += 1
            for address, counts in self._between_reads[0].items():
                block = self.blocks.setdefault(address, [0, 0])
                block[0] += counts[0]
                block[1] += counts[1]


def profile(
    model: Bundle,
    stage: str = STAGE,
    *,
    compiler: str | None = None,
    optimize: str = "-O2",
) -> list[FunctionCost]:
    """Of one stage of bench_main.cpp, a window; the dearest function comes first.

    Raises:
        EmulatorError: compiler, unicorn or capstone missing, or there is no such stage.
    """
    image = build_image(model, compiler=compiler, optimize=optimize, program="bench_main")
    profiler = _Profiler(stage)
    names = {notice.split(" ", 2)[2] for notice in run_on(image, profiler) if notice[:5] == "STAGE"}
    if not profiler.windows:
        raise TinyOLError(f"no stage {stage!r}; there are: {', '.join(sorted(names))}")
    functions = _functions(image)
    starts = sorted(functions)
    found: dict[str, list[int]] = {}
    for address, counts in profiler.blocks.items():
        at = bisect.bisect_right(starts, address) - 1
        total = found.setdefault(functions[starts[at]] if at >= 0 else "?", [0, 0])
        total[0] += counts[0]
        total[1] += counts[1]
    costs = [
        FunctionCost(name, instructions / profiler.windows, cycles / profiler.windows)
        for name, (instructions, cycles) in found.items()
    ]
    return sorted(costs, key=lambda cost: -cost.cycles)


def _functions(image: Path) -> dict[int, str]:
    """Address -> readable name, of all functions."""
    symbols = load_symbols(image)
    end = symbols["__flash_data"]
    found = {value - 1: name for name, value in symbols.items() if value & 1 and value < end}
    program = next((path for path in map(shutil.which, _FILTERS) if path), None)
    if program is None:
        return found
    names = subprocess.run(
        [program, "-p"], input="\n".join(found.values()), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    readable = (
        name.replace("tinyol::", "").replace("(anonymous namespace)::", "") for name in names
    )
    return dict(zip(found, readable, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tinyol_sim.emulator.profile")
    parser.add_argument("model", nargs="?", help="a bundle; without, the one that ships for 119 Hz")
    parser.add_argument("--stage", default=STAGE)
    parser.add_argument("--compiler", choices=("gcc", "zig"))
    parser.add_argument("--optimize", default="-O2", metavar="FLAG")
    chosen = parser.parse_args(arguments)
    try:
        model = default_bundle() if chosen.model is None else Bundle.load(chosen.model)
        costs = profile(model, chosen.stage, compiler=chosen.compiler, optimize=chosen.optimize)
    except TinyOLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    whole = sum(cost.cycles for cost in costs)
    print(f"{'share':>6}  {'cycles':>8}  {'instr.':>8}  function")
    for cost in costs:
        share = f"{100 * cost.cycles / whole:.1f} %"
        print(f"{share:>6}  {cost.cycles:8,.0f}  {cost.instructions:8,.0f}  {cost.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
