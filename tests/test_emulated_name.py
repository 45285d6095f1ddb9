"""The emulated board's name outlives its power, which may fail at any word of a naming."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from boards_with_flash import HEADER_BYTES, NAME_PAGES, SAVE
from emulator_cases import int8_bundle, needs_compiler, on_each_machine, unicorn
from names_of_boards import payload, record_bytes
from wire_by_hand import HARDWARE, NAME_SET, Wire, open_wire

from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.flash_file import FLASH_BYTES
from tinyol_sim.emulator.flash_watch import FlashWatch
from tinyol_sim.emulator.machine import new_machine
from tinyol_sim.emulator.unicorn_machine import UnicornMachine
from tinyol_sim.errors import EmulatorError

PAGE_BYTES = 4096
pytestmark = needs_compiler


def name_of(wire: Wire) -> str:
    return wire.request(HARDWARE)[20:].rstrip(b"\0").decode()


@on_each_machine
def test_the_emulated_boards_name_is_there_when_the_power_is_back(
    machine: str, tmp_path: Path
) -> None:
    image, flash = build_image(int8_bundle()), tmp_path / "flash"
    before = ""
    for name in ("Lüfter", "twenty bytes it is !", ""):
        with new_machine(image, machine, flash=flash) as board:
            wire = open_wire(board)
            hardware = struct.unpack("<BBHfIII", wire.request(HARDWARE)[:20])
            assert hardware[:5] == (0, 0, 0, 0.0, 0)
            assert hardware[5] == hardware[6] > 0
            assert name_of(wire) == before
            assert wire.request(NAME_SET, payload(name)) == b""
            assert name_of(wire) == name
        before = name


@pytest.mark.parametrize("machine", [unicorn])
def test_the_emulated_boards_power_fails_while_it_is_named(machine: str, tmp_path: Path) -> None:
    image, flash = build_image(int8_bundle()), tmp_path / "flash"
    board = UnicornMachine(image, flash=flash)

    def powered(watch: FlashWatch | None = None) -> Wire:
        board.flash_watch = watch
        board.start()
        return open_wire(board)

    wire = powered()
    wire.add_class("learned")
    wire.request(SAVE)
    state = wire.state()
    wire.request(NAME_SET, payload("before"))
    board.stop()
    content = flash.read_bytes()[:FLASH_BYTES]
    watch = FlashWatch()
    wire = powered(watch)
    wire.request(NAME_SET, payload("after"))
    board.stop()
    n_erased, n_stores = PAGE_BYTES // 4, len(watch.stores)
    assert n_stores == n_erased + (HEADER_BYTES + record_bytes("after")) // 4
    first_of_name = FLASH_BYTES - NAME_PAGES * PAGE_BYTES
    assert all(first_of_name <= offset < FLASH_BYTES for offset, _ in watch.stores)

    rng, outcomes = random.Random(2), set()
    for i in [0, 500, *range(n_erased - 1, n_stores), n_stores - 1]:
        with open(flash, "r+b") as file:
            file.write(content)
        watch = FlashWatch()
        wire = powered(watch)
        # Of the last word: some of its bits, then all of them.
        torn = 0 if (i, "before") in outcomes else rng.getrandbits(32)
        watch.cut_power(i + 1, torn)
        with pytest.raises(EmulatorError, match="power was cut"):
            wire.request(NAME_SET, payload("after"))
        board.stop()
        wire = powered()
        found = name_of(wire)
        assert found == "before" or (found == "after" and i == n_stores - 1)
        outcomes.add((i, found))
        assert wire.state() == state
        wire.request(NAME_SET, payload("next"))
        board.stop()
        assert name_of(powered()) == "next"
        board.stop()
    assert {found for i, found in outcomes if i == n_stores - 1} == {"before", "after"}
