"""Random numbers: a stretched seed, and none where there was no seed."""

from __future__ import annotations

import hashlib
import random

import pytest
from access_library import RandomPool
from hypothesis import given
from hypothesis import strategies as st

NONE, HARDWARE, HOST = 0, 1, 2
SEED = bytes(range(32))
pytestmark = pytest.mark.usefixtures("access_library")


def stretched(seed: bytes, n: int) -> tuple[bytes, bytes]:
    """n bytes of a seed and the state after them, by hashlib."""
    out = b""
    while len(out) < n:
        out += hashlib.blake2s(b"\1", key=seed, digest_size=32).digest()
        seed = hashlib.blake2s(b"\2", key=seed, digest_size=32).digest()
    return out[:n], seed


@given(
    st.binary(min_size=32, max_size=32).filter(lambda seed: len(set(seed)) > 1),
    st.lists(st.integers(1, 100), min_size=1, max_size=5),
)
def test_what_is_drawn_follows_from_the_seed_and_nothing_leads_back(
    seed: bytes, draws: list[int]
) -> None:
    pool = RandomPool(HARDWARE, seed)
    assert pool.source == HARDWARE
    for n in draws:
        expected, seed = stretched(seed, n)
        assert pool.draw(n) == expected


@pytest.mark.parametrize("byte", [0x00, 0xFF, 0x5A])
def test_a_generator_that_repeats_itself_is_none(byte: int) -> None:
    pool = RandomPool(HARDWARE, bytes([byte]) * 32)
    assert pool.source == NONE
    assert pool.draw(16) is None


def test_a_pool_without_a_source_draws_nothing() -> None:
    assert RandomPool(NONE, SEED).draw(1) is None


def test_one_bit_of_the_seed_changes_half_of_what_is_drawn() -> None:
    """Of 4,096 bits 2,048 change on average, and by 6 standard deviations never more than 192."""
    rng = random.Random(1)
    for _ in range(20):
        bit = rng.randrange(256)
        other = (int.from_bytes(SEED, "big") ^ 1 << bit).to_bytes(32, "big")
        a, b = RandomPool(HOST, SEED).draw(512), RandomPool(HOST, other).draw(512)
        assert a is not None
        assert b is not None
        changed = (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count()
        assert abs(changed - 2048) <= 192
