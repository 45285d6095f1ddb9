"""Well-formed state images with one number each that no honest device would have written.

Every field of docs/state-image.md is found by hand, given each value that might hurt, and the CRC
is made right again: what a person with the key, or a damaged backup, could hand to a device.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from image_surgery import patched, sections_of

QUANTILE = "IIIIIIfffff"  # a P-square quantile
LAYER = "HHBBBBIIII"

_LARGEST = 3.4028235e38
_DENORMAL = 1e-45


@dataclass(frozen=True)
class Poison:
    """One attack."""

    section: str
    offset: int  # in the section's payload
    kind: str  # struct's letter
    raw: bytes  # what stands there now
    of: bytes  # the image that was sound

    @property
    def image(self) -> bytes:
        """The poisonous one."""
        return patched(self.of, self.section.encode(), self.offset, self.raw)

    def __str__(self) -> str:
        (value,) = struct.unpack("<" + self.kind, self.raw)
        return f"{self.section}+{self.offset} ({self.kind}) = {value!r} ({self.raw.hex()})"


def _floats(n: int) -> str:
    return "f" * n


def _layer(payload: bytes) -> str:
    n_in, n_out, has_bias = struct.unpack_from("<HHB", payload)
    return LAYER + _floats(n_out * (n_in + has_bias))


def _unknown(payload: bytes) -> str:
    d, written = struct.unpack_from("<HH", payload)
    layout = "HHIHHBBBBQf"
    for _ in range(written):
        head = "IQQIfBBHI"
        at = struct.calcsize("<" + layout)
        (kept,) = struct.unpack_from("<H", payload, at + struct.calcsize("<IQQIfBB"))
        layout += head + _floats(kept * d)
    return layout


def layout_of(tag: str, payload: bytes) -> str:
    """The types of all fields of a section, in struct's letters."""
    if tag == "COUN":
        return "QQIII"
    if tag == "SETT":
        return "HH" + "HHf" * struct.unpack_from("<H", payload)[0]
    if tag == "CLAS":
        return "HH" + "B" * 16 * struct.unpack_from("<H", payload)[0]
    if tag == "STAT":
        return "HHI" + _floats(2 * struct.unpack_from("<H", payload)[0])
    if tag == "SOFT":
        return _layer(payload) + "I" * struct.unpack_from("<HH", payload)[1]
    if tag == "GAUS":
        d, k, full = struct.unpack_from("<HHB", payload, 4)
        spread = d * (d + 1) // 2 if full else d
        return "IHHBBBB" + ("If" + _floats(d + spread) + QUANTILE) * k
    if tag == "REHE":
        d, _, _, k = struct.unpack_from("<HHIH", payload)
        head = "HHIHH" + "I" * k + _floats(d)
        return head + "B" * (len(payload) - struct.calcsize("<" + head))
    if tag == "RECO":
        return _layer(payload)
    if tag == "RLSP":
        n = struct.unpack_from("<H", payload)[0]
        return "HHI" + _floats(n * (n + 1) // 2)
    if tag == "REHW":
        return "HHII" + "B" * (len(payload) - 12)
    if tag == "NORM":
        return "Ifffff" + QUANTILE + "HHBBBBI"
    if tag == "DRIF":
        return "IffffffIffBBH"
    if tag == "UNKN":
        return _unknown(payload)
    assert tag == "METR", tag
    k = struct.unpack_from("<H", payload)[0]
    return "HHIfIf" + QUANTILE * 3 + "I" * k * k


def fields_of(image: bytes) -> Iterator[tuple[str, int, str]]:
    """Section, offset in it and struct's letter of every field of a state image."""
    for tag, payload in sections_of(image):
        layout = layout_of(tag.decode(), payload)
        assert struct.calcsize("<" + layout) == len(payload), tag
        at = 0
        for kind in layout:
            yield tag.decode(), at, kind
            at += struct.calcsize("<" + kind)


def _next_up(value: float) -> float:
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return float(struct.unpack("<f", struct.pack("<I", bits + 1))[0])


# Every limit that an import knows, and the next number beyond it.
_LIMITS = (1.0, 100.0, 1000.0, 1e4, 2e4, 4e4, 1e6, 1e9, 1e12, 1e15, 3.2e15, 1e30, 1e31)
_FLOATS = (
    *(struct.pack("<I", bits) for bits in (0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FFFFFFF)),
    *(
        struct.pack("<f", sign * value)
        for sign in (1, -1)
        for value in (
            float("inf"),
            _LARGEST,
            1e38,
            0.0,
            _DENORMAL,
            1.1754942e-38,  # the largest denormal
            *_LIMITS,
            *(_next_up(limit) for limit in _LIMITS),
        )
    ),
)


def _whole(kind: str, now: int) -> set[int]:
    most = 256 ** struct.calcsize("<" + kind) - 1
    values = {0, 1, 2, 3, 9, 10, 29, 30, 127, 128, now - 1, now + 1, most, most - 1, most // 2}
    values |= {most // 2 + 1, 65535, 65536, 1 << 24, 1 << 60, (1 << 60) + 1}
    return {value for value in values if 0 <= value <= most and value != now}


def poisoned(image: bytes) -> Iterator[Poison]:
    """Every field of the image with each value that might hurt, one at a time."""
    payloads = {tag.decode(): payload for tag, payload in sections_of(image)}
    for tag, at, kind in fields_of(image):
        size = struct.calcsize("<" + kind)
        now = payloads[tag][at : at + size]
        if kind == "f":
            values = list(_FLOATS)
        else:
            (number,) = struct.unpack("<" + kind, now)
            values = [struct.pack("<" + kind, v) for v in sorted(_whole(kind, number))]
        for raw in values:
            if raw != now:
                yield Poison(tag, at, kind, raw, image)
