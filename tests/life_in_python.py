"""The life told in tests/native/life.cpp, told to a Twin: same draws, same order."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import DeviceError
from tinyol_sim.settings import SETTINGS
from tinyol_sim.twin import NOTICES, Twin, Windows

N_BLOCKS, BLOCK_LEN = 420, 250
ACTION, ARGUMENT, VALUE, KIND, NOISE, SPOILED, GAP = range(1, 8)
TURNS = [
    (1, (0.01, 0.1, 0.5, 100.0)),
    (2, (0.0, 1.0, 2.0, 3.0)),
    (3, (1.0, 100.0, 1000.0, 0.5)),
    (4, (0.0, 0.0001, 0.01, -1.0)),
    (5, (0.0, 0.5, 2.0, 1e7)),
    (6, (0.25, 2.0, 1000.0, 0.0)),
    (7, (0.0, 1.0, 1.0, 1.0)),
    (16, (0.001, 0.01, 0.03, 100.0)),
    (17, (0.0, 1.0, 2.0, 0.5)),
    (18, (10.0, 100.0, 1000.0, 0.0)),
    (19, (0.0, 0.0001, 0.001, 2.0)),
    (20, (0.0, 0.5, 5.0, -0.1)),
    (21, (3.0, 30.0, 1000.0, 1e9)),
    (22, (0.0, 1.0, 2.0, 3.0)),
    (32, (16.0, 1000.0, 16384.0, 8.0)),
    (33, (1.0, 1.0, 1.0, 0.0)),
    (48, (0.25, 1.0, 4.0, 2e6)),
    (8, (0.0, 1.0, 1.0, 2.0)),
    (9, (0.0, 1.0, 1.0, 0.5)),
    (10, (0.0, 1.0, 1.0, -1.0)),
    (11, (0.0, 4.0, 16.0, 17.0)),
    (12, (16.0, 100.0, 4096.0, 8.0)),
    (13, (1.0, 2.0, 50.0, 0.0)),
    (23, (0.0, 1.0, 2.0, 2.0)),
    (24, (0.0, 0.1, 1.0, 3.0)),
    (25, (0.9, 0.99, 1.0, 0.5)),
    (26, (0.0, 1.0, 4.0, 5.0)),
    (49, (0.0, 1.0, 1.0, 2.0)),
    (50, (0.005, 0.05, 0.2, 0.0)),
    (51, (64.0, 500.0, 4096.0, 8.0)),
    (52, (0.0, 1.0, 1.0, 2.0)),
    (53, (1.0, 3.0, 10.0, 0.0)),
    (54, (1.0, 5.0, 20.0, 0.0)),
    (64, (0.05, 0.1, 0.5, 0.0)),
    (65, (1.0, 5.0, 20.0, 0.0)),
    (80, (0.5, 5.0, 60.0, 90.0)),
    (81, (0.01, 0.1, 1.0, 0.0)),
    (82, (1.0, 20.0, 100.0, 0.0)),
    (83, (0.0, 0.5, 2.0, 9.0)),
    (84, (0.0, 5.0, 50.0, -1.0)),
    (85, (0.0, 1.0, 1.0, 2.0)),
    (86, (0.0, 20.0, 100.0, -1.0)),
    (87, (30.0, 100.0, 200.0, 10.0)),
    (99, (0.0, 0.0, 0.0, 0.0)),
]
NAME_OF = {info.id: name for name, info in SETTINGS.items()}


@dataclass(frozen=True)
class Outcome:
    """What life.cpp prints, and how much of everything it saw."""

    n_windows: int
    crc: int  # over everything that came out on the way
    state: bytes
    accepted: int  # commands
    largest: dict[str, int]  # the most that each counter reached between resets
    notices: dict[str, int]  # how often each was given
    unknown: int  # windows


def draw(stream: int, i: NDArray[np.uint32]) -> NDArray[np.uint32]:
    x = (np.uint32(stream * 0x9E3779B9 & 0xFFFFFFFF) + i).astype(np.uint32)
    x ^= x >> 16
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> 13
    x *= np.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def draw_one(stream: int, i: int) -> int:
    return int(draw(stream, np.array([i], np.uint32))[0])


def samples_of(block: int) -> NDArray[np.float32]:
    i = np.arange(block * BLOCK_LEN, (block + 1) * BLOCK_LEN, dtype=np.uint32)
    kind = draw(KIND, i // 1000) % 3
    size = np.array([0.0625, 0.25, 1.0], np.float32)[kind]
    pitch = np.array([3, 7, 13], np.uint32)[kind]
    wave = ((i * pitch % 64).astype(np.float32) - np.float32(32)) / np.float32(32)
    noise = (draw(NOISE, 3 * i[:, None] + np.arange(3, dtype=np.uint32)) >> 16).astype(np.float32)
    xyz = size[:, None] * (wave[:, None] + noise / np.float32(131072))
    spoiled = draw(SPOILED, i)
    for row in np.flatnonzero(spoiled % 1024 == 0):
        word = int(spoiled[row])
        xyz[row, word >> 10 & 1] = (np.nan, np.inf, 1e9)[(word >> 11) % 3]
    return xyz


def gaps_of(block: int) -> NDArray[np.int64]:
    i = np.arange(block * BLOCK_LEN, (block + 1) * BLOCK_LEN, dtype=np.uint32)
    return np.flatnonzero(draw(GAP, i) % 512 == 0)


def command(twin: Twin, block: int) -> bool:
    """Whether the device took it."""
    names, argument = twin.classes, draw_one(ARGUMENT, block)
    action = 0 if len(names) < 2 else draw_one(ACTION, block) % 24
    name = names[argument % len(names)] if names else ""
    try:
        if action == 0:
            twin.add_class(f"c{block}")
        elif action == 1:
            twin.rename_class(name, f"r{argument % 8}")
        elif action == 2:
            if len(names) <= 3:
                return False
            twin.remove_class(name)
        elif action in (3, 4):
            twin.label(name)
        elif action == 5:
            twin.label(name, argument % 100)
        elif action == 6:
            twin.label(None)
        elif action == 7:
            twin.label_back(name, 1 + argument % 100)
        elif action == 8:
            twin.fine_tune(argument % 400)
        elif action == 9:
            twin.fine_tune(None)
        elif action == 10:
            if argument % 8 != 0:
                return False
            twin.reset()
        elif action == 11:
            twin.state = twin.state
        elif action == 12:
            twin.relearn(name, 1 + argument % 100)
        elif action == 13:
            twin.calibrate(argument % 200, argument % 50)
        elif action == 14:
            events = twin.unknowns()
            twin.name_unknown(events[0].number if events else 0, f"u{argument % 4}")
        elif action == 15:
            twin.set_class_weight(name, float(argument % 16))
        else:
            number, values = TURNS[argument % len(TURNS)]
            twin.set(NAME_OF.get(number, "unknown"), values[draw_one(VALUE, block) % 4])
    except DeviceError:
        return False
    return True


def packed(windows: Windows) -> bytes:
    """Windows as life.cpp writes them, without padding."""
    d, k = windows.features.shape[1], windows.probabilities.shape[1]
    names = ("error", "tuned_error", "log_variance", "confidence", "loss", "score", "novelty")
    layout = np.dtype(
        [
            ("sample_index", "<u8"),
            ("window_index", "<u8"),
            *((name, "<f4") for name in names),
            ("predicted", "<i2"),
            ("label", "<i2"),
            *((name, "u1") for name in ("anomaly", "learned", "fine_tuned", "alarm", "unknown")),
            ("notices", "<u2"),
            ("features", "<f4", (d,)),
            ("probabilities", "<f4", (k,)),
        ]
    )
    records = np.zeros(len(windows), layout)
    for name in layout.names or ():
        records[name] = getattr(windows, name)
    return records.tobytes()


def live(model_image: bytes) -> Outcome:
    """All of it."""
    twin, crc, n_windows, accepted = Twin(model_image), 0, 0, 0
    largest: dict[str, int] = {}
    notices, unknown = dict.fromkeys(NOTICES, 0), 0
    for block in range(N_BLOCKS):
        taken = command(twin, block)
        accepted += taken
        windows = twin.feed(samples_of(block), gaps=gaps_of(block))
        crc = zlib.crc32(packed(windows), zlib.crc32(bytes([taken]), crc))
        n_windows += len(windows)
        unknown += int(windows.unknown.sum())
        for name, bit in NOTICES.items():
            notices[name] += int(np.count_nonzero(windows.notices & bit))
        for name, value in twin.counters().items():
            largest[name] = max(largest.get(name, 0), value)
    return Outcome(n_windows, crc, twin.state, accepted, largest, notices, unknown)
