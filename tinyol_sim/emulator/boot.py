"""What a machine puts into a board's memory before each start: who it is, and random numbers."""

from __future__ import annotations

import secrets

BOOT_ADDRESS = 0x203FFFC0  # firmware/boards/emulator/linker.ld: BOOT
_SEED_AT = 32
_SEED_BYTES = 32


def boot_memory() -> bytes:
    """The bytes at BOOT_ADDRESS: a boot id that is not 0, zeros, and a seed of this computer's."""
    boot_id = secrets.randbits(32) or 1
    return boot_id.to_bytes(_SEED_AT, "little") + secrets.token_bytes(_SEED_BYTES)
