"""Changes to files that leave something of their form, so that what lies behind it is reached.

Every mutator takes bytes and a source of random numbers, and returns other bytes; whatever they
are. What a reader would refuse at once (a checksum, a length, a list of members) is put right
again by its target in tests/fuzz/readers.py.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

Mutator = Callable[[bytes, Random], bytes]

# What is likely to matter in a text, a number, a word of 32 bits.
TOKENS = (
    "", "nan", "inf", "-inf", "-1", "0", "1", "1e400", "-1e39", "1e-46", "9" * 400, "0x10", "1_0",
    "١٢", "\ufeff", "\x1b[2J", "\u202e", "\x00", "\r", '"', '""', ",", ";", "\t", "#", "none",
    "true", "é" * 9, "a" * 16, "e\u0301" * 8, "x,y,z", "label", "g", "m/s2", "[red]", "<b>",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, "", "nan", "é\x1b", "a" * 20,
    [], {}, [[]], [1], {"a": 1}, float("nan"), float("inf"),
)  # fmt: skip
WORDS = (
    0, 1, 2, 0x7F, 0xFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7F800000,
    0xFF800000, 0x7FC00000, 0x7F7FFFFF, 0x00000001, 0x3F800000, 0x7149F2CA,
)  # fmt: skip


def mutate_bytes(data: bytes, rng: Random) -> bytes:
    """A byte or a few of them changed, left out, put in or put twice."""
    if not data:
        return rng.randbytes(rng.randint(1, 9))
    at, n = rng.randrange(len(data)), min(rng.choice((1, 1, 2, 4, 30)), len(data))
    what = rng.randrange(6)
    if what == 0:
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    if what == 1:
        return data[:at] + rng.randbytes(n) + data[at + n :]
    if what == 2:
        return data[:at] + data[at + n :]
    if what == 3:
        return data[:at] + data[at : at + n] * 2 + data[at + n :]
    if what == 4:
        return data[:at]
    other = rng.randrange(len(data))
    return data[:at] + data[other : other + n] + data[at + n :]


def mutate_words(data: bytes, rng: Random) -> bytes:
    """Some words of 32 bits: by what is likely to matter, or a little more or less."""
    if len(data) < 4:
        return mutate_bytes(data, rng)
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = 4 * rng.randrange(len(data) // 4)
        word = struct.unpack_from("<I", changed, at)[0]
        word = rng.choice(
            (rng.choice(WORDS), word + rng.randint(-8, 8), word ^ 1 << rng.randrange(32))
        )
        struct.pack_into("<I", changed, at, word & 0xFFFFFFFF)
    return bytes(changed)


def mutate_text(data: bytes, rng: Random) -> bytes:
    """A field, a line or a few bytes of a table."""
    what = rng.randrange(8)
    if what < 2:
        return mutate_bytes(data, rng)
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    if what == 2:
        lines.insert(rng.randrange(len(lines)), lines[at])
    elif what == 3:
        del lines[at]
    elif what == 4:
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif what == 5:
        lines[at] = rng.choice(TOKENS).encode()
    else:
        by = rng.choice((b",", b",", b":", b" ", b"="))
        fields = lines[at].split(by)
        fields[rng.randrange(len(fields))] = rng.choice(TOKENS).encode()
        lines[at] = by.join(fields)
    return rng.choice((b"\n", b"\n", b"\n", b"\r\n")).join(lines)


def mutate_json(data: bytes, rng: Random) -> bytes:
    """A value somewhere in the document, or its text."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_text(data, rng)
    places = list(_places(document))
    if rng.randrange(8) == 0 or not places:
        return mutate_text(data, rng)
    container, key = rng.choice(places)
    what = rng.randrange(6)
    if what == 0:
        del container[key]
    elif what == 1 and isinstance(container, list):
        container.insert(key, container[key])
    elif what == 2:
        other, place = rng.choice(places)
        container[key] = json.loads(json.dumps(other[place]))
    elif what == 3 and isinstance(container[key], str):
        container[key] = rng.choice(TOKENS)
    elif what == 4 and isinstance(container[key], float):
        container[key] = container[key] * rng.choice((0, -1, 2, 1e30)) + rng.choice((0, 1, -1, 0.5))
    else:
        container[key] = deepcopy(rng.choice(VALUES))
    try:
        return json.dumps(document).encode()
    except RecursionError:
        return data


def _places(value: Any) -> Any:
    """Every value inside a document: the container and its key or index."""
    stack = [value] if isinstance(value, dict | list) else []
    while stack:
        container = stack.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in list(keys):
            yield container, key
            if isinstance(container[key], dict | list):
                stack.append(container[key])


def mutate_npy(data: bytes, rng: Random) -> bytes:
    """An array as numpy saves it: the text that describes it, or its numbers."""
    if len(data) < 12 or data[:6] != b"\x93NUMPY" or rng.randrange(8) == 0:
        return mutate_bytes(data, rng)
    n = struct.unpack_from("<H", data, 8)[0]
    text, numbers = data[10 : 10 + n], data[10 + n :]
    if rng.randrange(2):
        numbers = rng.choice((mutate_words, mutate_bytes))(numbers, rng)
    else:
        old, new = rng.choice(
            [
                (b"<f4", rng.choice((b"<f8", b">f4", b"<f2", b"<i4", b"|O", b"<c8", b"<M8[s]"))),
                (b"<i", rng.choice((b"<u", b">i", b"<f", b"|b"))),
                (b"<U", rng.choice((b"|S", b">U", b"<i"))),
                (b"False", rng.choice((b"True", b"None"))),
                (b"(", rng.choice((b"(0, ", b"(-1, ", b"(1, ", b"(9999999999, ", b"("))),
                (b", 3)", rng.choice((b", 2)", b",)", b", 3, 1)", b", 1000000000000)"))),
            ]
        )  # fmt: skip
        text = text.replace(old, new, 1) if old in text else mutate_bytes(text, rng)
    return data[:8] + struct.pack("<H", len(text) & 0xFFFF) + text + numbers


def members_of(data: bytes) -> dict[str, bytes] | None:
    """What an archive holds; None if it cannot be opened."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()[:20]}
    except Exception:  # whatever zipfile says of a damaged one
        return None


def archive_of(members: dict[str, bytes]) -> bytes:
    """The archive that holds them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def mutate_archive(data: bytes, rng: Random, inside: Callable[[str], Mutator]) -> bytes:
    """One member, or the archive itself; `inside` says how a member of that name is changed."""
    members = members_of(data)
    if not members or rng.randrange(10) == 0:
        return mutate_bytes(data, rng)
    name = rng.choice(list(members))
    what = rng.randrange(16)
    if what == 0:
        del members[name]
    elif what == 1:
        members[name] = members[rng.choice(list(members))]
    else:
        members[name] = inside(name)(members[name], rng)
    return archive_of(members)
