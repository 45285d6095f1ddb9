"""Estimates the cycles that a Cortex-M4F spends, from the code that an emulator executes.

No emulator here models the pipeline or the memory. This one disassembles each block that is
executed and adds up what Arm's manual says of its instructions (cycle_table.py) and of neighbours:

- a load right behind a load takes one cycle less, unless its address is what was just loaded;
- an address that the instruction before has computed costs a cycle;
- a float result that the next instruction needs costs a cycle;
- VDIV and VSQRT run on beside integer instructions, until the FPU is needed again;
- a branch that is taken refills the pipeline.

Three figures. The estimate takes the manual at its word, 2 cycles for a refill, and no wait
states: code in the cache, data read at once. The least is with refills of 1 cycle, every IT folded
and single float loads pipelined like others. The most is with refills of 3, no overlap of VDIV,
and 2 more cycles for each word of data that is read from flash, weights and literals among them:
nRF52840 Product Specification, "CPU", wait states from flash.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .block_counter import BlockCounter
from .cycle_table import (
    FLOAT_LOAD,
    FLOAT_STORE,
    IT_ALONE,
    IT_FOLDED,
    LOAD,
    NONE,
    STORE,
    Cycles,
    Disassembler,
    Timing,
)

FLASH_WAIT = 2  # cycles a read


class Before(NamedTuple):
    """What the next block must know of the one before."""

    last: Timing | None = None
    dividing: int = 0  # cycles that a VDIV still takes, by the estimate


NOTHING_BEFORE = Before()


class _Block(NamedTuple):
    instructions: int
    least: int
    estimate: int
    most: int
    end: int  # address behind it
    refill: Cycles  # if execution goes on elsewhere
    after: int  # place in _befores
    after_branch: int  # the same, if execution goes on elsewhere


class _Total(NamedTuple):
    instructions: int
    least: int
    estimate: int
    most: int


class CycleCounter(BlockCounter):
    """A BlockCounter that also adds up cycles, and notes all of it whenever the timer is read.

    Raises:
        EmulatorError: capstone is not installed.
    """

    reads_matter = True

    def __init__(self) -> None:
        super().__init__()
        self._least = self._estimate = self._most = 0
        self._disassembler = Disassembler()
        # Each distinct Before has a number, which is quicker to look up by.
        self._befores: dict[Before, int] = {NOTHING_BEFORE: 0}
        self._blocks: dict[tuple[int, int, int], _Block] = {}
        self._last = _Block(0, 0, 0, 0, -1, NONE, 0, 0)
        self._timer_reads: list[_Total] = []
        self._reads_at_notice: list[int] = []

    def on_block(self, machine: Any, address: int, n_bytes: int, _: Any) -> None:
        """See BlockCounter."""
        last = self._last
        before = last[6]
        if address != last[4]:
            least, estimate, most = last[5]
            self._least += least
            self._estimate += estimate
            self._most += most
            before = last[7]
        block = self._blocks.get((address, n_bytes, before))
        if block is None:
            code = bytes(machine.mem_read(address, n_bytes))
            block = self._new_block(code, address, before)
            self._blocks[address, n_bytes, before] = block
        self.instructions += block[0]
        self._least += block[1]
        self._estimate += block[2]
        self._most += block[3]
        self._last = block

    def on_flash_read(self) -> None:
        """See BlockCounter: at most, it waits."""
        self._most += FLASH_WAIT

    def on_timer_read(self) -> None:
        """See BlockCounter."""
        total = _Total(self.instructions, self._least, self._estimate, self._most)
        self._timer_reads.append(total)

    def on_notice(self, notice: str) -> None:
        """See BlockCounter."""
        self._reads_at_notice.append(len(self._timer_reads))

    def measured(self, notice: int, measurements: int = 1) -> tuple[int, ...]:
        """Instructions and cycles of the last measurements before a notice, all together.

        A measurement is what instructions_of() does (firmware/boards/emulator/instructions.h): the
        timer is read before and after, and then twice more, for what an empty one takes.

        Returns:
            instructions, least, estimate, most.
        """
        end = self._reads_at_notice[notice]
        reads = self._timer_reads[end - 4 * measurements : end]
        whole = [0, 0, 0, 0]
        for i in range(0, len(reads), 4):
            for j, (start, stop, again, empty) in enumerate(zip(*reads[i : i + 4], strict=True)):
                whole[j] += max(0, (stop - start) - (empty - again))
        return tuple(whole)

    def _new_block(self, code: bytes, address: int, before: int) -> _Block:
        timings = self._disassembler.timings(code, address)
        cycles, after = run_cycles(timings, list(self._befores)[before])
        return _Block(
            len(timings),
            *cycles,
            end=address + len(code),
            refill=after.last.refill if after.last is not None else NONE,
            after=self._number(after),
            after_branch=self._number(Before(None, after.dividing)),
        )

    def _number(self, before: Before) -> int:
        return self._befores.setdefault(before, len(self._befores))


def run_cycles(timings: list[Timing], before: Before = NOTHING_BEFORE) -> tuple[Cycles, Before]:
    """Of instructions one after the other, without refills; and what the next ones must know."""
    least = estimate = most = 0
    last, dividing = before
    for timing in timings:
        low, middle, high = _alone(timing, last)
        if last is not None and timing.address & last.written:
            middle, high = middle + 1, high + 1
        if last is not None and timing.consumed & last.results:
            low, middle, high = low + 1, middle + 1, high + 1
        if timing.is_float and dividing:
            low, middle, dividing = low + dividing, middle + dividing, 0
        if timing.is_divide and not timing.is_conditional:
            # All but one are paid for when the FPU is needed again.
            dividing = timing.cycles.estimate - 1
            low, middle = low - dividing, middle - dividing
        else:
            dividing = max(0, dividing - middle)
        least, estimate, most = least + low, estimate + middle, most + high
        last = timing
    return Cycles(least, estimate, most), Before(last, dividing)


def _alone(timing: Timing, last: Timing | None) -> Cycles:
    """With what a load or an IT gains by the instruction before."""
    if timing.is_it:
        return IT_FOLDED if last is not None and last.n_bytes == 2 else IT_ALONE
    low, middle, high = timing.cycles
    follows_load = last is not None and last.kind == LOAD
    follows_any_load = last is not None and last.kind in (LOAD, FLOAT_LOAD)
    if last is not None and timing.address & last.loaded:
        follows_load = follows_any_load = False
    if timing.kind == LOAD or (timing.kind == STORE and timing.register_offset):
        low -= follows_any_load
        middle -= follows_load
        high -= follows_load
    elif timing.kind in (FLOAT_LOAD, FLOAT_STORE):
        low -= follows_any_load or timing.kind == FLOAT_STORE
    if timing.literal:
        high += 1 + FLASH_WAIT  # contention with the fetch, and it lies in flash
    return Cycles(1 if timing.is_conditional else low, middle, high)
