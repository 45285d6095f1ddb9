"""What a board learns does not depend on its line: bytes are lost, flip and double, cables pulled.

A life of classes, labels, fine-tuning, state images and samples over such a line ends, bit for bit,
as over a clean one and as the twin's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulator_cases import int8_bundle as emulated_bundle
from emulator_cases import needs_compiler, unicorn
from pty_board import PtyBoard
from small_models import int8_bundle, vibration
from spoiled_line import KINDS, SpoiledLine, SpoiledStream, Spoiler

from tinyol_host.board import Board, connect
from tinyol_host.events import Event, Lost, Prediction, Samples
from tinyol_host.feeding import FeedingEndedError
from tinyol_host.link_health import LinkHealth
from tinyol_host.timing import Timing
from tinyol_host.transports.emu import MachineStream
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import (
    AddClass,
    Command,
    FineTune,
    Label,
    LabelBack,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
    apply_to_twin,
)
from tinyol_sim.emulator.machine import Machine
from tinyol_sim.twin import Twin, Windows

# About every other message is spoiled: repeats had better be quick. One too early costs its bytes.
HASTY = Timing(
    reply_s=0.001, give_up_s=30.0, backoff_first_s=0.001, backoff_most_s=0.01, heartbeat_s=60.0
)
# Nothing is lost here without the cable being pulled, which is noticed at once.
CALM = Timing(
    reply_s=2.0, give_up_s=30.0, backoff_first_s=0.001, backoff_most_s=0.01, heartbeat_s=60.0
)
MOST_UNHEARD = 100  # samples and other events at the end; about half of the messages arrive
PIECE = 50  # samples; the client sends them in messages that a bad line lets through


@dataclass(frozen=True)
class Feed:
    """The next n samples."""

    n: int


@dataclass(frozen=True)
class Pull:
    """Reads the state image."""


@dataclass(frozen=True)
class Push:
    """Takes over the image read last."""


Step = Command | Feed | Pull | Push
LIFE: tuple[Step, ...] = (
    AddClass("before"),
    Label("before"),
    FineTune(20),
    SetSetting("anomaly.threshold", 0.5),
    Feed(120),
    Reset(),
    AddClass("idle"),
    AddClass("drill"),
    SetSetting("classifier.learning_rate", 0.25),
    Label("idle"),
    Feed(203),
    Label("drill", 40),
    FineTune(35),
    Feed(230),
    LabelBack("idle", 7),
    AddClass("saw"),
    RenameClass("idle", "still"),
    Pull(),
    Label("saw"),
    LabelBack("drill", 5),
    Feed(181),
    RemoveClass("drill"),
    FineTune(None),
    Feed(90),
    Push(),
    Label("drill"),
    FineTune(11),
    Feed(211),
    LabelBack("saw", 9),
    Pull(),
)
SHORT_LIFE = tuple(step for step in LIFE[6:] if step not in (Feed(203), Feed(181)))
# Feed step -> the samples of it that were fed when the device ended the feeding. Resuming makes
# two gaps there: the end of one feeding, and the beginning of the next.
Breaks = dict[int, list[int]]


@dataclass
class Told:
    """What one side said of its life."""

    effects: list[tuple[int, int | None]] = field(default_factory=list)  # first sample, value
    images: list[bytes] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)  # of each feed; unknown where it broke off
    events: list[Event] = field(default_factory=list)
    breaks: Breaks = field(default_factory=dict)
    health: LinkHealth = field(default_factory=LinkHealth)
    cut_in: set[type] = field(default_factory=set)  # steps during which the link was cut
    repeated: int = 0  # requests, as the device counts them


async def live(
    uri: str,
    life: Sequence[Step] = LIFE,
    *,
    timing: Timing,
    breaks: Breaks | None = None,
    before: Callable[[Step], None] = lambda step: None,
) -> Told:
    """A board's life. Of its own accord, feeding is broken off at `breaks`.

    before: is called before each step.
    """
    told = Told()
    async with await connect(uri, timing=timing, source=False, keep_state=False) as board:
        async with board.stream(predictions=True, samples=True, changes=True) as events:
            listening = asyncio.create_task(listen(events, told.events))
            at = 0
            for number, step in enumerate(life):
                reconnects = board.health.reconnects
                before(step)
                if isinstance(step, Feed):
                    rows = vibration(5000)[at : at + step.n]
                    at += step.n
                    if breaks is None:
                        told.breaks[number] = await feed_and_resume(board, rows, told)
                    else:
                        told.breaks[number] = breaks[number]
                        await feed_in_parts(board, rows, breaks[number], told)
                elif isinstance(step, Pull):
                    told.images.append(await board.pull_state())
                elif isinstance(step, Push):
                    effect = await board.push_state(told.images[-1])
                    told.effects.append((effect.at, effect.value))
                else:
                    effect = await board.execute(step)
                    told.effects.append((effect.at, effect.value))
                if board.health.reconnects > reconnects:
                    told.cut_in.add(type(step))
            told.repeated = (await board.info()).repeated
        await listening
        told.health = board.health
    return told


async def listen(events: Any, into: list[Event]) -> None:
    async for event in events:
        into.append(event)


async def feed_and_resume(board: Board, rows: np.ndarray[Any, Any], told: Told) -> list[int]:
    """As a program does that wants every sample fed, whatever the cable does."""
    first: int | None = None
    done, windows, broken_at = 0, 0, []
    while True:
        try:
            async with board.feeding() as feeding:
                first = feeding.at if first is None else first
                for start in range(done, len(rows), PIECE):
                    windows += await feeding.feed(rows[start : start + PIECE])
            break
        except FeedingEndedError:
            assert first is not None
            done = (await board.info()).at - first
            broken_at.append(done)
    told.windows.append(-1 if broken_at else windows)
    return broken_at


async def feed_in_parts(
    board: Board, rows: np.ndarray[Any, Any], breaks: list[int], told: Told
) -> None:
    windows = 0
    for start, end in pairwise([0, *breaks, len(rows)]):
        async with board.feeding() as feeding:
            for at in range(start, end, PIECE):
                windows += await feeding.feed(rows[at : min(at + PIECE, end)])
    told.windows.append(-1 if breaks else windows)


def live_as_twin(bundle: Bundle, breaks: Breaks, life: Sequence[Step] = LIFE) -> Told:
    twin, told, cursor = Twin(bundle), Told(), 0
    for number, step in enumerate(life):
        at = twin.counters()["samples"]
        if isinstance(step, Feed):
            rows = vibration(5000)[cursor : cursor + step.n]
            cursor += step.n
            windows = 0
            for start, end in pairwise([0, *breaks[number], len(rows)]):
                twin.gap()
                seen = twin.feed(rows[start:end])
                twin.gap()
                windows += len(seen)
                told.events += predictions_of(seen)
            told.windows.append(-1 if breaks[number] else windows)
        elif isinstance(step, Pull):
            told.images.append(twin.state)
        elif isinstance(step, Push):
            twin.state = told.images[-1]
            told.effects.append((twin.counters()["samples"], None))
        else:
            value = apply_to_twin(step, twin)
            told.effects.append((0 if isinstance(step, Reset) else at, value))
    return told


def predictions_of(windows: Windows) -> list[Event]:
    names = list(Prediction.__dataclass_fields__)
    columns = [getattr(windows, name).tolist() for name in names]
    return [Prediction(*row) for row in zip(*columns, strict=True)]


def items_of(events: Sequence[Event]) -> list[Any]:
    """What can be compared one by one: a sample by itself, however many came together."""
    items: list[Any] = []
    for event in events:
        if isinstance(event, Samples):
            items += [(event.first + i, row.tobytes()) for i, row in enumerate(event.samples)]
        elif not (isinstance(event, Lost) and items and isinstance(items[-1], Lost)):
            items.append(event)
    return items


def assert_part_of(events: Sequence[Event], whole: Sequence[Event]) -> None:
    """In order, nothing twice, nothing else, and nothing missing where no Lost says so."""
    there_is = items_of(whole)
    places: dict[Any, list[int]] = {}
    for place, item in enumerate(there_is):
        places.setdefault(item, []).append(place)
    # Where the next item may stand: twice the same command looks the same.
    due, lost = {0}, False
    for item in items_of(events):
        if isinstance(item, Lost):
            lost = True
            continue
        found = [at for at in places.get(item, []) if (lost and at > min(due)) or at in due]
        assert found, f"{item} came where {[there_is[at : at + 3] for at in due]} was due"
        due, lost = {at + 1 for at in found}, False
    # Nothing follows the last event that would show that it is missing.
    assert lost or len(there_is) - max(due) <= MOST_UNHEARD


def assert_same(told: Told, clean: Told, twin: Told) -> None:
    assert told.images == clean.images == twin.images
    assert told.effects == clean.effects == twin.effects
    assert told.windows == clean.windows == twin.windows
    assert not [event for event in clean.events if isinstance(event, Lost)]
    assert [e for e in clean.events if isinstance(e, Prediction)] == twin.events
    assert_part_of(told.events, clean.events)


class Puller:
    """Pulls the cable at random, and within all transfers and every other command.

    least, most: bytes between two pulls, if no command comes first.
    """

    def __init__(self, seed: int, least: int, most: int) -> None:
        self._random = random.Random(seed)
        self._range = least, most

    def next_pull(self) -> int:
        return self._random.randrange(*self._range)

    def soon(self, step: Step) -> int | None:
        """After how many bytes of this step, which has more of them."""
        if isinstance(step, Feed):
            return None
        if isinstance(step, Pull | Push):
            return self._random.randrange(1, 900)
        return self._random.choice([None, self._random.randrange(1, 60)])


def on_a_line(
    tmp_path: Path,
    *,
    there: Callable[[bytes], bytes] = bytes,
    back: Callable[[bytes], bytes] = bytes,
    puller: Puller | None = None,
    timing: Timing = CALM,
    breaks: Breaks | None = None,
) -> tuple[Told, int]:
    """A life over a line, and how often its cable was pulled."""

    def before(step: Step) -> None:
        bytes_left = None if puller is None else puller.soon(step)
        if bytes_left is not None:
            line.pull_in(bytes_left)

    next_pull = None if puller is None else puller.next_pull
    line = SpoiledLine(PtyBoard(int8_bundle()), tmp_path / "port", there, back, next_pull)
    with line:
        told = asyncio.run(live(f"serial:{line.path}", timing=timing, breaks=breaks, before=before))
    return told, line.pulls


def assert_as_if_clean(told: Told, clean: Told) -> None:
    assert_same(told, clean, live_as_twin(int8_bundle(), told.breaks))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A life over a good line."""
    unbroken: Breaks = {number: [] for number, step in enumerate(LIFE) if isinstance(step, Feed)}
    return on_a_line(tmp_path_factory.mktemp("clean"), breaks=unbroken)[0]


@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), KINDS], ids="-".join)
def test_one_byte_in_a_hundred_is_spoiled(
    kinds: tuple[str, ...], tmp_path: Path, clean: Told
) -> None:
    there, back = Spoiler(1, kinds), Spoiler(2, kinds)
    told, _ = on_a_line(tmp_path, there=there, back=back, timing=HASTY)
    assert min(there.spoiled, back.spoiled) > 500
    assert told.health.repeats > 300
    assert told.repeated > 100
    assert not any(told.breaks.values())
    assert_as_if_clean(told, clean)


@pytest.mark.parametrize("seed", range(2))
def test_the_cable_is_pulled(seed: int, tmp_path: Path) -> None:
    # A whole transfer fits between two pulls: it is begun anew a few times at most.
    told, pulls = on_a_line(tmp_path, puller=Puller(seed, 2000, 4500))
    assert pulls >= 20
    assert told.repeated >= 5
    assert {Feed, Pull, Push} < told.cut_in
    assert sum(map(len, told.breaks.values())) >= 5
    assert_as_if_clean(told, on_a_line(tmp_path, breaks=told.breaks)[0])


def test_bytes_are_spoiled_and_the_cable_is_pulled(tmp_path: Path) -> None:
    there, back = Spoiler(5), Spoiler(6)
    puller = Puller(4, 10_000, 40_000)
    told, pulls = on_a_line(tmp_path, there=there, back=back, puller=puller, timing=HASTY)
    assert pulls >= 10
    assert min(there.spoiled, back.spoiled) > 500
    assert {Feed, Pull, Push} < told.cut_in
    assert_as_if_clean(told, on_a_line(tmp_path, breaks=told.breaks)[0])


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_the_line_of_an_emulated_board_is_spoiled(
    machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, back = Spoiler(7), Spoiler(8)

    def spoiled(machine: Machine, power_off_s: float) -> SpoiledStream:
        return SpoiledStream(MachineStream(machine, power_off_s), there, back)

    emulated_bundle().save(tmp_path / "model.tinyol")
    uri = f"emu:?model={tmp_path / 'model.tinyol'}&source=none&state=none&machine={machine}"
    clean = asyncio.run(live(uri, SHORT_LIFE, timing=CALM))
    monkeypatch.setattr("tinyol_host.transports.emu.MachineStream", spoiled)
    told = asyncio.run(live(uri, SHORT_LIFE, timing=HASTY))
    assert min(there.spoiled, back.spoiled) > 500
    assert not any(told.breaks.values())
    assert_same(told, clean, live_as_twin(emulated_bundle(), told.breaks, SHORT_LIFE))
