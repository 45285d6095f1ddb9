"""All that a board learns it learns over Bluetooth too, and bit for bit as the twin does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pytest
from ble_radio_cases import Range, in_range
from board_in_process import OK, feed, name
from image_surgery import patched
from numpy.typing import NDArray
from small_models import int8_bundle, vibration
from small_replay import recording, small_bundle

from tinyol_host.board import Board
from tinyol_host.errors import RefusedError
from tinyol_host.events import Changed, Prediction
from tinyol_host.live_recording import LiveRecording
from tinyol_host.protocol import Opcode
from tinyol_host.verify import verify_recording, verify_session
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
from tinyol_sim.script import run_on_twin, script_of
from tinyol_sim.twin import Twin, Windows

Step = Command | NDArray[np.float32]
BUSY = -17


@pytest.fixture(scope="module")
def radio_range() -> Iterator[Range]:
    with in_range() as where:
        yield where


@pytest.fixture
def near(radio_range: Range) -> Range:
    """A board in range that has learned nothing yet."""
    radio_range.fresh()
    return radio_range


async def live(near: Range, board: Board, steps: Sequence[Step]) -> None:
    """Commands by radio, samples by the board's own sensor."""
    for step in steps:
        if isinstance(step, np.ndarray):
            near.sense(step)
        else:
            await board.execute(step)


def lived(near: Range, steps: Sequence[Step]) -> tuple[Twin, Windows]:
    """The twin after the same."""
    twin, windows = Twin(near.bundle), []
    for step in steps:
        if isinstance(step, np.ndarray):
            windows.append(twin.feed(step))
        else:
            apply_to_twin(step, twin)
    return twin, Windows.join(windows)


def test_classes_and_labels_of_all_kinds_teach_as_the_twin_is_taught(near: Range) -> None:
    x = vibration(1200)
    steps: list[Step] = [
        AddClass("still"), AddClass("fast"), Label("still"), x[:200],
        Label("fast", 20), x[200:400], Label(None), x[400:600],
        AddClass("slow"), LabelBack("slow", 30), SetSetting("classifier.learning_rate", 0.1),
        Label("still", 10), x[600:700], RenameClass("slow", "idle"), LabelBack("idle", 4),
        RemoveClass("fast"), AddClass("other"), Label("other"), x[700:1200],
    ]  # fmt: skip

    async def work(board: Board) -> tuple[list[str], bytes]:
        await live(near, board, steps)
        return await board.classes(), await board.pull_state()

    classes, image = near.do(work)
    twin, windows = lived(near, steps)
    assert classes == twin.classes == ["still", "idle", "other"]
    assert image == twin.state == near.state()
    assert windows.learned.sum() > 120


def test_two_thousand_steps_of_fine_tuning_with_every_prediction(near: Range) -> None:
    near.fresh(int8_bundle())  # windows of 8 samples, one every 4
    x = vibration(4 * 2010 + 4)
    steps: list[Step] = [FineTune(2000), *np.array_split(x, 30)]

    async def work(board: Board) -> list[Prediction]:
        async with board.stream(predictions=True) as events:
            await live(near, board, steps)
            seen = [await asyncio.wait_for(anext(events), 10.0) for _ in range(2010)]
        assert (await board.info()).reconstruction.applied == 2000
        assert all(isinstance(event, Prediction) for event in seen)
        return [event for event in seen if isinstance(event, Prediction)]

    seen = near.do(work)
    twin, windows = lived(near, steps)
    assert windows.fine_tuned.sum() == 2000
    for column in ("sample_index", "window_index", "error", "tuned_error", "fine_tuned"):
        told = np.array([getattr(event, column) for event in seen])
        assert np.array_equal(told, getattr(windows, column)), column
    assert near.state() == twin.state


def test_what_another_board_has_learned_goes_on_here(near: Range) -> None:
    x = vibration(900, seed=1)
    before: list[Step] = [AddClass("a"), AddClass("b"), Label("b"), FineTune(None), x[:500]]
    twin, _ = lived(near, before)
    after: list[Step] = [Label("a"), FineTune(None), x[500:]]

    async def work(board: Board) -> tuple[bytes, bytes]:
        await board.push_state(twin.state)
        pulled = await board.pull_state()
        await live(near, board, after)
        return pulled, await board.pull_state()

    pulled, image = near.do(work)
    assert pulled == twin.state
    reborn = Twin(near.bundle)  # labels and fine-tuning under way are not in an image
    reborn.state = twin.state
    for step in after:
        if isinstance(step, np.ndarray):
            reborn.feed(step)
        else:
            apply_to_twin(step, reborn)
    assert image == reborn.state == near.state()


def test_a_session_on_record_is_lived_again_by_the_twin(near: Range) -> None:
    x = vibration(1000, seed=2)
    learned_before: list[Step] = [AddClass("a"), Label("a"), x[:300]]
    steps: list[Step] = [
        AddClass("b"), Label("b", 12), x[300:500], FineTune(40), x[500:650], LabelBack("a", 8),
        RenameClass("b", "c"), x[650:777], Reset(), AddClass("d"), Label("d"), x[777:],
    ]  # fmt: skip

    async def work(board: Board) -> LiveRecording:
        await live(near, board, learned_before)
        async with LiveRecording(board, session=True) as recording:
            for step in steps:
                if isinstance(step, np.ndarray):
                    near.sense(step, gap=len(step) == 150)
                else:
                    await recording.execute(step)
            await recording.finish()
        return recording

    made = near.do(work)
    assert made.error is None
    assert made.start is not None
    record = made.recorder.to_session(made.start.image, made.end_image)
    assert record.lost == ()
    assert record.samples.tobytes() == x[300:].tobytes()
    assert record.end == near.state()
    verdict = verify_session(record, near.bundle)
    assert verdict.identical, verdict.difference
    assert verdict.windows > 100
    assert verdict.updates > 60


def test_a_recording_fed_by_radio_leaves_the_twins_state(near: Range) -> None:
    stream = recording([("normal", 300), (None, 200), ("loud", 300)], gaps=[44, 600])
    script = script_of(stream, fine_tune=60)

    async def work(board: Board) -> tuple[bool, str | None, int]:
        verdict = await verify_recording(board, small_bundle(), script, keep=True)
        return verdict.identical, verdict.difference, verdict.unheard

    assert near.do(work) == (True, None, 0)
    twin = Twin(small_bundle())
    run_on_twin(twin, script)
    assert without_gaps(near.state()) == without_gaps(twin.state)


def without_gaps(image: bytes) -> bytes:
    """Feeding makes gaps of its own, and they are counted."""
    return patched(image, b"COUN", 16, bytes(4))


def test_it_goes_on_alone_and_says_afterwards_what_happened(near: Range) -> None:
    x = vibration(1600, seed=3)
    x[900:1000] *= 8
    x[1300:1350] *= 12
    paper = [SetSetting("anomaly.detector", 0.0), SetSetting("anomaly.threshold", 60.0)]
    for setting in paper:
        near.do(lambda board, setting=setting: board.execute(setting))
    before: list[Step] = [AddClass("a"), Label("a", 100), FineTune(150), x[:200]]
    near.do(lambda board: live(near, board, before))
    for piece in np.array_split(x[200:], 20):
        near.sense(piece)  # nobody is connected

    async def work(board: Board) -> bytes:
        info, alarms = await board.info(), await board.alarms()
        assert info.at == alarms.at == 1600
        assert info.windows == len(windows)
        assert info.classifier.applied == 100
        assert info.reconstruction.applied == 150
        assert (info.label, info.label_left, info.fine_tune_left) == (None, 0, 0)
        assert alarms.count == len(runs) >= 2
        told = [(a.first_sample, a.last_sample, a.windows) for a in reversed(alarms.latest)]
        assert told == [(*_ends(run, windows), len(run)) for run in runs[-len(told) :]]
        peaks = [np.float32(alarm.peak_score) for alarm in reversed(alarms.latest)]
        assert peaks == [windows.score[run].max() for run in runs[-len(told) :]]
        return await board.pull_state()

    twin, windows = lived(near, [*paper, *before, x[200:]])
    runs = [
        [i for i, _ in group]
        for alarm, group in groupby(enumerate(windows.alarm), lambda item: item[1])
        if alarm
    ]
    assert near.do(work) == twin.state


def _ends(run: list[int], windows: Windows) -> tuple[int, int]:
    return int(windows.sample_index[run[0]]), int(windows.sample_index[run[-1]])


def test_a_label_until_stopped_outlasts_the_connection(near: Range) -> None:
    x = vibration(600)
    steps: list[Step] = [AddClass("a"), Label("a"), x[:300]]
    near.do(lambda board: live(near, board, steps))
    near.sense(x[300:])
    near.do(lambda board: board.label(None))
    twin, windows = lived(near, [*steps, x[300:], Label(None)])
    assert windows.learned.all()
    assert near.state() == twin.state


# --- USB beside it ---------------------------------------------------------------------------


def test_while_usb_feeds_bluetooth_is_told_that_it_is_busy(near: Range) -> None:
    usb = near.usb()
    x = vibration(60)

    async def work(board: Board) -> None:
        assert usb.ask(Opcode.FEED_BEGIN).status == OK
        for attempt in (board.add_class("a"), board.fine_tune(3), board.reset()):
            with pytest.raises(RefusedError, match="another link feeds") as refused:
                await attempt
            assert refused.value.status == BUSY
        assert usb.ask(Opcode.FEED, feed(list(x[:40]))).status == OK
        info = await board.info()  # asking is allowed
        assert (info.feeding, info.at, info.n_classes) == (True, 40, 0)
        assert usb.ask(Opcode.FEED_END).status == OK
        await board.add_class("a")

    near.do(work)


def test_while_bluetooth_feeds_usb_is_told_that_it_is_busy(near: Range) -> None:
    usb = near.usb()
    x = vibration(60)

    async def work(board: Board) -> None:
        async with board.feeding() as feeding:
            await feeding.feed(x[:30])
            near.sense(x[30:])  # the sensor is ignored meanwhile
            for opcode, payload in (
                (Opcode.CLASS_ADD, name("u")),
                (Opcode.FEED_BEGIN, b""),
                (Opcode.RESET, b""),
            ):
                assert usb.ask(opcode, payload).status == BUSY
            assert usb.ask(Opcode.INFO).status == OK
        assert (await board.info()).at == 30
        assert usb.ask(Opcode.CLASS_ADD, name("u")).status == OK
        assert await board.classes() == ["u"]

    near.do(work)


def test_a_bluetooth_link_that_breaks_gives_the_board_back_to_usb(near: Range) -> None:
    usb = near.usb()

    async def work(board: Board) -> None:
        async with board.feeding() as feeding:
            await feeding.feed(vibration(30))
            assert usb.ask(Opcode.CLASS_ADD, name("u")).status == BUSY
            near.cut()
            assert usb.ask(Opcode.CLASS_ADD, name("u")).status == OK

    near.do(work)


def test_each_hears_what_the_other_changes(near: Range) -> None:
    usb = near.usb()

    async def work(board: Board) -> list[tuple[int, bool, int, bytes]]:
        await board.add_class("a")
        await board.label("a", 7)
        async with board.stream(changes=True) as events:
            near.sense(vibration(25))
            usb.ask(Opcode.CLASS_ADD, name("u"))
            usb.ask(Opcode.FEED_BEGIN)
            usb.ask(Opcode.FEED, feed(list(vibration(10))))
            usb.ask(Opcode.FEED_END)
            await board.rename_class("u", "v")
            told = [await asyncio.wait_for(anext(events), 5.0) for _ in range(4)]
        assert all(isinstance(event, Changed) for event in told)
        return [(e.opcode, e.own, e.at, e.payload) for e in told if isinstance(e, Changed)]

    assert near.do(work) == [
        (Opcode.CLASS_ADD, False, 25, name("u")),
        (Opcode.FEED_BEGIN, False, 25, b""),
        (Opcode.FEED_END, False, 35, b""),
        (Opcode.CLASS_RENAME, True, 35, b"\x01\x00" + name("v")),
    ]
    assert [(change.opcode, change.payload) for change in usb.changes()] == [
        (Opcode.CLASS_ADD, name("a")),
        (Opcode.LABEL, b"\x00\x00\x00\x00\x07\x00\x00\x00"),
        (Opcode.CLASS_RENAME, b"\x01\x00" + name("v")),
    ]


def test_an_image_on_its_way_by_usb_is_not_disturbed(near: Range) -> None:
    usb = near.usb()

    async def work(board: Board) -> bytes:
        await board.add_class("a")
        size = int.from_bytes(usb.ask(Opcode.IMAGE_GET).body[:4], "little")
        with pytest.raises(RefusedError) as refused:
            await board.pull_state()
        assert refused.value.status == BUSY
        image = b""
        while len(image) < size:
            n = min(400, size - len(image))
            asked = len(image).to_bytes(4, "little") + n.to_bytes(4, "little")
            image += usb.ask(Opcode.IMAGE_READ, asked).body
        assert await board.pull_state() == image
        return image

    assert near.do(work) == near.state()
