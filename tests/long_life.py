"""A long life of a device as requests of the wire protocol, lived by the twin at the same time.

What a board must do is a list of steps; what the twin's state was at some of them is kept, so
that any number of boards can be held against one twin.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray
from wire_by_hand import (
    CLASS_ADD,
    CLASS_REMOVE,
    FEED,
    FEED_BEGIN,
    FINE_TUNE,
    LABEL,
    LABEL_BACK,
    RESET,
    SAMPLES_PER_FEED,
    SETTING_SET,
    UNDO,
    UNTIL_STOPPED,
)

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import DeviceError
from tinyol_sim.settings import SETTINGS
from tinyol_sim.twin import Twin

CLASS_RENAME = 14
# All that a life asks for.
OPCODES = {
    *(CLASS_ADD, CLASS_RENAME, CLASS_REMOVE, LABEL, LABEL_BACK),
    *(FEED_BEGIN, FEED, FINE_TUNE, SETTING_SET, RESET, UNDO),
}

Singles = NDArray[np.float32]

# Values that a life turns the settings to.
TURNS = {
    "classifier.learning_rate": (0.01, 0.05, 0.3),
    "classifier.schedule": (0.0, 1.0, 2.0),
    "classifier.l2": (0.0, 0.001),
    "classifier.clip_norm": (0.0, 0.5),
    "reconstruction.learning_rate": (0.0005, 0.003, 0.03),
    "reconstruction.loss": (0.0, 1.0, 2.0, 3.0),
    "reconstruction.clip_norm": (0.0, 1.0),
    "statistics.horizon": (64.0, 16384.0),
}
PIECES_PER_CHECK = 8
MOST_CLASSES = 4


@dataclass(frozen=True)
class Request:
    """One request that must be granted."""

    opcode: int
    payload: bytes


@dataclass(frozen=True)
class Check:
    """The board's state image must be this one."""

    state: bytes


@dataclass(frozen=True)
class Put:
    """This state image is sent to the board; before it, if `power_cut`, the board is restarted."""

    state: bytes
    power_cut: bool


Step = Request | Check | Put


@dataclass(frozen=True)
class Stretch:
    """Samples of one kind, (n, 3) in g: what a person would give one name."""

    kind: str
    samples: Singles


@dataclass
class Life:
    """The steps, and what came of them in the twin."""

    bundle: Bundle
    steps: list[Step]
    n_windows: int
    n_learned: int
    n_fine_tuned: int
    n_undone: int


def live(bundle: Bundle, stretches: Sequence[Stretch], n_windows: int, seed: int) -> Life:
    """Pieces of the stretches in turn, and between them commands at random."""
    return _Author(bundle, seed).write(stretches, n_windows)


class _Author:
    """Writes the steps and does the same to the twin."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.twin = Twin(bundle)
        self.number = 0
        self.kept = self.twin.state
        self.life = Life(bundle, [], 0, 0, 0, 0)

    def write(self, stretches: Sequence[Stretch], n_windows: int) -> Life:
        self.request(FEED_BEGIN)
        self.twin.gap()
        places = {id(stretch): 0 for stretch in stretches}
        for piece, stretch in enumerate(cycle(stretches)):
            self.command(stretch.kind)
            start, n = places[id(stretch)], int(self.rng.integers(300, 1500))
            places[id(stretch)] = (start + n) % len(stretch.samples)
            self.feed(stretch.samples[start : start + n])
            if piece % PIECES_PER_CHECK == 0:
                self.life.steps.append(Check(self.twin.state))
            if self.life.n_windows >= n_windows:
                break
        self.life.steps.append(Check(self.twin.state))
        return self.life

    def request(self, opcode: int, payload: bytes = b"") -> None:
        self.life.steps.append(Request(opcode, payload))

    def feed(self, samples: Singles) -> None:
        """The first follows a gap; at times one is spoiled."""
        samples = samples.copy()
        if self.rng.random() < 0.1:
            spoiled = (np.nan, np.inf, -1e9)[self.rng.integers(3)]
            samples[self.rng.integers(len(samples)), self.rng.integers(3)] = spoiled
        for at in range(0, len(samples), SAMPLES_PER_FEED):
            part = samples[at : at + SAMPLES_PER_FEED]
            head = struct.pack("<BBH", len(part), at == 0, 0)
            self.request(FEED, head + part.astype("<f4").tobytes())
        windows = self.twin.feed(samples, gaps=[0])
        self.life.n_windows += len(windows)
        self.life.n_learned += int(windows.learned.sum())
        self.life.n_fine_tuned += int(windows.fine_tuned.sum())

    def command(self, kind: str) -> None:
        """Mostly what a person would do with a stretch of this kind; at times something else."""
        if self.rng.random() < 0.2:
            self.undo()
        twin, rng = self.twin, self.rng
        if kind not in twin.classes and twin.n_classes < MOST_CLASSES:
            self.add_class(kind)
        if kind in twin.classes:
            count = None if rng.random() < 0.5 else int(rng.integers(1, 600))
            index, name = twin.class_index(kind), kind
            self.request(LABEL, struct.pack("<hHI", index, 0, _or_until_stopped(count)))
            twin.label(name, count)
        choice = rng.random()
        if choice < 0.35:
            steps = None if rng.random() < 0.3 else int(rng.integers(0, 800))
            self.request(FINE_TUNE, struct.pack("<I", _or_until_stopped(steps)))
            twin.fine_tune(steps)
        elif choice < 0.55:
            name = str(rng.choice(list(TURNS)))
            value = float(rng.choice(TURNS[name]))
            self.request(SETTING_SET, struct.pack("<HHf", SETTINGS[name].id, 0, value))
            twin.set(name, value)
        elif choice < 0.70:
            self.request(LABEL, struct.pack("<hHI", -1, 0, UNTIL_STOPPED))
            twin.label(None)
            self.feed(np.full((40, 3), 0.25, np.float32))
            if twin.n_classes:
                name, windows = twin.classes[-1], int(rng.integers(1, 64))
                self.request(LABEL_BACK, struct.pack("<hH", twin.n_classes - 1, windows))
                twin.label_back(name, windows)
        elif choice < 0.80 and twin.n_classes:
            self.number += 1
            index, name = int(rng.integers(twin.n_classes)), f"r{self.number}"
            payload = struct.pack("<HB", index, len(name)) + name.encode()
            self.request(CLASS_RENAME, payload)
            twin.rename_class(twin.classes[index], name)
        elif choice < 0.88 and twin.n_classes:
            index = int(rng.integers(twin.n_classes))
            self.request(CLASS_REMOVE, struct.pack("<H", index))
            twin.remove_class(twin.classes[index])
        elif choice < 0.91:
            self.request(RESET)
            twin.reset()
        elif choice < 0.94:
            self.kept = twin.state
        elif choice < 0.97:
            self.put(self.kept, power_cut=False)
        else:
            self.put(twin.state, power_cut=True)

    def add_class(self, name: str) -> None:
        self.request(CLASS_ADD, bytes([len(name)]) + name.encode())
        self.twin.add_class(name)

    def undo(self) -> None:
        try:
            self.twin.would_undo()
        except DeviceError:  # a board would refuse it too
            return
        self.request(UNDO, bytes(4))
        self.twin.undo()
        self.life.n_undone += 1

    def put(self, state: bytes, power_cut: bool) -> None:
        self.life.steps.append(Put(state, power_cut))
        if power_cut:
            self.twin = Twin(self.life.bundle)
        self.twin.state = state
        if power_cut:
            self.request(FEED_BEGIN)
            self.twin.gap()


def _or_until_stopped(count: int | None) -> int:
    return UNTIL_STOPPED if count is None else count
