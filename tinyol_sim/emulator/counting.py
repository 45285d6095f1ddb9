"""Runs a program that measures itself on an emulated Cortex-M4F, and gathers what it tells.

The board's timer counts instructions, and the program tells what it has measured with it. Cycles it
cannot see: they are noted whenever it reads the timer (cycles.py).
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import EmulatorError
from .block_counter import BlockCounter
from .cycle_table import Cycles
from .cycles import CycleCounter
from .machine import Machine, new_machine
from .unicorn_machine import UnicornMachine

CLOCK_MHZ = 64  # nRF52840
_MEASURED = ("STAGE", "LAYER", "NET", "COST")
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Instructions:
    """Of one stage, over the benchmark's windows."""

    median: int
    least: int
    most: int
    cycles: Cycles | None = None  # medians; None where they cannot be estimated

    def microseconds(self) -> tuple[float, float, float] | None:
        """At CLOCK_MHZ: the least, the estimate, the most; None without cycles."""
        if self.cycles is None:
            return None
        least, estimate, most = self.cycles
        return least / CLOCK_MHZ, estimate / CLOCK_MHZ, most / CLOCK_MHZ


def cycles_can_be_estimated(machine: str) -> bool:
    """On unicorn, with capstone; QEMU tells nobody which code it runs."""
    return machine == "unicorn" and importlib.util.find_spec("capstone") is not None


def run_counted(
    image: Path, machine: str, *, cycles: bool = True
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """What the program tells until it is done: word, text, and its figures if it is measured.

    Measured are the notices STAGE, LAYER, NET and COST, whose text begins with instructions. The
    figures are instructions, and with `cycles`, where they can be estimated, also their least,
    estimate and most.

    Raises:
        EmulatorError: the emulator is missing, or the program did not end.
    """
    counter = CycleCounter() if cycles and cycles_can_be_estimated(machine) else None
    if counter is None:
        notices = _until_done(new_machine(image, machine, icount=True))
    else:
        notices = run_on(image, counter)
    for i, notice in enumerate(notices):
        word, _, text = notice.partition(" ")
        figures: tuple[int, ...] = ()
        if word in _MEASURED:
            fields = text.split(" ")
            figures = (int(fields[0]),)
            if counter is not None:
                figures = counter.measured(i, int(fields[1]) if word == "COST" else 1)
        yield word, text, figures


def over_calls(calls: Iterable[tuple[int, ...]]) -> Instructions:
    """Of the calls of one stage, each with its figure from every run."""
    instructions, *cycles = zip(*calls, strict=True)
    medians = [int(statistics.median_low(figures)) for figures in cycles]
    return Instructions(
        median=int(statistics.median_low(instructions)),
        least=min(instructions),
        most=max(instructions),
        cycles=Cycles(*medians) if medians else None,
    )


def run_on(image: Path, counter: BlockCounter) -> list[str]:
    """Runs the program on unicorn, with a counter that was made for it; returns all notices.

    Raises:
        EmulatorError: unicorn is missing, or the program did not end.
    """
    return _until_done(UnicornMachine(image, icount=True, counter=lambda: counter))


def _until_done(machine: Machine) -> list[str]:
    deadline = time.monotonic() + _TIMEOUT_S
    with machine as board:
        while not any(notice.startswith("DONE") for notice in board.notices):
            board.read(0.01)
            if time.monotonic() > deadline:
                raise EmulatorError(f"the benchmark did not end within {_TIMEOUT_S:g} s")
        return list(board.notices)
