"""What authentication costs on a Cortex-M4F: the table in SECURITY.md."""

from __future__ import annotations

import re
import runpy
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from emulator_cases import HAS_GCC, gcc, qemu, unicorn, zig
from test_cost import TOLERANCE, check_row, needs_that_gcc

from tinyol_sim.emulator.bench import Costs, count_costs
from tinyol_sim.emulator.counting import Instructions

REPO = Path(__file__).resolve().parent.parent
SIZE = runpy.run_path(str(REPO / "firmware" / "size.py"))
DOC = REPO / "SECURITY.md"
MOST_MAC_OF_A_COMMAND = 12_000  # instructions: less than a window's
MOST_HANDSHAKE = 40_000
MOST_RAM_OF_A_LINK = 64  # bytes
# What a board has only because it knows who is teaching it.
SOURCES = ("blake2s", "secret_bytes", "random_pool", "device_key", "session_auth", "failure_limit")
SOURCES += ("access_rules", "server_access")

on_unicorn = pytest.mark.parametrize("machine", [unicorn])


@cache
def costs(compiler: str, machine: str = "unicorn") -> Costs:
    return count_costs(compiler=compiler, machine=machine, program="cost_access_main")


def counted(found: Costs) -> dict[str, Instructions]:
    return {part.name: part.instructions for part in found.parts}


@on_unicorn
@pytest.mark.parametrize("compiler", [gcc, zig])
def test_authentication_is_cheap(compiler: str, machine: str) -> None:
    found = counted(costs(compiler, machine))
    for name, part in found.items():  # 32 keys and messages
        assert 0 < part.least == part.most, name
    assert found["MAC of PING: check"].most < MOST_MAC_OF_A_COMMAND
    assert found["MAC of LABEL: check"].most < MOST_MAC_OF_A_COMMAND
    assert found["handshake: CHALLENGE"].most < MOST_HANDSHAKE
    # 500 bytes and 24 before them are nine blocks, with the key's ten; a PING is two.
    blocks = found["MAC of FEED, 40 samples: check"].median / found["MAC of PING: check"].median
    assert 4 < blocks < 6
    ram = costs(compiler, machine).ram
    assert ram["session key, a link"] + ram["failures, a link"] <= MOST_RAM_OF_A_LINK


@pytest.mark.parametrize("machine", [qemu])
@pytest.mark.skipif(not HAS_GCC, reason="no arm-none-eabi-g++")
def test_both_emulators_count_the_same(machine: str) -> None:
    pytest.importorskip("unicorn")
    by_unicorn = counted(costs("gcc"))
    assert counted(costs("gcc", machine)) == {
        name: replace(part, cycles=None) for name, part in by_unicorn.items()
    }
    assert costs("gcc", machine).ram == costs("gcc").ram


# --- SECURITY.md --------------------------------------------------------------------------------


def table() -> dict[str, tuple[int, str]]:
    """Rows `| what | number | cycles or "" |` of the section on costs."""
    section = DOC.read_text(encoding="utf-8").split("## What it costs")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \|([^|]*)\|$", section, re.MULTILINE)
    return {name.strip(): (int(count.replace(",", "")), rest.strip()) for name, count, rest in rows}


@on_unicorn
@needs_that_gcc
def test_the_table_has_the_instructions_that_are_counted(machine: str) -> None:
    rows = table()
    for name, instructions in counted(costs("gcc", machine)).items():
        said, cycles = rows[name.replace(": ", ", ")]
        check_row(name, said, int(cycles.replace(",", "")), instructions)


@on_unicorn
@needs_that_gcc
def test_the_table_has_the_ram_that_is_laid_out(machine: str) -> None:
    rows, ram = table(), costs("gcc", machine).ram
    for name, size in ram.items():
        assert rows[f"RAM: {name}"][0] == size


@needs_that_gcc
def test_the_table_has_the_code_of_each_source(tmp_path: Path) -> None:
    sizes = SIZE["code"]("-Os", tmp_path)
    found = sum(sizes[f"tinyol/src/tinyol/{name}.cpp"] for name in SOURCES)
    hash_only = sizes["tinyol/src/tinyol/blake2s.cpp"]
    for name, size in (("code: all of it", found), ("code: BLAKE2s", hash_only)):
        said = table()[name][0]
        assert abs(said - size) <= TOLERANCE * size, f"{name}: {said} in the table, {size} now"
