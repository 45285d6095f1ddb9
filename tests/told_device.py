"""A twin that tells what it is given in events, as a board's server does: for what reads them."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import ArrayLike

from tinyol_host.events import Changed, Event, Samples
from tinyol_host.protocol import UNTIL_STOPPED, Opcode
from tinyol_host.replies import Identity
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import (
    AddClass,
    Command,
    FineTune,
    Gap,
    Label,
    LabelBack,
    NameUnknown,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
    Undo,
    apply_to_twin,
)
from tinyol_sim.settings import SETTINGS
from tinyol_sim.twin import Twin

SAMPLES_PER_EVENT = 8


def identity_of(bundle: Bundle) -> Identity:
    """HELLO's reply of a board with this model."""
    pipeline = bundle.pipeline
    return Identity(
        last_sequence=0,
        max_message=512,
        firmware_version="0.1.0",
        capabilities=17,
        arithmetic_version=1,
        state_format=1,
        model_id=bundle.model_id,
        rate_hz=pipeline.rate_hz,
        window_len=pipeline.window_len,
        hop=pipeline.hop,
        n_features=1,
        n_hidden=1,
        n_outputs=1,
        max_classes=pipeline.max_classes,
        ring_len=pipeline.ring_len,
        max_image_bytes=10_000,
        board="told",
    )


class ToldDevice:
    """`events` is what a link hears that streams samples and its own changes."""

    def __init__(self, bundle: Bundle) -> None:
        self.twin = Twin(bundle)
        self.events: list[Event] = []
        self._kept: list[list[float]] = []
        self._gaps = 0

    @property
    def at(self) -> int:
        return self.twin.counters()["samples"]

    def feed(self, samples: ArrayLike) -> None:
        for sample in np.asarray(samples, np.float32).reshape(-1, 3):
            self._kept.append(sample)
            self.twin.feed(sample[None])
            if len(self._kept) == SAMPLES_PER_EVENT:
                self.flush()

    def flush(self) -> None:
        if self._kept:
            samples = np.array(self._kept, np.float32)
            gaps = self._gaps
            self.events.append(Samples(self.at - len(samples), gaps > 0, samples, gaps))
            self._kept, self._gaps = [], 0

    def gap(self) -> None:
        """Of the sensor: told at the head of the next samples only."""
        self.flush()
        self.twin.gap()
        self._gaps += 1

    def turn(self, opcode: Opcode) -> None:
        """FEED_BEGIN or FEED_END."""
        self.gap()
        self.changed(opcode)

    def begin_session(self) -> bytes:
        self.flush()
        image = self.twin.state
        self.twin.state = image
        self._gaps = 0
        self.gap()
        self.changed(Opcode.SESSION_BEGIN, b"\x06")
        return image

    def do(self, command: Command, own: bool = True) -> None:
        opcode, payload = self._wire(command)
        if isinstance(command, Reset | Undo):
            self.flush()
        if isinstance(command, Reset):
            self._gaps = 0
        apply_to_twin(command, self.twin)
        self.changed(opcode, payload, own)

    def changed(self, opcode: int, payload: bytes = b"", own: bool = True) -> None:
        self.events.append(Changed(opcode, own, self.at, payload))

    def _wire(self, command: Command) -> tuple[Opcode, bytes]:
        if isinstance(command, AddClass):
            return Opcode.CLASS_ADD, _name(command.name)
        if isinstance(command, RenameClass):
            index = self.twin.class_index(command.old)
            return Opcode.CLASS_RENAME, struct.pack("<H", index) + _name(command.new)
        if isinstance(command, RemoveClass):
            return Opcode.CLASS_REMOVE, struct.pack("<H", self.twin.class_index(command.name))
        if isinstance(command, Label):
            index = -1 if command.name is None else self.twin.class_index(command.name)
            return Opcode.LABEL, struct.pack("<hHI", index, 0, _until(command.windows))
        if isinstance(command, LabelBack):
            index = self.twin.class_index(command.name)
            return Opcode.LABEL_BACK, struct.pack("<hH", index, command.windows)
        if isinstance(command, FineTune):
            return Opcode.FINE_TUNE, struct.pack("<I", _until(command.steps))
        if isinstance(command, SetSetting):
            number = SETTINGS[command.name].id
            return Opcode.SETTING_SET, struct.pack("<HHf", number, 0, command.value)
        if isinstance(command, NameUnknown):
            return Opcode.UNKNOWN_NAME, struct.pack("<I", command.number) + _name(command.name)
        if isinstance(command, Undo):
            return Opcode.UNDO, bytes(4)
        assert not isinstance(command, Gap), "gap() is for these"
        return Opcode.RESET, b""


def _name(text: str) -> bytes:
    return bytes([len(text.encode())]) + text.encode()


def _until(count: int | None) -> int:
    return UNTIL_STOPPED if count is None else count
