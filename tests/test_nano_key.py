"""The Nano 33 BLE's key: two pages of its own in flash, made at USB alone, and what it guards.

Compiled against stubs of the Arduino core, with a flash that tears what the power's end cuts short.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from nano_board import (
    ACCESS,
    CLASS_ADD,
    FACTORY_RESET,
    FIRST,
    FLASH_BYTES,
    NAME_SET,
    PAIR,
    ROTATE,
    SAVE,
    Flash,
    NewBoard,
    boards_in,
)
from nano_central import Central
from native_build import compilers
from session_by_hand import key_id

from tinyol_sim.bundle import default_bundle

pytestmark = pytest.mark.skipif(not compilers(), reason="no C++ compiler: neither g++ nor clang++")
PAGE_BYTES, STATE_PAGES, KEY_PAGES = 4096, 12, 2
NOT_FOUND, UNSUPPORTED, NOT_AUTHENTICATED, NOT_PHYSICAL = -3, -14, -23, -24
RSET = struct.pack("<I", 0x54455352)
UNDO, DO, SAY = 66, bytes(4), b"\1" + bytes(3)
CLASS_REMOVE = 15


@pytest.fixture
def board(tmp_path: Path) -> NewBoard:
    return boards_in(tmp_path)


def name(text: str) -> bytes:
    return bytes([len(text.encode())]) + text.encode()


def test_a_name_a_key_and_a_state_do_not_touch_each_other(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    key = nano.request(PAIR, FIRST)
    nano.authenticate(key)
    nano.request(CLASS_ADD, name("kept"))
    for i in range(5):
        nano.request(NAME_SET, name(f"name {i}"))
        nano.request(SAVE)
    key = nano.request(PAIR, ROTATE)
    content = bytes(flash.bytes)
    key_at, name_at = STATE_PAGES * PAGE_BYTES, (STATE_PAGES + KEY_PAGES) * PAGE_BYTES
    assert b"kept" in content[:key_at]
    assert b"kept" not in content[key_at:]
    assert key in content[key_at:name_at]
    assert key not in content[:key_at] + content[name_at:]
    assert b"name 4" in content[name_at:]
    assert b"name 4" not in content[:name_at]
    after = board(flash=flash)
    after.open_usb()
    after.authenticate(key)
    assert b"kept" in after.state()
    assert after.name() == "name 4"


def test_the_radio_neither_pairs_nor_teaches_without_the_key(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    central = Central(nano)
    assert central.refused(PAIR, FIRST) == (NOT_PHYSICAL, "usb")
    assert central.refused(CLASS_ADD, name("by radio")) == (NOT_AUTHENTICATED, "pair")
    nano.open_usb()
    nano.request(CLASS_ADD, name("by wire"))  # never paired: who can touch it may teach it
    key = nano.request(PAIR, FIRST)
    assert nano.refused(CLASS_ADD, name("by wire, too")) == (NOT_AUTHENTICATED, "key")
    central = Central(nano, nonce=10)
    assert central.refused(CLASS_ADD, name("by radio")) == (NOT_AUTHENTICATED, "key")
    assert central.refused(PAIR, ROTATE) == (NOT_PHYSICAL, "usb")
    assert central.refused(FACTORY_RESET, RSET) == (NOT_PHYSICAL, "usb")
    central.authenticate(key)
    central.request(CLASS_ADD, name("with the key"))
    assert central.refused(PAIR, ROTATE) == (NOT_PHYSICAL, "usb")
    nano.authenticate(key)
    image = nano.state()
    assert b"by radio" not in image
    assert b"by wire" in image
    assert b"with the key" in image


def test_a_power_cut_while_a_key_is_made_leaves_this_or_the_one_before(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    first = nano.request(PAIR, FIRST)
    kept = bytes(flash.bytes)
    outcomes = set()
    for cut in range(60):
        flash.bytes[:] = kept
        after = board(flash=flash)
        after.open_usb()
        after.sequence += 1
        frame = after.frame(PAIR, ROTATE)
        after.lib.stub_flash_cut(cut)
        after.lib.stub_usb_write(frame, len(frame))
        was_cut = after.run(1000)
        again = board(flash=flash)
        again.open_usb()
        assert again.request(ACCESS)[0] & 1
        with_first = key_id(first) == again.request(ACCESS)[4:12]
        outcomes.add((was_cut, with_first))
        if with_first:
            again.authenticate(first)  # this key works, whole
        else:
            again.request(PAIR, ROTATE)
        if not was_cut:
            break
    # Once the new key is whole, the page of the one before is erased: cut there, it is the new one.
    assert outcomes == {(True, True), (True, False), (False, False)}


def test_a_factory_reset_leaves_nothing_of_it_in_flash(board: NewBoard) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    key = nano.request(PAIR, FIRST)
    nano.authenticate(key)
    nano.request(CLASS_ADD, name("secret"))
    nano.request(NAME_SET, name("pump"))
    nano.request(SAVE)
    nano.request(FACTORY_RESET, RSET)
    # But for how often each slot was erased.
    pages = (bytes(flash.bytes)[at : at + PAGE_BYTES] for at in range(0, FLASH_BYTES, PAGE_BYTES))
    assert {page[8:] for page in pages} == {b"\xff" * (PAGE_BYTES - 8)}
    after = board(flash=flash)
    after.open_usb()
    assert not after.request(ACCESS)[0] & 1
    assert after.name() == "TinyOL-1a2b"
    assert b"secret" not in after.state()


def test_a_factory_reset_without_a_model_forgets_what_was_learned_with_one(
    board: NewBoard,
) -> None:
    flash = Flash()
    nano = board(flash=flash)
    nano.open_usb()
    nano.request(CLASS_ADD, name("secret"))
    nano.request(SAVE)
    image = default_bundle(119.0).model_image
    refused = board(flash=flash, patch=(image, image[:-4] + bytes(4)))
    refused.open_usb()
    refused.request(FACTORY_RESET, RSET)
    assert b"secret" not in bytes(flash.bytes)


def test_without_flash_no_key_can_be_kept(board: NewBoard) -> None:
    nano = board(flash_fails=True)
    nano.open_usb()
    assert nano.refused(PAIR, FIRST) == (UNSUPPORTED, "key")
    nano.request(CLASS_ADD, name("by wire"))


@pytest.mark.parametrize("revision", [1, 2])
def test_the_board_has_room_for_one_step_back(board: NewBoard, revision: int) -> None:
    nano = board(revision)
    nano.open_usb()
    nano.request(CLASS_ADD, name("kept"))
    nano.request(CLASS_ADD, name("removed"))
    before = nano.state()
    nano.request(CLASS_REMOVE, struct.pack("<H", 1))
    assert b"removed" not in nano.state()
    assert nano.request(UNDO, SAY)[0] == CLASS_REMOVE
    assert nano.request(UNDO, DO)[0] == CLASS_REMOVE
    after = nano.state()
    assert b"removed" in after
    assert len(after) == len(before)
    assert nano.refused(UNDO, DO) == (NOT_FOUND, "undo")
