"""What learning costs on a Cortex-M4F: the promised bounds, and the table of docs/learning.md."""

from __future__ import annotations

import re
import runpy
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from emulator_cases import HAS_GCC, gcc, qemu, unicorn, zig

from tinyol_sim.benchmark.paper_bundle import paper_bundle
from tinyol_sim.bundle import default_bundle
from tinyol_sim.emulator.bench import (
    COST_CAPACITIES,
    PROMISED_US,
    Costs,
    count_costs,
    count_instructions,
)
from tinyol_sim.emulator.counting import CLOCK_MHZ, Instructions

REPO = Path(__file__).resolve().parent.parent
SIZE = runpy.run_path(str(REPO / "firmware" / "size.py"))
DOC = REPO / "docs" / "learning.md"
MOST_STEP = 2000  # instructions
MOST_HEAD = MOST_REHEARSAL = 2048  # bytes
TOLERANCE = 0.10  # of the table's instructions
# Clang makes the full covariance's step longer than GCC, which builds for the boards.
MOST_BY_ZIG = 2300
HEADS = ("softmax, paper", "softmax, bias, balanced", "Gaussian, diagonal", "Gaussian, full")

on_unicorn = pytest.mark.parametrize("machine", [unicorn])


@cache
def costs(compiler: str, machine: str = "unicorn") -> Costs:
    return count_costs(compiler=compiler, machine=machine)


def largest(found: Costs) -> dict[str, Instructions]:
    """Of each part, for 8 classes and 8 features."""
    return {
        part.name: part.instructions
        for part in found.parts
        if part.classes in (0, 8) and part.features in (0, 8)
    }


@on_unicorn
@pytest.mark.parametrize("compiler", [gcc, zig])
def test_no_head_passes_the_bounds(compiler: str, machine: str) -> None:
    found = costs(compiler, machine)
    parts = largest(found)
    most = MOST_STEP if compiler == "gcc" else MOST_BY_ZIG
    for name in HEADS:
        step = parts[f"{name}: learn"]
        assert 0 < step.least <= step.most <= most, name
    for name in HEADS:
        assert parts[f"{name}: predict"].most <= most, name
    assert found.ram["softmax"] <= MOST_HEAD
    assert found.ram["Gaussian"] <= MOST_HEAD
    assert found.ram["rehearsal"] + found.ram["window rehearsal"] <= MOST_REHEARSAL


@on_unicorn
@pytest.mark.parametrize("compiler", [gcc, zig])
def test_costs_grow_with_what_is_learned(compiler: str, machine: str) -> None:
    found = costs(compiler, machine)
    by_shape = {(part.name, part.classes, part.features): part for part in found.parts}
    assert len(by_shape) == len(found.parts)
    for (name, classes, features), part in by_shape.items():
        counted = part.instructions
        assert 0 < counted.least <= counted.median <= counted.most
        if classes == 3 and name.endswith("predict"):
            assert by_shape[name, 8, features].instructions.least > counted.most
        # Not its step: eight columns are one turn of its loop, and five are five.
        if features == 5 and name == "softmax, paper: predict":
            assert by_shape[name, classes, 8].instructions.median > counted.median
    parts = largest(found)
    n_weights = COST_CAPACITIES["TINYOL_MAX_HIDDEN"] * COST_CAPACITIES["TINYOL_MAX_INPUTS"]
    assert parts["fine-tuned layer: predict"].least > 2 * n_weights  # a load and a product each
    rules = [parts[f"fine-tuned layer, {rule}: learn"].median for rule in ("SGD", "NLMS", "RLS")]
    assert parts["fine-tuned layer: predict"].most < rules[0] < rules[1] < rules[2]
    rehearsing = parts["softmax, rehearsal of 4: learn"].least
    assert rehearsing > 5 * parts["softmax, bias, balanced: learn"].least - 4 * 300


@pytest.mark.parametrize("machine", [qemu])
@pytest.mark.skipif(not HAS_GCC, reason="no arm-none-eabi-g++")
def test_both_emulators_count_the_same(machine: str) -> None:
    pytest.importorskip("unicorn")
    by_unicorn = costs("gcc")
    alone = [
        replace(part, instructions=replace(part.instructions, cycles=None))
        for part in by_unicorn.parts
    ]
    assert costs("gcc", machine) == Costs(alone, by_unicorn.ram)


@on_unicorn
@pytest.mark.parametrize("optimize", ["-O2", "-Os"])
@pytest.mark.parametrize("compiler", [gcc, zig])
def test_the_papers_pipeline_stays_below_what_is_promised(
    compiler: str, optimize: str, machine: str
) -> None:
    pytest.importorskip("capstone")
    stages = count_instructions(
        paper_bundle(default_bundle()), compiler=compiler, optimize=optimize, machine=machine
    )
    # GCC builds for boards, and speed is promised at -O2.
    slack = 1.0 if (compiler, optimize) == ("gcc", "-O2") else 1.15
    for name, most_us in PROMISED_US.items():
        cycles = stages[name].cycles
        assert cycles is not None
        assert 0 < cycles.estimate <= slack * most_us * CLOCK_MHZ, f"{name}: {cycles}"


# --- docs/learning.md ---------------------------------------------------------------------------


def gcc_major() -> str:
    if not HAS_GCC:
        return "none"
    printed = subprocess.run(
        ["arm-none-eabi-g++", "-dumpversion"], capture_output=True, text=True, check=True
    ).stdout
    return printed.split(".")[0]


needs_that_gcc = pytest.mark.skipif(
    gcc_major() != "12", reason="the table is of arm-none-eabi-g++ 12"
)


def table() -> dict[str, list[str]]:
    """The table's rows: name -> RAM, predict, learn or update, cycles; as they are printed."""
    rows: dict[str, list[str]] = {}
    for line in DOC.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 7 and cells[0] != "part" and set(cells[0]) != {"-"}:
            rows[cells[0]] = cells[3:]
    return rows


def number(cell: str) -> int | None:
    return int(cell.replace(",", "")) if cell else None


def near(said: int | None, counted: int) -> bool:
    return said is not None and abs(said - counted) <= TOLERANCE * counted


def check_row(name: str, said: int | None, cycles: int | None, counted: Instructions) -> None:
    assert near(said, counted.median), f"{name}: {said} in the table, {counted.median} counted"
    if counted.cycles is not None and cycles is not None:
        estimate = counted.cycles.estimate
        assert near(cycles, estimate), f"{name}: {cycles} cycles in the table, now {estimate}"


@on_unicorn
@needs_that_gcc
def test_the_table_has_the_instructions_that_are_counted(machine: str) -> None:
    rows = table()
    assert "classifier, as it starts" in rows
    parts = largest(costs("gcc", machine))
    for name, counted in parts.items():
        row, _, call = name.partition(": ")
        if row == "rehearsal":
            continue  # in the softmax head's row
        _, predict, learn, cycles = map(number, rows[row])
        # The row's cycles are of the right-most instructions.
        is_last = call != "predict" or learn is None
        check_row(
            name, predict if call == "predict" else learn, cycles if is_last else None, counted
        )
    windows = count_instructions(default_bundle(), compiler="gcc", machine=machine)
    for name, counted in windows.items():
        if name.startswith("window, "):
            _, _, instructions, cycles = map(number, rows[name])
            check_row(name, instructions, cycles, counted)
    assert all(number(cycles) for _, _, _, cycles in rows.values())


@needs_that_gcc
def test_the_table_has_the_ram_that_is_laid_out(tmp_path: Path) -> None:
    asked = {name: value for name, (_, value) in SIZE["CAPACITIES"].items()}
    assert all(
        COST_CAPACITIES[macro] == value
        for name, (macro, value) in SIZE["CAPACITIES"].items()
        if name != "full_covariance"
    )
    command, _ = SIZE["compiler"]()
    diagonal, full = (
        SIZE["ram"](command, {**asked, "full_covariance": covariance}, tmp_path)
        for covariance in (0, 1)
    )
    expected = {
        "running statistics": full["running_stats"],
        "softmax, paper": full["softmax_head"],
        "softmax, bias, balanced": full["softmax_head"],
        "softmax, rehearsal of 4": full["softmax_head"] + full["rehearsal_buffer"],
        "Gaussian, diagonal": diagonal["gaussian_head"],
        "Gaussian, full": full["gaussian_head"],
        "classifier, as it starts": diagonal["classifier"],
        "unknown events": full["unknown_events"],
        "anomaly detector, fixed": full["anomaly_detector"],
        "anomaly detector, two-sided, young": full["anomaly_detector"],
        "anomaly detector, two-sided": full["anomaly_detector"],
        "drift monitor": full["drift_monitor"],
        "fine-tuned layer": full["reconstruction_head"],
        "fine-tuned layer, RLS": full["least_squares"],
        "window rehearsal": full["window_rehearsal"],
    }
    assert {name: number(row[0]) for name, row in table().items() if row[0]} == expected
    pytest.importorskip("unicorn")
    ram = costs("gcc").ram  # as the running image has them
    assert ram["Gaussian"] == full["gaussian_head"]
    assert ram["classifier"] == full["classifier"]
    assert ram["unknown events"] == full["unknown_events"]
