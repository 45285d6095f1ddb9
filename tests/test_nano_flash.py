"""What the Nano 33 BLE's firmware keeps through a reset and a power cut: what was learned, a name.

Compiled against stubs of the Arduino core, with a flash that tears what the power's end cuts short.
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from nano_board import (
    CLASS_ADD,
    FIRST,
    FLASH_BYTES,
    NAME_SET,
    PAIR,
    SAVE,
    STREAM,
    Flash,
    NanoBoard,
    NewBoard,
    boards_in,
)
from nano_build import build_firmware, with_crc
from nano_central import Central
from native_build import compilers
from random_nets import autoencoder
from wire_by_hand import INFO, RESET

from tinyol_sim.bundle import Bundle, default_bundle

pytestmark = pytest.mark.skipif(not compilers(), reason="no C++ compiler: neither g++ nor clang++")
CLASS_RENAME = 14
PAGE_BYTES = 4096
STORE_AT = 88  # in INFO's fields: saves, wear, flags
THERE, UNSAVED = 1, 2
UNSUPPORTED, BAD_NAME, NOT_AUTHENTICATED, NOT_PHYSICAL = -14, -5, -23, -24
RSET = struct.pack("<I", 0x54455352)
NEVER = 0xFFFFFFFF


@pytest.fixture
def board(tmp_path: Path) -> NewBoard:
    return boards_in(tmp_path)


def name(text: str) -> bytes:
    return bytes([len(text.encode())]) + text.encode()


def stored(nano: NanoBoard) -> tuple[int, int, int]:
    """Saves since boot, wear, flags."""
    saves, wear, flags = struct.unpack_from("<III", nano.request(INFO), STORE_AT)
    return saves, wear, flags


def gaps(nano: NanoBoard) -> int:
    """As SAMPLES events tell them."""
    return sum(event[25] for event in nano.events if event[2] == 2)


def other_model() -> tuple[bytes, bytes]:
    """A firmware's patch: the same model with another id."""
    image = default_bundle(119.0).model_image
    return image, with_crc(image[:8] + bytes(8) + image[16:])


def test_what_was_saved_survives_a_reset(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    nano.request(CLASS_ADD, name("stuck"))
    nano.run(1500)
    before = nano.request(SAVE)
    after = board(flash=flash)
    after.open_usb()
    image = after.state()
    assert struct.pack("<I", len(image)) == before
    assert b"stuck" in image
    samples = struct.unpack_from("<Q", image, 28)[0]
    assert samples == pytest.approx(1.5 * 119, abs=20)
    assert after.conditions() == []


@pytest.mark.parametrize("revision", [1, 2])
def test_a_sensor_that_overran_during_a_save_makes_a_gap(board: NewBoard, revision: int) -> None:
    nano = board(revision)
    nano.open_usb()
    nano.request(STREAM, b"\x0a")
    nano.read_usb(500)
    nano.events.clear()
    nano.request(SAVE)  # four pages are erased
    nano.read_usb(1000)
    # Revision 1's FIFO holds 0.27 s, revision 2's 2.9 s.
    lost = [int(line.split()[1]) for line in nano.logs if "dropped" in line]
    assert len(lost) == gaps(nano) == (revision == 1)
    assert all(10 < n < 40 for n in lost)


def test_a_peer_that_leaves_has_it_saved(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    key = nano.request(PAIR, FIRST)
    nano.authenticate(key)
    nano.request(CLASS_ADD, name("by wire"))
    assert stored(nano) == (0, 0, THERE | UNSAVED)
    nano.lib.stub_usb_open(0)
    nano.run(1000)
    central = Central(nano)
    central.authenticate(key)
    central.request(CLASS_ADD, name("by radio"))
    nano.lib.stub_radio_connect(0, 23)
    nano.run(1000)
    after = board(flash=flash)
    after.open_usb()
    after.authenticate(key)
    assert b"by wire" in after.state()
    assert b"by radio" in after.state()
    assert stored(after)[1:] == (1, THERE)


def test_nothing_is_written_while_nothing_was_learned(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    nano.lib.stub_usb_open(0)
    nano.run(3000)
    assert bytes(flash.bytes) == b"\xff" * FLASH_BYTES


def test_a_power_cut_in_a_save_leaves_this_state_or_the_one_before(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    nano.request(CLASS_ADD, name("first"))
    nano.request(SAVE)
    nano.request(CLASS_ADD, name("second"))
    nano.request(SAVE)
    kept = bytes(flash.bytes)
    size = 40 + len(nano.state())  # with the record's header
    pages, words = -(-size // PAGE_BYTES), size // 4
    # In each erase, the first words, the middle of the image, its last words and the commit.
    found = set()
    for cut in (0, 1, pages - 1, pages, pages + 1, pages + 9, pages + words // 2, pages + words - 2,
                pages + words - 1, NEVER):  # fmt: skip
        flash.bytes[:] = kept
        after = board(flash=flash)
        after.open_usb()
        after.request(CLASS_RENAME, struct.pack("<H", 1) + name("third"))
        after.lib.stub_flash_cut(cut)
        after.lib.stub_usb_open(0)
        assert after.run(1000) == (cut != NEVER)
        again = board(flash=flash)
        again.open_usb()
        image = again.state()
        assert again.conditions() == []
        assert b"first" in image
        assert (b"second" in image) != (b"third" in image)
        found.add((cut == NEVER, b"third" in image))
        # It goes on, and saves again.
        again.request(SAVE)
    assert found == {(False, False), (True, True)}


def test_a_model_of_another_id_leaves_the_old_state_unused(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    nano.request(CLASS_ADD, name("mine"))
    nano.request(SAVE)
    other = board(flash=flash, patch=other_model())
    other.open_usb()
    assert b"mine" not in other.state()
    assert other.conditions() == []
    other.request(CLASS_ADD, name("other"))
    other.request(SAVE)
    # The two slots hold one of each: the first model finds its own again.
    back = board(flash=flash)
    back.open_usb()
    assert b"mine" in back.state()


def test_a_saved_state_that_cannot_be_used_is_told(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    nano.request(SAVE)
    # A record in good order, whose image is of a version to come.
    record = bytearray(flash.bytes)
    (length,) = struct.unpack_from("<I", record, 20)
    record[40 + 4] = 99
    image = with_crc(bytes(record[40 : 40 + length]))
    record[32:36] = struct.pack("<I", crc32(image, crc32(bytes(record[:32]))))
    flash.bytes[: 40 + length] = bytes(record[:40]) + image
    after = board(flash=flash)
    after.open_usb()
    (told,) = after.conditions()
    assert told.startswith("what was saved cannot be used: ")
    assert "version" in told
    after.request(RESET)
    after.request(CLASS_ADD, name("anew"))
    after.request(SAVE)
    last = board(flash=flash)
    last.open_usb()
    assert last.conditions() == []
    assert b"anew" in last.state()


def test_without_flash_the_board_works_and_says_so(board: NewBoard) -> None:
    nano = board(flash_fails=True)
    nano.open_usb()
    assert nano.conditions() == ["nothing is saved: flash: the flash fails"]
    assert nano.refused(SAVE) == (UNSUPPORTED, "store")
    assert nano.refused(NAME_SET, name("pump")) == (UNSUPPORTED, "name")
    assert nano.name() == "TinyOL-1a2b"
    nano.request(CLASS_ADD, name("fine"))


def test_a_model_whose_states_the_flash_cannot_hold_runs_all_the_same(tmp_path: Path) -> None:
    pipeline = replace(default_bundle(119.0).pipeline, axes="all", scale=(1.0, 1.0, 1.0))
    wide = Bundle.create(autoencoder((120, 64, 4, 64, 120)), pipeline)
    nano = NanoBoard(build_firmware(1, bundle=wide), tmp_path)
    nano.open_usb()
    (told,) = nano.conditions()
    found = re.fullmatch(
        r"nothing is saved: flash: too small in this build \(needed (\d+), found 49152\)", told
    )
    assert found is not None
    assert int(found[1]) > 49152
    assert nano.refused(SAVE) == (UNSUPPORTED, "store")
    nano.request(CLASS_ADD, name("fine"))
    nano.request(NAME_SET, name("pump"))
    nano.lib.stub_usb_open(0)
    assert not nano.run(2000)
    assert nano.name() == "pump"


def test_a_name_survives_and_is_advertised_anew(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    assert nano.name() == "TinyOL-1a2b"
    nano.connect()
    nano.request(NAME_SET, name("Pumpe 3, Süd"))
    nano.run(2000)
    assert nano.name() == "TinyOL-1a2b"  # while somebody is connected, nothing is advertised
    nano.lib.stub_radio_connect(0, 23)
    nano.run(2000)
    assert nano.name() == "Pumpe 3, Süd"
    # The longest, again and again: the library counts the bytes that are left.
    for i in range(20):
        nano.request(NAME_SET, name(f"a name of 20 bytes{i:02d}"))
        nano.run(1200)
        assert nano.name() == f"a name of 20 bytes{i:02d}"
    assert nano.lib.stub_radio_advertised() == 22
    assert nano.refused(NAME_SET, name("21 bytes are too many"))[0] == BAD_NAME
    after = board(flash=flash)
    assert after.name() == "a name of 20 bytes19"
    after.open_usb()
    after.request(NAME_SET, name(""))
    after.run(1200)
    assert after.name() == board(flash=flash).name() == "TinyOL-1a2b"


def test_a_power_cut_while_a_name_is_set_leaves_this_or_the_one_before(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    nano.request(NAME_SET, name("before"))
    kept = bytes(flash.bytes)
    for cut in range(0, 15):
        flash.bytes[:] = kept
        after = board(flash=flash)
        after.open_usb()
        after.sequence += 1
        frame = after.frame(NAME_SET, name("after"))
        after.lib.stub_flash_cut(cut)
        after.lib.stub_usb_write(frame, len(frame))
        was_cut = after.run(1000)
        assert board(flash=flash).name() == ("before" if was_cut else "after")
    assert not was_cut  # an erase and 13 words or fewer
