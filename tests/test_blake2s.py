"""BLAKE2s: the standard's figures, the reference's inputs, and hashlib on whatever is left."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from access_library import blake2s, load_access
from hypothesis import given
from hypothesis import strategies as st

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "vectors" / "blake2s.json").read_text()
)
pytestmark = pytest.mark.usefixtures("access_library")


def rfc_sequence(length: int, seed: int) -> bytes:
    """RFC 7693, appendix E: the inputs of its self-test."""
    a, b, out = 0xDEAD4BAD * seed & 0xFFFFFFFF, 1, bytearray()
    for _ in range(length):
        a, b = b, (a + b) & 0xFFFFFFFF
        out.append(b >> 24)
    return bytes(out)


def test_the_example_of_the_rfc() -> None:
    assert blake2s(b"abc").hex() == VECTORS["rfc_7693"]["abc"]


def test_the_self_test_of_the_rfc() -> None:
    digests = b""
    for size in (16, 20, 28, 32):
        for length in (0, 3, 64, 65, 255, 1024):
            text = rfc_sequence(length, length)
            digests += blake2s(text, digest_size=size)
            digests += blake2s(text, rfc_sequence(size, size), size)
    assert blake2s(digests).hex() == VECTORS["rfc_7693"]["self_test"]


def test_known_answers() -> None:
    key = bytes(range(32))
    for row in VECTORS["kat"]:
        text = bytes(range(row["bytes"]))
        assert blake2s(text).hex() == row["plain"]
        assert blake2s(text, key).hex() == row["keyed"]


@given(
    text=st.binary(max_size=1100),
    key=st.binary(max_size=32),
    digest_size=st.integers(1, 32),
    step=st.integers(1, 200),
)
def test_it_is_hashlibs_however_it_is_added(
    text: bytes, key: bytes, digest_size: int, step: int
) -> None:
    expected = hashlib.blake2s(text, key=key, digest_size=digest_size).digest()
    assert blake2s(text, key, digest_size) == expected
    assert blake2s(text, key, digest_size, step) == expected


@given(st.binary(max_size=64), st.integers(0, 63), st.integers(0, 255))
def test_bytes_are_the_same_or_not(text: bytes, at: int, flipped: int) -> None:
    same = load_access().lib.tinyol_access_same
    other = bytearray(text)
    if at < len(text):
        other[at] ^= flipped
    assert same(text, bytes(other), len(text)) == (text == bytes(other))


def test_what_is_wiped_is_zero_and_no_more_than_that() -> None:
    native = load_access()
    memory = native.ffi.new("uint8_t[]", b"\xaa" * 40)
    native.lib.tinyol_access_wipe(memory + 4, 32)
    assert bytes(native.ffi.buffer(memory))[:40] == b"\xaa" * 4 + bytes(32) + b"\xaa" * 4
