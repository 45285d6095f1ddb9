"""Boards in this process that have a key, which the tests' key store has too."""

from __future__ import annotations

import os
import struct
from typing import Any

from tinyol_host.access.device_key import DeviceKey
from tinyol_host.access.key_store import KeyStore
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.requests import hello
from tinyol_sim._core import ffi, lib

_USB = 0
# Of every such board, so that the key outlives a reboot without a flash.
_SEED = bytes(range(1, 33))
_NONCE = 0x9A12


def pair_board(board: Any) -> DeviceKey:
    """Has a new board make its key over its first link, as at USB, and keeps that."""
    lib.tinyol_board_give_random(board, _SEED)
    told = _ask(board, Message(Kind.REQUEST, Opcode.HELLO, 0, 0, 0, hello(_NONCE)))
    head = (told.session, 1, told.boot_id)
    reply = _ask(board, Message(Kind.REQUEST, Opcode.PAIR, *head, bytes(4)))
    (status,) = struct.unpack_from("<b", reply.payload)
    assert status == 0
    lib.tinyol_board_drop(board, _USB)
    lib.tinyol_board_give_random(board, os.urandom(32))  # its challenges differ
    key = DeviceKey(reply.payload[12:])
    KeyStore().add(key)
    return key


def _ask(board: Any, request: Message) -> Message:
    raw, out = request.to_bytes(), ffi.new("uint8_t[512]")
    lib.tinyol_board_receive(board, _USB, raw, len(raw), 0)
    length = lib.tinyol_board_take(board, _USB, out)
    return Message.from_bytes(bytes(ffi.buffer(out, length)))
