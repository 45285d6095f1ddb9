"""How many instructions a window and each learning part take on a Cortex-M4F, counted exactly.

`tinyol bench` prints them. Cycles and microseconds are estimates: no emulator here models the
pipeline or the flash.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..bundle import Bundle
from ..errors import EmulatorError
from .build import build_image
from .machine import new_machine

CLOCK_MHZ = 64  # nRF52840
# Cycles an instruction: what a Cortex-M4 spends on such kernels, roughly. Loads and branches
# take more than one cycle, and flash has wait states.
CYCLES_LEAST, CYCLES_MOST = 1.2, 1.6
INFERENCE = "inference"
INFERENCE_AND_TUNING = "inference + fine-tuning"
# Ren, Anicic, Runkler 2021: means on a Nano 33 BLE at 64 MHz; windows of 40, embedding of 4.
PAPER_US = {INFERENCE: 1748, INFERENCE_AND_TUNING: 1921}
NOTE = f"""
Instructions are counted exactly; shown is the median of the calls that were run. In the windows
three classes are taught; "3 x 8" is 3 classes and 8 features. Cycles and microseconds are an
estimate: {CYCLES_LEAST} to {CYCLES_MOST} cycles an instruction, roughly what a Cortex-M4 spends
on such kernels, at {CLOCK_MHZ} MHz.
Paper: Ren, Anicic, Runkler 2021, means on a Nano 33 BLE at 64 MHz."""
# What the cost image is built for: 8 classes, 8 features, a layer from 32 to 40 numbers.
COST_CAPACITIES = {
    "TINYOL_MAX_CLASSES": 8,
    "TINYOL_MAX_FEATURES": 8,
    "TINYOL_MAX_HIDDEN": 32,
    "TINYOL_MAX_INPUTS": 40,
    "TINYOL_MAX_WINDOW": 40,
    "TINYOL_MAX_RING": 64,
    "TINYOL_MAX_REHEARSAL": 112,
    "TINYOL_MAX_REHEARSAL_WINDOWS": 16,
    "TINYOL_FULL_COVARIANCE": 1,
}
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


@dataclass(frozen=True)
class PartCost:
    """Of one call of a learning part; classes or features are 0 where they do not matter."""

    name: str
    classes: int
    features: int
    instructions: Instructions


@dataclass(frozen=True)
class Costs:
    """What the learning parts, or those of authentication, take by themselves."""

    parts: list[PartCost]
    ram: dict[str, int]  # bytes of each struct, built with COST_CAPACITIES


def count_instructions(
    model: Bundle | bytes,
    *,
    compiler: str | None = None,
    optimize: str = "-O2",
    machine: str = "unicorn",
) -> dict[str, Instructions]:
    """Instructions per stage for one window, three classes taught, from the benchmark's image.

    The paper's second figure is among them: "inference + fine-tuning" is inference, the
    fine-tuned layer's prediction and its step.

    Raises:
        EmulatorError: compiler or emulator missing, or the model is refused.
    """
    image = build_image(model, compiler=compiler, optimize=optimize, program="bench_main")
    found: dict[str, list[int]] = {}
    for word, text in _notices(image, machine):
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


def count_costs(
    *,
    compiler: str | None = None,
    optimize: str = "-O2",
    machine: str = "unicorn",
    program: str = "cost_main",
) -> Costs:
    """What each part takes by itself, from a cost image; no model has a say in it.

    Args:
        program: "cost_main", the learning parts; "cost_access_main", those of authentication.

    Raises:
        EmulatorError: compiler or emulator missing.
    """
    image = build_image(
        None,
        compiler=compiler,
        optimize=optimize,
        program=program,
        capacities=COST_CAPACITIES,
    )
    parts: list[PartCost] = []
    ram: dict[str, int] = {}
    for word, text in _notices(image, machine):
        if word == "COST":
            *numbers, name = text.split(" ", 5)
            least, median, most, classes, features = map(int, numbers)
            parts.append(PartCost(name, classes, features, Instructions(median, least, most)))
        elif word == "RAM":
            count, _, name = text.partition(" ")
            ram[name] = int(count)
    return Costs(parts, ram)


def _notices(image: Path, machine: str) -> Iterator[tuple[str, str]]:
    """What the image tells until it is done, each as its word and what follows."""
    deadline = time.monotonic() + _TIMEOUT_S
    with new_machine(image, machine, icount=True) as board:
        while not any(notice.startswith("DONE") for notice in board.notices):
            board.read(0.01)
            if time.monotonic() > deadline:
                raise EmulatorError(f"the benchmark did not end within {_TIMEOUT_S:g} s")
        for notice in board.notices:
            word, _, text = notice.partition(" ")
            yield word, text
