"""Inputs of the frame target: messages on a line, in pieces, whole and damaged."""

from __future__ import annotations

import struct

import wire_by_hand as wire

STREAM, MESSAGE, PIECES, HEADER = range(4)
LONGEST = 512
ROOMS = (20, 100, 179, 180, 244, 509)  # of a notification
LEAST_ROOM = 20


def message(n_payload: int, flags: int = 0, version: int = 2, kind: int = 1) -> bytes:
    header = struct.pack("<BBBBHHIHH", version, kind, 29, flags, 1, 2, 77, n_payload, 0)
    return header + bytes(i * 7 % 256 for i in range(n_payload + 8 * flags))


def frame_seeds() -> list[bytes]:
    """Of all four kinds."""
    lengths = (0, 1, 4, 200, 234, 235, 236, 237, 238, 239, 240, LONGEST - 16, LONGEST - 15)
    whole = [message(n) for n in lengths]
    # Runs without a zero as long as a block of COBS is, and one byte more and less.
    whole += [bytes([1] * n) for n in (1, 249, 250, 253, 254, 255, 508, 509, LONGEST)]
    whole += [bytes(n) for n in (1, 300)]
    frames = [wire.encode_frame(part) for part in whole if len(part) <= LONGEST]
    streams = [
        *frames,
        b"\0\0" + frames[2] + frames[3][:-9] + b"\0" + frames[4],
        b"\x05abc\0" + frames[0],
        bytes([2] * 600) + b"\0" + frames[0],
        b"\xff" * 520 + b"\0",
        b"\1\1\1\1\0\1\0",
        *(frames[3][:at] + b"\x01" + frames[3][at + 1 :] for at in (0, 1, 20, 100)),
    ]
    headers = [
        *(message(n, flags) for n in (0, 5, 100) for flags in (0, 1)),
        *(message(3, version=version, kind=kind) for version in (1, 2, 3) for kind in (0, 2, 4)),
        message(3, flags=2),
        message(3)[:-1],
        message(3) + b"\0",
        message(3)[:14] + b"\1" + message(3)[15:],
        b"",
    ]
    return [
        *(bytes([STREAM]) + stream for stream in streams),
        *(bytes([MESSAGE | noise << 2]) + part for noise in (0, 9) for part in whole),
        *(
            bytes([PIECES | event << 2]) + struct.pack("<HB", room - LEAST_ROOM, takes) + message(n)
            for room in ROOMS
            for event, takes, n in ((0, 255, 400), (1, 255, 20), (0, 3, 228), (1, 0, 228))
        ),
        *(bytes([HEADER]) + header for header in headers),
    ]
