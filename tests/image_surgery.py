"""Takes a state or model image apart and puts it together again, CRC and length made anew."""

from __future__ import annotations

import struct
import zlib

HEADER_BYTES = 20


def resealed(image: bytes) -> bytes:
    """The same image with the length and the CRC-32 that its bytes ought to have."""
    body = bytearray(image[:-4])
    struct.pack_into("<I", body, 16, len(image))
    return bytes(body) + struct.pack("<I", zlib.crc32(body))


def sections_of(image: bytes) -> list[tuple[bytes, bytes]]:
    """Tag and payload of each section, in order."""
    at, found = HEADER_BYTES, []
    while at < len(image) - 4:
        tag, length = struct.unpack_from("<4sI", image, at)
        found.append((tag, image[at + 8 : at + 8 + length]))
        at += 8 + length
    return found


def with_sections(image: bytes, sections: list[tuple[bytes, bytes]]) -> bytes:
    """The image with other sections."""
    body = b"".join(struct.pack("<4sI", tag, len(data)) + data for tag, data in sections)
    return resealed(image[:HEADER_BYTES] + body + bytes(4))


def with_section(image: bytes, tag: bytes, payload: bytes) -> bytes:
    """The image with another payload in one section."""
    return with_sections(
        image, [(name, payload if name == tag else data) for name, data in sections_of(image)]
    )


def patched(image: bytes, tag: bytes, offset: int, new: bytes) -> bytes:
    """The image with some bytes of one section's payload replaced."""
    data = bytearray(dict(sections_of(image))[tag])
    assert offset + len(new) <= len(data)
    data[offset : offset + len(new)] = new
    return with_section(image, tag, bytes(data))
