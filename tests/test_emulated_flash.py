"""The emulated board's flash: it outlives the power, and the power may fail at any of its words."""

from __future__ import annotations

import random
import struct
import time
from pathlib import Path

import pytest
from boards_with_flash import SAVE, MemoryFlash, SavingBoard
from emulator_cases import int8_bundle, needs_compiler, on_each_machine, qemu, unicorn
from wire_by_hand import INFO, SETTING_SET, Wire, decode_frame, encode_frame, open_wire

from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.flash_file import FILE_BYTES, FLASH_BYTES
from tinyol_sim.emulator.flash_watch import FlashWatch, store_torn
from tinyol_sim.emulator.machine import new_machine
from tinyol_sim.emulator.unicorn_machine import UnicornMachine
from tinyol_sim.errors import EmulatorError
from tinyol_sim.settings import SETTINGS
from tinyol_sim.twin import Twin

PAGE_BYTES = 4096
ALL_ONES = 0xFFFFFFFF
pytestmark = needs_compiler


def setting(value: float) -> bytes:
    return struct.pack("<HHf", SETTINGS["classifier.learning_rate"].id, 0, value)


def store_of(wire: Wire) -> tuple[int, ...]:
    """Saves, wear and store of INFO."""
    return struct.unpack("<III", wire.request(INFO)[88:])


@on_each_machine
def test_what_was_saved_is_there_when_the_power_is_back(machine: str, tmp_path: Path) -> None:
    image, flash = build_image(int8_bundle()), tmp_path / "a,flash"
    state = b""
    for i in range(3):
        with new_machine(image, machine, flash=flash) as board:
            wire = open_wire(board)
            assert ("RESTORED what was saved" in board.notices) == (i > 0)
            assert state in (wire.state(), b"")
            assert store_of(wire) == (0, min(i, 1), 1)
            wire.add_class(f"class {i}")
            assert store_of(wire)[2] == 3
            state = wire.state()
            assert wire.request(SAVE) == struct.pack("<I", len(state))
            assert store_of(wire) == (1, 1, 1)
            wire.add_class("not saved")
    with new_machine(image, machine) as board:  # without the file
        assert board.notices == ["READY emulator"]
    assert flash.stat().st_size == FILE_BYTES


@pytest.mark.parametrize("machine", [unicorn])
def test_a_departed_peers_lesson_is_saved_by_the_board(machine: str, tmp_path: Path) -> None:
    image, flash = build_image(int8_bundle()), tmp_path / "flash"
    with new_machine(image, machine, flash=flash) as board:
        wire = open_wire(board)
        wire.add_class("normal")
        state = wire.state()
        wire.request(4)  # GOODBYE
        wire.sequence = 0
        wire.hello(nonce=2)
        deadline = time.monotonic() + 5
        while store_of(wire) != (1, 1, 1):  # it saves as soon as it has nothing else to do
            assert time.monotonic() < deadline
    with new_machine(image, machine, flash=flash) as board:
        assert open_wire(board).state() == state


@pytest.mark.parametrize("machine", [unicorn])
def test_the_power_fails_at_every_word_of_a_save(machine: str, tmp_path: Path) -> None:
    """Every store of a save is seen on the emulated CPU. What a cut within each leaves is looked at
    by the same code in this process; a sample is cut, and booted, on the emulated CPU itself.
    """
    bundle = int8_bundle()
    image, flash = build_image(bundle), tmp_path / "flash"
    board = UnicornMachine(image, flash=flash)

    def powered(watch: FlashWatch | None = None) -> Wire:
        board.flash_watch = watch
        board.start()
        return open_wire(board)

    wire = powered()
    wire.add_class("a")
    before = wire.state()
    wire.request(SAVE)
    board.stop()
    content = flash.read_bytes()[:FLASH_BYTES]

    watch = FlashWatch()
    wire = powered(watch)
    wire.add_class("b")
    after = wire.state()
    wire.request(SAVE)
    board.stop()
    stores = watch.stores
    n_erased = 2 * PAGE_BYTES // 4  # two pages a slot
    n_words = 10 + len(after) // 4
    assert len(stores) == n_erased + n_words
    assert {word for _, word in stores[:n_erased]} == {ALL_ONES}

    rng = random.Random(3)
    so_far, memory = bytearray(content), MemoryFlash(FLASH_BYTES // PAGE_BYTES, PAGE_BYTES)
    memory.content[:] = content
    cuts = {}
    for i, (offset, word) in enumerate(stores):
        torn = rng.getrandbits(32)
        (old,) = struct.unpack_from("<I", so_far, offset)
        store_torn(so_far, offset, word, torn)
        page = slice(offset // PAGE_BYTES * PAGE_BYTES, (offset // PAGE_BYTES + 1) * PAGE_BYTES)
        if i >= n_erased or i % 16 == 0:
            memory.content[page] = bytes(so_far[page])
            found = SavingBoard(memory, bundle.model_image).state()
            last = i == len(stores) - 1
            assert found == before or (last and found == after and torn & ~word == 0)
            cuts[i] = (torn, bytes(so_far))
        store_torn(so_far, offset, word, 0)
        assert i < n_erased or struct.unpack_from("<I", so_far, offset)[0] & ~old == 0
    memory.content[:] = bytes(so_far)
    assert SavingBoard(memory, bundle.model_image).state() == after

    some = [0, n_erased - 16, n_erased, n_erased + 1, n_erased + 9, len(stores) - 1]
    for i in some + rng.sample(sorted(cuts), 6):
        with open(flash, "r+b") as file:
            file.write(content)
        watch = FlashWatch()
        wire = powered(watch)
        wire.add_class("b")
        torn, expected = cuts[i]
        watch.cut_power(i + 1, torn)
        with pytest.raises(EmulatorError, match="power was cut"):
            wire.request(SAVE)
        board.stop()
        assert flash.read_bytes()[:FLASH_BYTES] == expected
        wire = powered()
        assert wire.state() == before
        wire.add_class("b")
        wire.request(SAVE)
        board.stop()
        wire = powered()
        assert wire.state() == after
        board.stop()


@pytest.mark.parametrize("machine", [qemu])
def test_qemu_is_killed_in_the_middle_of_saves(machine: str, tmp_path: Path) -> None:
    """Of many saves in a row, some number is done: none of them is found by halves."""
    image, flash = build_image(int8_bundle()), tmp_path / "flash"
    states = numbered_states(12 * 40 + 1)
    rng = random.Random(4)
    kept, gains = 0, []
    for _ in range(12):
        board = new_machine(image, machine, flash=flash)
        with board:
            wire = open_wire(board)
            assert wire.state() == states[kept]
            requests = b""
            for number in range(kept + 1, kept + 41):
                for opcode, payload in ((SETTING_SET, setting(number / 1024)), (SAVE, b"")):
                    wire.sequence += 1
                    header = struct.pack(
                        "<BBBBHHIHH",
                        *(2, 1, opcode, 0, wire.session, wire.sequence, wire.boot_id),
                        *(len(payload), 0),
                    )
                    requests += encode_frame(header + payload)
            board.write(requests)
            time.sleep(rng.uniform(0, 0.02))
            board.stop()
            answered = replies_of_saves(board)
        with new_machine(image, machine, flash=flash) as board:
            found = states.index(open_wire(board).state())
            assert kept + answered <= found <= kept + 40
            gains.append(found - kept)
            kept = found
    assert max(gains) > 0


def replies_of_saves(board: object) -> int:
    """Saves that were acknowledged before the power went."""
    count = 0
    try:
        while frames := board.read(0.0):  # type: ignore[attr-defined]
            messages = [decode_frame(frame) for frame in frames.split(b"\0") if frame]
            count += sum(message[2] == SAVE and message[16] == 0 for message in messages)
    except EmulatorError:
        pass
    return count


def numbered_states(n: int) -> list[bytes]:
    """What the board has after each of the requests."""
    twin = Twin(int8_bundle())
    states = [twin.state]
    for number in range(1, n):
        twin.set("classifier.learning_rate", number / 1024)
        states.append(twin.state)
    return states


@on_each_machine
def test_a_file_that_cannot_be_the_flash_is_refused(machine: str, tmp_path: Path) -> None:
    image = build_image(int8_bundle())
    (tmp_path / "notes").write_bytes(b"something of mine")
    with pytest.raises(EmulatorError, match=r"notes: not an emulated board's flash: 17 bytes"):
        new_machine(image, machine, flash=tmp_path / "notes").start()
    assert (tmp_path / "notes").read_bytes() == b"something of mine"
    with pytest.raises(EmulatorError, match="cannot be opened"):
        new_machine(image, machine, flash=tmp_path / "gone" / "flash").start()
    with (
        new_machine(image, machine, flash=tmp_path / "flash"),
        pytest.raises(EmulatorError, match="another emulated board runs with it"),
    ):
        new_machine(image, machine, flash=tmp_path / "flash").start()
    with new_machine(image, machine, flash=tmp_path / "flash"):
        pass
