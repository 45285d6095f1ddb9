"""Twin against emulated board over 100,000 windows: both compilers, three levels, two emulators.

Half of the windows come from the synthetic fan and half from recordings of a real one; without
the recordings all are synthetic. A life takes unicorn some 10 s and QEMU, whose UART takes 30 us a
byte, some 50. Here two boards live a whole one, what `tinyol -d emu:` builds and what a board is
built with, and every other 40,000 windows; in `make test-long` all live a whole one.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from emulator_cases import gcc, qemu, unicorn, zig
from long_life import OPCODES, Check, Life, Put, Request, Stretch, live
from random_nets import autoencoder
from wire_by_hand import Wire, decode_frame, encode_frame, open_wire

from tinyol_sim.bundle import Bundle
from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.machine import Machine, new_machine
from tinyol_sim.model_image import Pipeline
from tinyol_sim.recordings import read_recording
from tinyol_sim.state_image import StateImage
from tinyol_sim.synth import (
    FIELD_FAN,
    FIELD_PLACEMENT,
    MODES,
    TRAINING_PLACEMENT,
    USB_FAN,
    synthesize,
)

N_WINDOWS, FEWER = 100_000, 40_000
CHUNK = 400
IMAGE_PUT, IMAGE_WRITE, IMAGE_COMMIT = 38, 39, 40
AHEAD = 64  # requests on their way while none of them is answered yet
REPLY_TIMEOUT_S = 60.0
HEADER = struct.Struct("<BBBBHHIHH")
LEVELS = ("-Os", "-O2", "-O3")
WHOLE = [(unicorn, zig, "-O2"), (unicorn, gcc, "-Os")]
SHORT = [
    *((unicorn, tool, level) for tool in (zig, gcc) for level in LEVELS),
    (qemu, gcc, "-O2"),
]
EVERY = [
    (emulator, tool, level)
    for emulator in (unicorn, qemu)
    for tool in (zig, gcc)
    for level in LEVELS
]
BOARDS = [
    pytest.param(
        *emulator.values,
        *tool.values,
        level,
        n_windows,
        marks=[*emulator.marks, *tool.marks, *marks],
    )
    for chosen, n_windows, marks in (
        (WHOLE, N_WINDOWS, []),
        ([board for board in SHORT if board not in WHOLE], FEWER, []),
        ([board for board in EVERY if board not in WHOLE], N_WINDOWS, [pytest.mark.long]),
    )
    for emulator, tool, level in chosen
]
SYNTHETIC_S = 120.0
REAL = (
    "fan_0_off_0_weight",
    "fan_0_low_0_weight",
    "fan_0_med_0_weight",
    "fan_0_high_0_weight",
    "fan_0_low_1_weight",
    "fan_0_low_0_weight-moving",
    "fan_0_low-deploy",
)


def bundle() -> Bundle:
    """A net as small as can be, a window at every sample, all of the arithmetic in use."""
    pipeline = Pipeline(
        rate_hz=119.0,
        window_len=4,
        hop=1,
        scale=(4.0, 4.0, 4.0),
        projection=(0.5, 0.25, 0.75),
        error_source="tuned",
        max_classes=4,
    )
    settings = {"classifier.schedule": 2.0, "classifier.l2": 1e-3, "anomaly.threshold": 0.05}
    return Bundle.create(autoencoder((4, 2, 4)), pipeline, settings=settings)


def synthetic() -> list[Stretch]:
    places = (("", USB_FAN, TRAINING_PLACEMENT), ("field ", FIELD_FAN, FIELD_PLACEMENT))
    return [
        Stretch(
            where + mode,
            synthesize(mode, SYNTHETIC_S, seed=seed, fan=fan, placement=placement).samples,
        )
        for seed, mode in enumerate(MODES)
        for where, fan, placement in places
    ]


def real(folder: Path) -> list[Stretch]:
    return [
        Stretch(f"real {i}", read_recording(folder / "ceiling-fan" / name, rate_hz=200.0).samples)
        for i, name in enumerate(REAL)
    ]


@pytest.fixture(scope="module")
def life(request: pytest.FixtureRequest) -> Callable[[int], Life]:
    """What every board must live through, of so many windows."""
    stretches = synthetic()
    with suppress(pytest.skip.Exception):
        stretches += real(request.getfixturevalue("real_data"))

    @cache
    def of(n_windows: int) -> Life:
        lived = live(bundle(), stretches, n_windows, seed=12)
        # Otherwise it would prove little.
        assert lived.n_windows >= n_windows
        assert lived.n_learned > n_windows / 6
        assert lived.n_fine_tuned > n_windows / 10
        assert lived.n_undone > n_windows / 10_000
        assert {step.opcode for step in lived.steps if isinstance(step, Request)} == OPCODES
        assert {step.power_cut for step in lived.steps if isinstance(step, Put)} == {False, True}
        return lived

    return of


def put_requests(state: bytes) -> list[Request]:
    """A state image on its way to the board."""
    begin = Request(IMAGE_PUT, struct.pack("<II", len(state), zlib.crc32(state)))
    chunks = [
        Request(IMAGE_WRITE, struct.pack("<I", at) + state[at : at + CHUNK])
        for at in range(0, len(state), CHUNK)
    ]
    return [begin, *chunks, Request(IMAGE_COMMIT, b"")]


def send(wire: Wire, requests: Sequence[Request]) -> None:
    """Many requests ahead of their replies: the device takes them in the order of their numbers."""
    for start in range(0, len(requests), AHEAD):
        part = requests[start : start + AHEAD]
        due, frames = [], []
        for request in part:
            wire.sequence = (wire.sequence + 1) % 65536
            due.append((request.opcode, wire.sequence, 0))
            length = len(request.payload)
            header = HEADER.pack(
                2, 1, request.opcode, 0, wire.session, wire.sequence, wire.boot_id, length, 0
            )
            frames.append(encode_frame(header + request.payload))
        wire.machine.write(b"".join(frames))
        assert read_outcomes(wire.machine, len(part)) == due


def read_outcomes(machine: Machine, n: int) -> list[tuple[int, int, int]]:
    """Opcode, sequence and status of the next `n` messages."""
    found: list[tuple[int, int, int]] = []
    deadline = time.monotonic() + REPLY_TIMEOUT_S
    while len(found) < n and time.monotonic() < deadline:
        for frame in machine.read(1.0).split(b"\0"):
            if frame:
                message = decode_frame(frame)
                fields = HEADER.unpack_from(message)
                found.append((fields[2], fields[5], *struct.unpack_from("<b", message, 16)))
    return found


def live_on(machine: Machine, life: Life) -> None:
    """The board goes through all of it, and has the twin's state wherever it is looked at."""
    wire = open_wire(machine)
    waiting: list[Request] = []
    for step in life.steps:
        if isinstance(step, Request):
            waiting.append(step)
            continue
        if isinstance(step, Put) and not step.power_cut:
            waiting += put_requests(step.state)
            continue
        send(wire, waiting)
        waiting = []
        if isinstance(step, Check):
            check(wire, step, life)
        else:
            machine.stop()
            machine.start()
            wire = open_wire(machine)
            waiting = put_requests(step.state)
    assert not waiting


def check(wire: Wire, step: Check, life: Life) -> None:
    image = wire.state()
    if image != step.state:
        difference = StateImage.from_bytes(step.state).first_difference(
            StateImage.from_bytes(image)
        )
        pytest.fail(f"after {wire.next_sample} samples: {difference}")


@pytest.mark.parametrize(("machine", "compiler", "optimize", "n_windows"), BOARDS)
def test_a_long_life_ends_in_the_twins_state(
    life: Callable[[int], Life], n_windows: int, compiler: str, optimize: str, machine: str
) -> None:
    lived = life(n_windows)
    image = build_image(lived.bundle, compiler=compiler, optimize=optimize)
    with new_machine(image, machine) as board:
        live_on(board, lived)
