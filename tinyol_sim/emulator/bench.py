"""How many instructions each stage of Algorithm 1 takes on a Cortex-M4F, counted exactly.

    python -m tinyol_sim.emulator.bench MODEL.tinyol

Cycles and microseconds are estimates: no emulator here models the pipeline or the flash.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..bundle import Bundle
from ..errors import EmulatorError, TinyOLError
from .build import build_image
from .machine import MACHINES, new_machine

CLOCK_MHZ = 64  # nRF52840
# Cycles an instruction: what a Cortex-M4 spends on such kernels, roughly. Loads and branches
# take more than one cycle, and flash has wait states.
CYCLES_LEAST, CYCLES_MOST = 1.2, 1.6
INFERENCE = "inference"
INFERENCE_AND_TUNING = "inference + fine-tuning"
# Ren, Anicic, Runkler 2021: means on a Nano 33 BLE at 64 MHz; windows of 40, embedding of 4.
PAPER_US = {INFERENCE: 1748, INFERENCE_AND_TUNING: 1921}
NOTE = f"""
Instructions are counted exactly; shown is the median of the windows that were run, three
classes known. Cycles and microseconds are an estimate: {CYCLES_LEAST} to {CYCLES_MOST} cycles an
instruction, roughly what a Cortex-M4 spends on such kernels, at {CLOCK_MHZ} MHz.
Paper: Ren, Anicic, Runkler 2021, means on a Nano 33 BLE at 64 MHz."""
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Instructions:
    """Of one stage, over the benchmark's windows."""

    median: int
    least: int
    most: int

    def microseconds(self) -> tuple[float, float]:
        """An estimate, least and most, at CLOCK_MHZ."""
        return self.median * CYCLES_LEAST / CLOCK_MHZ, self.median * CYCLES_MOST / CLOCK_MHZ


def count_instructions(
    model: Bundle | bytes,
    *,
    compiler: str | None = None,
    optimize: str = "-O2",
    machine: str = "unicorn",
) -> dict[str, Instructions]:
    """Instructions per stage for one window, three classes known, from the benchmark's image.

    The paper's second figure is among them: "inference + fine-tuning" is inference, the
    fine-tuned layer's prediction and its step.

    Raises:
        EmulatorError: compiler or emulator missing, or the model is refused.
    """
    image = build_image(model, compiler=compiler, optimize=optimize, program="bench_main")
    deadline = time.monotonic() + _TIMEOUT_S
    with new_machine(image, machine, icount=True) as board:
        while not any(notice.startswith("DONE") for notice in board.notices):
            board.read(0.01)
            if time.monotonic() > deadline:
                raise EmulatorError(f"the benchmark did not end within {_TIMEOUT_S:g} s")
        found: dict[str, list[int]] = {}
        for notice in board.notices:
            word, _, text = notice.partition(" ")
            if word == "STAGE":
                count, _, name = text.partition(" ")
                found.setdefault(name, []).append(int(count))
    parts = zip(
        found[INFERENCE], found["fine-tuning predict"], found["fine-tuning step"], strict=True
    )
    found[INFERENCE_AND_TUNING] = [sum(part) for part in parts]
    return {
        name: Instructions(int(statistics.median_low(counts)), min(counts), max(counts))
        for name, counts in found.items()
    }


def _table(counts: dict[str, Instructions], title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    for column in ("instructions", "cycles, est.", "us, est.", "us, paper"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, count in counts.items():
        least_us, most_us = count.microseconds()
        table.add_row(
            name,
            f"{count.median:,}",
            f"{count.median * CYCLES_LEAST:,.0f}-{count.median * CYCLES_MOST:,.0f}",
            f"{least_us:,.0f}-{most_us:,.0f}",
            f"{PAPER_US[name]:,}" if name in PAPER_US else "",
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tinyol_sim.emulator.bench",
        description="Counts the instructions of each stage on an emulated Cortex-M4F.",
    )
    parser.add_argument("model", type=Path, help="a bundle (.tinyol)")
    parser.add_argument("--compiler", choices=("zig", "gcc"), help="default: what is installed")
    parser.add_argument("--optimize", choices=("Os", "O2", "O3"), default="O2", help="default: O2")
    parser.add_argument("--machine", choices=MACHINES, default=MACHINES[0])
    parser.add_argument("--json", action="store_true", help="for a program to read")
    chosen = parser.parse_args(arguments)
    try:
        counts = count_instructions(
            Bundle.load(chosen.model),
            compiler=chosen.compiler,
            optimize=f"-{chosen.optimize}",
            machine=chosen.machine,
        )
    except TinyOLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if chosen.json:
        print(json.dumps({name: asdict(count) for name, count in counts.items()}, indent=2))
        return 0
    console = Console()
    console.print(_table(counts, f"One window of {chosen.model.name} on a Cortex-M4F"))
    console.print(NOTE, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
