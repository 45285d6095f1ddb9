"""How many instructions a window and each learning part take on a Cortex-M4F, counted exactly.

`tinyol bench` prints them. Cycles and microseconds are estimates: no emulator here models the
pipeline or the flash (cycles.py says how they are estimated).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..bundle import Bundle
from .build import build_image
from .counting import Instructions, over_calls, run_counted

INFERENCE = "inference"
INFERENCE_AND_LESSON = "inference + classifier learning"
INFERENCE_AND_TUNING = "inference + fine-tuning"
TUNING = "fine-tuning step"
SOFTMAX = "softmax step"
# What the sums are made of: stages of bench_main.cpp.
_SUMS = {
    INFERENCE_AND_LESSON: (
        INFERENCE, "running statistics", "classifier predict", "classifier lesson",
    ),
    INFERENCE_AND_TUNING: (INFERENCE, "fine-tuning predict", TUNING),
    "fine-tuning predict + step": ("fine-tuning predict", TUNING),
    "softmax predict + step": ("softmax predict", SOFTMAX),
}  # fmt: skip
# Ren, Anicic, Runkler 2021: means on a Nano 33 BLE at 64 MHz; windows of 40, embedding of 4.
PAPER_US = {INFERENCE: 1748, INFERENCE_AND_TUNING: 1921}
# What the estimates of the paper's pipeline stay below (tests/test_cost.py), at CLOCK_MHZ.
PROMISED_US = {INFERENCE_AND_LESSON: 192, INFERENCE_AND_TUNING: 400, SOFTMAX: 10, TUNING: 200}
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
    extra: Sequence[str] = (),
    cycles: bool = True,
) -> dict[str, Instructions]:
    """Instructions per stage for one window, three classes taught, from the benchmark's image.

    Sums of stages are among them: "inference + classifier learning" is inference, the running
    statistics, the classifier's prediction and its lesson; "inference + fine-tuning", the paper's
    second figure, is inference, the fine-tuned layer's prediction and its step. "softmax"
    is the paper's classifier by itself; a classifier's lesson teaches both heads.

    Raises:
        EmulatorError: compiler or emulator missing, or the model is refused.
    """
    image = build_image(
        model, compiler=compiler, optimize=optimize, extra=extra, program="bench_main"
    )
    found: dict[str, list[tuple[int, ...]]] = {}
    for word, text, figures in run_counted(image, machine, cycles=cycles):
        if word == "STAGE":
            found.setdefault(text.partition(" ")[2], []).append(figures)
    for name, stages in _SUMS.items():
        windows = zip(*(found[stage] for stage in stages), strict=True)
        found[name] = [tuple(map(sum, zip(*window, strict=True))) for window in windows]
    return {name: over_calls(calls) for name, calls in found.items()}


def count_costs(
    *,
    compiler: str | None = None,
    optimize: str = "-O2",
    machine: str = "unicorn",
    program: str = "cost_main",
    cycles: bool = True,
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
    calls: dict[tuple[str, int, int], list[tuple[int, ...]]] = {}
    ram: dict[str, int] = {}
    for word, text, figures in run_counted(image, machine, cycles=cycles):
        if word == "COST":
            _, _, classes, features, name = text.split(" ", 4)
            calls.setdefault((name, int(classes), int(features)), []).append(figures)
        elif word == "RAM":
            count, _, name = text.partition(" ")
            ram[name] = int(count)
    parts = [PartCost(*shape, over_calls(figures)) for shape, figures in calls.items()]
    return Costs(parts, ram)
