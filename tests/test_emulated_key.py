"""The emulated board makes its key from the host's random numbers, and keeps it without power."""

from __future__ import annotations

import random
import struct
import tempfile
from pathlib import Path

import pytest
from boards_with_flash import HEADER_BYTES, KEY_PAGES, NAME_PAGES
from emulator_cases import int8_bundle, needs_compiler, on_each_machine, unicorn
from session_by_hand import key_id
from wire_by_hand import ACCESS, CLASS_ADD, FACTORY_RESET, PAIR, Wire, open_wire

from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.flash_file import FLASH_BYTES
from tinyol_sim.emulator.flash_watch import FlashWatch
from tinyol_sim.emulator.machine import new_machine
from tinyol_sim.emulator.unicorn_machine import UnicornMachine
from tinyol_sim.errors import EmulatorError

PAGE_BYTES, RECORD_BYTES = 4096, 40
FIRST, ROTATE = bytes(4), b"\1\0\0\0"
PAIRED, LIVE, PHYSICAL = 1, 2, 4
FROM_HOST = 2
pytestmark = needs_compiler


def access(wire: Wire) -> tuple[int, int, bytes, int]:
    """Flags, source of random numbers, key id, keys made so far."""
    flags, source, _, found, made = struct.unpack_from("<BBH8sI", wire.request(ACCESS))
    return flags, source, found, made


@on_each_machine
def test_the_emulated_boards_key_is_there_when_the_power_is_back(
    machine: str, tmp_path: Path
) -> None:
    image, flash = build_image(int8_bundle()), tmp_path / "flash"
    before = set(Path(tempfile.gettempdir()).glob("tinyol-boot-*"))
    with new_machine(image, machine, flash=flash) as board:
        wire = open_wire(board)
        assert access(wire) == (PHYSICAL, FROM_HOST, bytes(8), 0)
        key = wire.request(PAIR, FIRST)
        assert access(wire) == (PAIRED | PHYSICAL, FROM_HOST, key_id(key), 1)
    with new_machine(image, machine, flash=flash) as board:
        wire = open_wire(board)
        assert access(wire) == (PAIRED | PHYSICAL, FROM_HOST, key_id(key), 1)
        with pytest.raises(AssertionError):
            wire.request(CLASS_ADD, b"\1a")
        wire.authenticate(key)
        wire.add_class("a")
        assert access(wire)[0] == PAIRED | LIVE | PHYSICAL
    with new_machine(image, machine, flash=tmp_path / "other") as board:
        assert open_wire(board).request(PAIR, FIRST) != key  # a seed of its own at each start
    assert set(Path(tempfile.gettempdir()).glob("tinyol-boot-*")) <= before  # nothing is left


@pytest.mark.parametrize("machine", [unicorn])
def test_the_emulated_boards_power_fails_while_it_gets_another_key(
    machine: str, tmp_path: Path
) -> None:
    """The old key, or the new one, which nobody was told then: another one can be had at once."""
    image, flash = build_image(int8_bundle()), tmp_path / "flash"
    board = UnicornMachine(image, flash=flash)

    def powered(watch: FlashWatch | None = None) -> Wire:
        board.flash_watch = watch
        board.start()
        return open_wire(board)

    old = powered().request(PAIR, FIRST)
    board.stop()
    content = flash.read_bytes()[:FLASH_BYTES]
    watch = FlashWatch()
    powered(watch).request(PAIR, ROTATE)
    board.stop()
    n_erased, n_stores = PAGE_BYTES // 4, len(watch.stores)
    last_word = n_erased + (HEADER_BYTES + RECORD_BYTES) // 4  # of the new record
    assert n_stores == last_word + n_erased + 2  # then the old one's page, and its count
    first_of_key = FLASH_BYTES - (NAME_PAGES + KEY_PAGES) * PAGE_BYTES
    end_of_key = FLASH_BYTES - NAME_PAGES * PAGE_BYTES
    assert all(first_of_key <= offset < end_of_key for offset, _ in watch.stores)

    rng = random.Random(1)
    for store in [1, 500, *range(n_erased, last_word + 2), last_word + 500, n_stores]:
        with flash.open("r+b") as file:
            file.write(content)
        watch = FlashWatch()
        wire = powered(watch)
        watch.cut_power(store, rng.getrandbits(32))
        with pytest.raises(EmulatorError, match="power was cut"):
            wire.request(PAIR, ROTATE)
        board.stop()
        wire = powered()
        flags, _, found, made = access(wire)
        assert flags == PAIRED | PHYSICAL
        assert (made == 1) == (found == key_id(old))
        assert made == 1 or store >= last_word
        assert made == 2 or store <= last_word
        newest = wire.request(PAIR, ROTATE)
        assert access(wire)[2:] == (key_id(newest), made + 1)
        assert wire.request(FACTORY_RESET, b"RSET") == b""
        assert access(wire) == (PHYSICAL, FROM_HOST, bytes(8), 0)
        board.stop()
