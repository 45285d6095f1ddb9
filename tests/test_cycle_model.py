"""The estimate of a Cortex-M4F's cycles: Arm's examples, blocks one after the other, llvm-mca."""

from __future__ import annotations

import importlib.util
import shutil
from functools import cache
from pathlib import Path

import pytest
from emulator_cases import HAS_GCC, gcc, int8_bundle, unicorn, zig
from mca_regions import estimated_cycles, marked_sources, mca_cycles, regions

from tinyol_sim.bundle import default_bundle
from tinyol_sim.emulator import counting
from tinyol_sim.emulator.bench import count_instructions
from tinyol_sim.emulator.cycle_table import Disassembler
from tinyol_sim.emulator.cycles import FLASH_WAIT, CycleCounter, run_cycles
from tinyol_sim.emulator.net_bench import PLAIN, NetCost, count_net, net_of
from tinyol_sim.emulator.profile import profile
from tinyol_sim.errors import EmulatorError, TinyOLError

needs_capstone = pytest.mark.skipif(
    not importlib.util.find_spec("capstone"), reason="no capstone: pip install 'tinyol[emulator]'"
)
AD01 = Path(__file__).resolve().parents[2] / "shared/data/mlperf-tiny-ad/ad01_int8.tflite"

# Code, its machine code, and its cycles: least, estimate, most. Refills come with what follows.
SEQUENCES = [
    # Section 3.3.2 of the manual: loads and stores, one behind the other.
    ("ldr r0,[r1]", "0868", (2, 2, 2)),
    ("ldr r0,[r1]; ldr r2,[r3]", "08681a68", (3, 3, 3)),
    ("ldr r0,[r1]; ldr r2,[r0]", "08680268", (4, 4, 4)),
    ("ldr r0,[r1,r2]; str r0,[r3,#20]", "88585861", (3, 3, 3)),
    ("ldr r0,[r1,r2]; str r1,[r3,r2]", "88589950", (3, 3, 3)),
    ("ldr.w r0,[r1,r5]; ldr r1,[r2]; ldr r2,[r3,#4]", "51f8050011685a68", (4, 4, 4)),
    ("str r0,[r1]; ldr r2,[r1]", "08600a68", (3, 3, 3)),
    ("adds r1,r1,#4; ldr r0,[r1]", "04310868", (3, 4, 4)),
    ("ldr r0,[pc,#8]", "0248", (2, 2, 3 + FLASH_WAIT)),
    # Table 3-1.
    ("ldmia r0!,{r1-r4}", "1ec8", (5, 5, 5)),
    ("push {r4-r7,lr}", "f0b5", (6, 6, 6)),
    ("pop {r4,pc}", "10bd", (3, 3, 3)),
    ("ldrd r0,r1,[r2]", "d2e90001", (3, 3, 3)),
    ("sxtb16 r0,r1,ror #8; smlad r0,r1,r2,r0", "2ffa91f021fb0200", (2, 2, 2)),
    ("smull r0,r1,r2,r3; mla r0,r1,r2,r3", "82fb030101fb0230", (2, 2, 2)),
    ("sdiv r0,r1,r2", "91fbf2f0", (2, 7, 12)),
    ("subs r0,r0,#1; bne .-2", "0138fdd1", (2, 2, 2)),
    ("tbb [pc,r0]", "dfe800f0", (2, 3, 3)),
    ("adds r0,r0,#1; it eq; moveq r0,r1", "013008bf0846", (2, 2, 3)),
    ("add.w r0,r0,#1; it eq; moveq r0,r1", "00f1010008bf0846", (2, 3, 3)),
    ("it ne; ldrne r0,[r1]", "18bf0868", (1, 3, 3)),
    # The FPU.
    ("vmul.f32 s0,s1,s2; vadd.f32 s6,s6,s0", "20ee810a33ee003a", (3, 3, 3)),
    (
        "vmul.f32 s0,s1,s2; vmul.f32 s3,s4,s5; vadd.f32 s6,s6,s0",
        "20ee810a62ee221a33ee003a",
        (3, 3, 3),
    ),
    ("vmul.f32 s0,s1,s2; vmla.f32 s0,s3,s4", "20ee810a01ee820a", (4, 4, 4)),
    ("vmul.f32 s0,s1,s2; vmla.f32 s3,s0,s4", "20ee810a40ee021a", (5, 5, 5)),
    ("vdiv.f32 s0,s1,s2; vmul.f32 s3,s0,s0", "80ee810a60ee001a", (16, 16, 16)),
    ("vdiv.f32 s0,s1,s2; adds r0,r0,#1", "80ee810a0130", (2, 2, 15)),
    (
        "vdiv.f32 s0,s1,s2; adds r0,r0,#1; adds r1,r1,#1; vmul.f32 s3,s4,s5",
        "80ee810a0130013162ee221a",
        (15, 15, 17),
    ),
    ("vldmia r0!,{s0-s7}", "b0ec080a", (9, 9, 9)),
    ("vldmia r0!,{d0-d1}", "b0ec040b", (5, 5, 5)),
    ("vldr s0,[r0]", "90ed000a", (2, 2, 2)),
    ("vstr s0,[r0]", "80ed000a", (1, 2, 2)),
    ("vmov r0,r1,s0,s1", "51ec100a", (2, 2, 2)),
]


@needs_capstone
@pytest.mark.parametrize(("code", "raw", "expected"), SEQUENCES)
def test_cycles_are_the_manuals(code: str, raw: str, expected: tuple[int, int, int]) -> None:
    timings = Disassembler().timings(bytes.fromhex(raw), 0)
    assert len(timings) == len(code.split(";"))
    assert run_cycles(timings)[0] == expected


class Memory:
    """As much of an emulator as a counter needs."""

    def __init__(self, blocks: dict[int, str]) -> None:
        self.blocks = {address: bytes.fromhex(raw) for address, raw in blocks.items()}

    def mem_read(self, address: int, n_bytes: int) -> bytes:
        return self.blocks[address][:n_bytes]


def measured(memory: Memory, order: list[int]) -> tuple[int, ...]:
    """Of blocks executed in this order, as bench_main.cpp measures them."""
    counter = CycleCounter()
    counter.on_timer_read()
    for address in order:
        counter.on_block(memory, address, len(memory.blocks[address]), None)
    for _ in range(3):
        counter.on_timer_read()
    counter.on_notice("STAGE")
    return counter.measured(0)


@needs_capstone
def test_a_branch_refills_the_pipeline_only_where_it_is_taken() -> None:
    loop, behind = "0138fdd1", "0130"  # subs; bne .-2 | adds
    memory = Memory({0x100: loop, 0x104: behind})
    assert measured(memory, [0x100, 0x104]) == (3, 3, 3, 3)
    # Nine times round: 1 to 3 cycles each.
    assert measured(memory, [0x100] * 10 + [0x104]) == (21, 30, 39, 48)


@needs_capstone
def test_neighbours_in_two_blocks_are_neighbours() -> None:
    load, vdiv, vmul = "0868", "80ee810a", "60ee001a"
    memory = Memory({0x100: load, 0x102: load, 0x200: vdiv, 0x204: vmul})
    assert measured(memory, [0x100, 0x102]) == (2, 3, 3, 3)
    assert measured(memory, [0x200, 0x204]) == (2, 16, 16, 16)


@needs_capstone
def test_an_unknown_instruction_is_an_error() -> None:
    with pytest.raises(EmulatorError, match="0x00000040"):
        Disassembler().timings(bytes.fromhex("0868" + "ffffffff"), 0x40)


def test_without_capstone_there_are_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not counting.cycles_can_be_estimated("unicorn")
    monkeypatch.undo()
    assert not counting.cycles_can_be_estimated("qemu")


@cache
def net_cost(compiler: str, *, plain: bool = False, ad01: bool = False) -> NetCost:
    net = net_of(AD01 if ad01 else default_bundle())
    return count_net(net, compiler=compiler, extra=PLAIN if plain else ())


@needs_capstone
@pytest.mark.parametrize("machine", [unicorn])
@pytest.mark.parametrize("compiler", [gcc, zig])
def test_a_net_costs_less_with_the_dsp_instructions(compiler: str, machine: str) -> None:
    dsp, plain = net_cost(compiler), net_cost(compiler, plain=True)
    assert dsp.output_crc == plain.output_crc
    assert dsp.multiply_accumulates == 40 * 32 + 32 * 4 + 4 * 32 + 32 * 40
    assert 2 * dsp.all.median < plain.all.median
    for cost in (dsp, plain):
        # An operator that is asked for by itself costs a call more.
        whole = sum(layer.instructions.median for layer in cost.layers)
        assert abs(whole - cost.all.median) <= 80 * len(cost.layers)
        assert cost.all.cycles is not None
        least, estimate, most = cost.all.cycles
        assert cost.all.median < least < estimate < most
        # The weights are in flash, four to a word, and each word is read once.
        assert most - estimate >= FLASH_WAIT * cost.multiply_accumulates // 4


@needs_capstone
@pytest.mark.skipif(not AD01.exists(), reason="ad01_int8.tflite is not beside the project")
@pytest.mark.parametrize("machine", [unicorn])
@pytest.mark.parametrize("compiler", [gcc, zig])
def test_ad01_takes_fewer_instructions_a_mac_than_cmsis_nn(compiler: str, machine: str) -> None:
    cost = net_cost(compiler, ad01=True)
    assert cost.multiply_accumulates == 2 * 640 * 128 + 6 * 128 * 128 + 2 * 8 * 128
    assert cost.output_crc == 0xD938D456
    assert cost.instructions_per_mac is not None
    assert cost.cycles_per_mac is not None
    assert 1.0 < cost.instructions_per_mac < 1.25  # CMSIS-NN in TFLM: 1.63
    assert cost.instructions_per_mac < cost.cycles_per_mac < 1.75


@needs_capstone
@pytest.mark.skipif(not HAS_GCC, reason="no arm-none-eabi-g++")
@pytest.mark.parametrize("machine", [unicorn])
def test_the_profile_adds_up(machine: str) -> None:
    stage = "window, predicting"
    bundle = int8_bundle()
    costs = profile(bundle, stage, compiler="gcc")
    counted = count_instructions(bundle, compiler="gcc", cycles=False)[stage]
    whole = sum(cost.instructions for cost in costs)
    # A mean, with the few instructions between the timer and what is measured.
    assert counted.least <= whole <= counted.most + 40
    assert costs[0].cycles >= costs[-1].cycles
    with pytest.raises(TinyOLError, match="window, predicting"):
        profile(bundle, "lunch", compiler="gcc")


@needs_capstone
@pytest.mark.skipif(not HAS_GCC, reason="no arm-none-eabi-g++")
@pytest.mark.skipif(not shutil.which("llvm-mca"), reason="no llvm-mca: apt install llvm")
def test_llvm_mca_says_the_same_of_the_inner_loops(tmp_path: Path) -> None:
    found = {
        name: instructions
        for source in marked_sources()
        for name, instructions in regions(source, tmp_path).items()
    }
    assert {"four_rows_int8", "dot_four_rows_f32", "subtract_four_rows_f32"} <= set(found)
    for name, instructions in found.items():
        count, cycles = estimated_cycles(instructions, tmp_path)
        by_mca = mca_cycles(instructions, tmp_path)
        assert count <= cycles, name
        assert abs(cycles - by_mca) <= 0.1 * by_mca, f"{name}: {cycles}, llvm-mca {by_mca}"
