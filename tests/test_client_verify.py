"""`tinyol verify`: it says "identical" of the twin's own bits, and finds one bit that is not."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from emulator_cases import by_each_compiler, int8_bundle, unicorn
from image_surgery import patched, sections_of
from small_replay import recording, small_bundle

from tinyol_host import verify as verify_module
from tinyol_host.board import Board, connect
from tinyol_host.cli.verify import verify
from tinyol_host.errors import LinkError
from tinyol_host.events import Prediction
from tinyol_host.recorder import Recorder
from tinyol_host.transports import emu
from tinyol_host.verify import Verdict, verify_recording, verify_session
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import (
    AddClass,
    Command,
    FineTune,
    Gap,
    Label,
    LabelBack,
    Reset,
    apply_to_twin,
)
from tinyol_sim.errors import DeviceError, RecordingError
from tinyol_sim.recordings import write_recording
from tinyol_sim.script import Script, run_on_twin, script_of
from tinyol_sim.session_record import SessionRecord
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin

STREAM = recording(
    [("normal", 300), (None, 600), ("loud", 300), ("normal", 300)], gaps=[44, 900, 1210]
)
SCRIPT = script_of(STREAM, fine_tune=80)


@pytest.fixture(autouse=True)
def _no_state_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "kept"))
    monkeypatch.delenv("TINYOL_DEVICE", raising=False)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A board of its own with the small bundle."""
    small_bundle().save(tmp_path / "small.tinyol")
    return f"sim:?model={tmp_path / 'small.tinyol'}&source=none&state=none"


def on_board(uri: str, work: Callable[[Board], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with await connect(uri, source=False) as board:
            return await work(board)

    return asyncio.run(main())


def verdict_on(uri: str, bundle: Bundle, script: Script = SCRIPT) -> Verdict:
    verdict = on_board(uri, lambda board: verify_recording(board, bundle, script))
    assert isinstance(verdict, Verdict)
    return verdict


def without_gaps(image: bytes) -> bytes:
    """Feeding makes gaps, and they are counted."""
    return patched(image, b"COUN", 16, bytes(4))


def one_bit_off(image: bytes, tag: bytes, weight: int) -> bytes:
    """The image with the last bit of one weight flipped."""
    (bits,) = struct.unpack_from("<I", dict(sections_of(image))[tag], 24 + 4 * weight)
    return patched(image, tag, 24 + 4 * weight, struct.pack("<I", bits ^ 1))


def next_float32(value: float) -> float:
    return float(np.nextafter(np.float32(value), np.float32(9)))


# --- recordings ------------------------------------------------------------------------------


def test_the_board_in_this_process_is_the_twin(uri: str) -> None:
    twin = Twin(small_bundle())
    windows = run_on_twin(twin, SCRIPT)
    verdict = verdict_on(uri, small_bundle())
    assert verdict == Verdict(
        identical=True,
        windows=len(windows),
        updates=int(windows.learned.sum() + windows.fine_tuned.sum()),
        state_crc=int.from_bytes(twin.state[-4:], "little"),
    )
    assert windows.learned.sum() > 50
    assert windows.fine_tuned.sum() == 80


@by_each_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_the_emulated_board_is_too(tmp_path: Path, compiler: str, machine: str) -> None:
    int8_bundle().save(tmp_path / "int8.tinyol")
    options = f"model={tmp_path / 'int8.tinyol'}&source=none&state=none&compiler={compiler}"
    verdict = verdict_on(f"emu:?{options}&machine={machine}", int8_bundle())
    assert verdict.identical, verdict
    assert verdict.unheard == 0
    assert verdict.updates > 100


@by_each_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_a_build_that_fuses_multiply_and_add_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str, machine: str
) -> None:
    fused = ["-DTINYOL_TEST_FUSED", "-ffp-contract=fast"]
    if compiler == "zig":  # clang thinks VFMA slow on a Cortex-M4, and has to be talked into it
        fused.append("-mcpu=cortex_m4+vfp4d16sp-slowfpvfmx")
    monkeypatch.setattr(emu, "build_image", partial(emu.build_image, extra=fused))
    int8_bundle().save(tmp_path / "int8.tinyol")
    options = f"model={tmp_path / 'int8.tinyol'}&source=none&state=none&compiler={compiler}"
    verdict = verdict_on(f"emu:?{options}&machine={machine}", int8_bundle())
    assert not verdict.identical
    assert verdict.difference is not None
    assert "device" in verdict.difference
    assert "(0x" in verdict.difference
    assert "state, device against twin: " in verdict.difference


def test_another_start_value_is_named(uri: str) -> None:
    """The model id says what is computed, not where learning starts."""

    async def work(board: Board) -> Verdict:
        reset = board.reset

        async def reset_elsewhere() -> Any:
            effect = await reset()
            await board.push_state(one_bit_off(await board.pull_state(), b"RECO", 2 * 7 + 3))
            return effect

        board.reset = reset_elsewhere  # type: ignore[method-assign]
        return await verify_recording(board, small_bundle(), SCRIPT)

    verdict = on_board(uri, work)
    assert not verdict.identical
    assert "other start values" in verdict.difference
    assert "reconstruction.weights[2, 3]: " in verdict.difference
    assert verdict.difference.count("(0x") == 2


@pytest.mark.parametrize("at", [900, STREAM.n_samples])
def test_one_bit_of_one_weight_is_named_with_its_class(uri: str, at: int) -> None:
    """Also where no prediction has been made with it."""
    steps: list[tuple[int, Command]] = [
        (0, AddClass("normal")), (0, Label("normal")), (300, AddClass("loud")),
        (300, Label("loud")), (600, Label(None)), (at, AddClass("late")),
    ]  # fmt: skip
    gaps = np.array([900]) if at == 900 else np.empty(0, np.int64)
    script = Script(STREAM.samples, gaps, tuple(steps))

    async def work(board: Board) -> Verdict:
        execute = board.execute

        async def execute_and_change(command: Command) -> Any:
            effect = await execute(command)
            if command == AddClass("late"):
                image = await board.pull_state()
                n_features = Twin(small_bundle()).n_features
                await board.push_state(one_bit_off(image, b"SOFT", n_features + 2))
            return effect

        board.execute = execute_and_change  # type: ignore[method-assign]
        return await verify_recording(board, small_bundle(), script)

    verdict = on_board(uri, work)
    assert not verdict.identical
    assert "softmax.weights[1, 2] (class 'loud'): " in verdict.difference
    assert verdict.difference.count("(0x") >= 2


def test_a_prediction_that_differs_is_named_by_window_and_field(uri: str) -> None:
    async def work(board: Board) -> Verdict:
        changed_predictions(board, lambda event: (
            replace(event, tuned_error=next_float32(event.tuned_error))
            if event.window_index == 60
            else event
        ))  # fmt: skip
        return await verify_recording(board, small_bundle(), SCRIPT)

    verdict = on_board(uri, work)
    assert not verdict.identical
    assert verdict.windows == 60
    assert verdict.difference.startswith("window 60: tuned_error: device ")
    assert verdict.difference.count("(0x") == 2  # the state itself is the same


def test_windows_of_the_boards_own_samples_are_none_of_the_recordings(uri: str) -> None:
    async def main() -> Verdict:
        own = uri.replace("source=none", "source=synth:normal&speed=50")
        async with await connect(own) as board:
            stream = board.stream

            @asynccontextmanager
            async def slow(**wanted: bool) -> Any:
                async with stream(**wanted) as events:
                    await asyncio.sleep(0.3)  # some fifty windows
                    yield events

            board.stream = slow  # type: ignore[method-assign]
            return await verify_recording(board, small_bundle(), SCRIPT)

    assert asyncio.run(main()).difference is None


def test_what_a_lasting_board_had_learned_is_in_a_file_meanwhile(uri: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "tinyol"

    async def work(board: Board) -> Verdict:
        board.ends_with_link = False
        before = await teach(board)
        seen = []

        def looked_at(*numbers: int) -> None:
            seen.extend(path.read_bytes() for path in kept.glob("before-verify-*.state"))

        verdict = await verify_recording(board, small_bundle(), SCRIPT, looked_at)
        assert set(map(without_gaps, seen)) == {without_gaps(before)}
        return verdict

    assert on_board(uri, work).identical
    assert not list(kept.iterdir())


def test_predictions_that_are_lost_on_the_way_are_counted(uri: str) -> None:
    async def work(board: Board) -> Verdict:
        changed_predictions(board, lambda event: event if event.window_index % 10 else None)
        return await verify_recording(board, small_bundle(), SCRIPT)

    twin = Twin(small_bundle())
    n = len(run_on_twin(twin, SCRIPT))
    verdict = on_board(uri, work)
    assert verdict.identical
    assert (verdict.windows, verdict.unheard) == (n - (n + 9) // 10, (n + 9) // 10)


def changed_predictions(board: Board, change: Callable[[Prediction], Prediction | None]) -> None:
    """The board's predictions pass through `change`; None = lost."""
    stream = board.stream

    class Changing:
        def __init__(self, events: Any) -> None:
            self.events = events

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            while True:
                event = await anext(self.events)
                event = change(event) if isinstance(event, Prediction) else event
                if event is not None:
                    return event

    @asynccontextmanager
    async def changing(**wanted: bool) -> Any:
        async with stream(**wanted) as events:
            yield Changing(events)

    board.stream = changing  # type: ignore[method-assign]


def test_a_command_that_only_one_side_refuses_is_a_difference(uri: str) -> None:
    async def work(board: Board) -> Verdict:
        add_class = board.add_class

        async def refuse(name: str) -> Any:
            if name == "loud":
                return await add_class("")
            return await add_class(name)

        board.add_class = refuse  # type: ignore[method-assign]
        return await verify_recording(board, small_bundle(), SCRIPT)

    verdict = on_board(uri, work)
    assert not verdict.identical
    assert "class add loud: the device refuses it" in verdict.difference


def test_a_command_that_both_refuse_is_an_error(uri: str) -> None:
    script = Script(STREAM.samples, steps=tuple((0, AddClass(name)) for name in "abcde"))
    with pytest.raises(DeviceError, match="all 4 classes of this model are taken"):
        verdict_on(uri, small_bundle(), script)


def test_a_model_that_is_not_the_devices_is_refused_with_both_ids(uri: str) -> None:
    other = small_bundle(seed=1)
    with pytest.raises(DeviceError, match=f"{small_bundle().model_id}.*{other.model_id}"):
        verdict_on(uri, other)


# --- the board's earlier state ---------------------------------------------------------------


async def teach(board: Board) -> bytes:
    """Something to lose; the state image."""
    await board.add_class("old")
    await board.label("old")
    async with board.feeding() as feeding:
        await feeding.feed(STREAM.samples[:200])
    return await board.pull_state()


@pytest.mark.parametrize("keep", [False, True])
def test_the_earlier_state_comes_back_unless_it_is_to_stay(uri: str, keep: bool) -> None:
    async def work(board: Board) -> tuple[bytes, Verdict, bytes]:
        before = await teach(board)
        verdict = await verify_recording(board, small_bundle(), SCRIPT, keep=keep)
        return before, verdict, await board.pull_state()

    before, verdict, after = on_board(uri, work)
    assert verdict.identical
    if keep:
        assert StateImage.from_bytes(after).fields["classes.names"] == ["normal", "loud"]
        twin = Twin(small_bundle())
        run_on_twin(twin, SCRIPT)
        assert without_gaps(after) == without_gaps(twin.state)
    else:
        assert without_gaps(after) == without_gaps(before)


@pytest.mark.parametrize("how", ["error", "cancel"])
def test_it_comes_back_after_an_error_and_after_ctrl_c(uri: str, how: str) -> None:
    async def work(board: Board) -> tuple[bytes, bytes]:
        before = await teach(board)

        def progress(done: int, total: int) -> None:
            if done > 500:
                if how == "error":
                    raise RuntimeError("of the test")
                task.cancel()

        task = asyncio.ensure_future(verify_recording(board, small_bundle(), SCRIPT, progress))
        with pytest.raises(RuntimeError if how == "error" else asyncio.CancelledError):
            await task
        assert not (await board.info()).feeding
        return before, await board.pull_state()

    before, after = on_board(uri, work)
    assert without_gaps(after) == without_gaps(before)


def test_a_state_that_cannot_come_back_is_kept_in_a_file(uri: str, tmp_path: Path) -> None:
    async def work(board: Board) -> bytes:
        before = await teach(board)

        async def cut(image: bytes, progress: Any = None) -> Any:
            raise LinkError("the cable is out")

        board.push_state = cut  # type: ignore[method-assign]
        with pytest.raises(DeviceError, match=r"the cable is out\. It is kept in .*before-verify"):
            await verify_recording(board, small_bundle(), SCRIPT)
        return before

    before = on_board(uri, work)
    (file,) = (tmp_path / "kept" / "tinyol").glob("before-verify-*.state")
    assert without_gaps(file.read_bytes()) == without_gaps(before)


# --- sessions --------------------------------------------------------------------------------


def a_session(**changes: Any) -> SessionRecord:
    """What a device lived through, lived by a twin."""
    twin = Twin(small_bundle())
    twin.add_class("normal")
    twin.feed(STREAM.samples[:333])
    samples = STREAM.samples[:700].copy()
    samples[50] = np.nan
    commands: tuple[tuple[int, Command], ...] = (
        (0, Gap()), (0, AddClass("loud")), (0, Label("loud", 20)), (400, LabelBack("normal", 3)),
        (650, Label(None)), (700, Gap()),
    )  # fmt: skip
    start = twin.state
    twin.state = start
    run_on_twin(twin, Script(samples, np.array([99, 400]), commands))
    values: dict[str, Any] = {
        "model_id": small_bundle().model_id, "board": "test", "rate_hz": 50.0, "start": start,
        "end": twin.state, "samples": samples, "gaps": np.array([99, 400]), "commands": commands,
    }  # fmt: skip
    return SessionRecord(**{**values, **changes})


def test_a_session_ends_as_the_device_did() -> None:
    verdict = verify_session(a_session(), small_bundle())
    assert verdict.identical
    assert verdict.state_crc == int.from_bytes(a_session().end[-4:], "little")
    assert verdict.windows > 100
    assert verdict.updates > 20


def test_updates_are_those_of_late_lessons_and_before_resets_too(uri: str) -> None:
    """One by one: the counter after each command and each sample."""
    commands: tuple[tuple[int, Command], ...] = (
        (0, AddClass("loud")), (0, Label("loud", 20)), (0, FineTune(30)), (300, Label(None)),
        (400, LabelBack("loud", 7)), (450, Reset()), (450, AddClass("b")), (450, Label("b")),
        (600, Reset()), (600, Reset()), (620, AddClass("c")), (700, LabelBack("c", 5)),
    )  # fmt: skip
    script = Script(STREAM.samples[:700], np.empty(0, np.int64), commands)
    twin = Twin(small_bundle())
    expected, last = 0, 0

    def look() -> None:
        nonlocal expected, last
        counters = twin.counters()
        now = counters["classifier_steps"] + counters["reconstruction_steps"]
        expected, last = expected + max(0, now - last), now

    for index in range(701):
        for _, command in (step for step in commands if step[0] == index):
            apply_to_twin(command, twin)
            look()
        twin.feed(STREAM.samples[index : min(index + 1, 700)])
        look()
    windows = run_on_twin(Twin(small_bundle()), script)
    assert expected == windows.learned.sum() + windows.fine_tuned.sum() + 7 + 5
    record = a_session(
        start=Twin(small_bundle()).state, end=twin.state, samples=script.samples,
        gaps=script.gaps, commands=commands,
    )  # fmt: skip
    assert verify_session(record, small_bundle()).updates == expected
    verdict = verdict_on(uri, small_bundle(), script)
    assert verdict.identical
    assert verdict.updates == expected


def test_a_session_at_another_rate_or_of_another_arithmetic_is_refused() -> None:
    with pytest.raises(RecordingError, match="60 Hz, but its model is for 50 Hz"):
        verify_session(a_session(rate_hz=60.0), small_bundle())
    with pytest.raises(RecordingError, match="arithmetic version 99; this program has 1"):
        verify_session(a_session(meta={"arithmetic_version": 99}), small_bundle())
    assert verify_session(a_session(meta={"arithmetic_version": 1}), small_bundle()).identical


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"commands": a_session().commands[:-1]}, "counters.gaps: "),
        ({"samples": np.nextafter(a_session().samples, np.float32(9))}, "(0x"),
        ({"end": one_bit_off(a_session().end, b"SOFT", 1)}, "weights[0, 1] (class 'normal')"),
        ({"commands": (*a_session().commands, (700, Reset()))}, "counters.samples: 1033"),
    ],
)
def test_a_session_that_went_otherwise_is_found_out(changes: dict[str, Any], field: str) -> None:
    verdict = verify_session(a_session(**changes), small_bundle())
    assert not verdict.identical
    assert verdict.difference is not None
    assert field in verdict.difference


def test_a_session_recorded_from_a_board_is_identical(uri: str) -> None:
    async def work(board: Board) -> SessionRecord:
        await teach(board)
        recorder = Recorder(board.identity)
        async with board.stream(samples=True, changes=True) as events:
            start = await board.begin_session()
            recorder.begin(start.at, await board.classes())
            listening = asyncio.create_task(fold(events, recorder))
            async with board.feeding() as feeding:
                await board.label("old", 9)
                await feeding.feed(STREAM.samples[:301])
                await board.add_class("new")
                await board.fine_tune(20)
                await feeding.feed(STREAM.samples[301:500], gap=True)
                await feeding.feed(np.full((1, 3), np.nan, np.float32))
                await board.label_back("new", 5)
                await feeding.feed(STREAM.samples[500:704])
            end = await board.pull_state()
        listening.cancel()
        return recorder.to_session(start.image, end)

    record = on_board(uri, work)
    verdict = verify_session(record, small_bundle())
    assert verdict.identical, verdict.difference
    assert record.n_samples == 705
    assert verdict.updates > 30


async def fold(events: Any, recorder: Recorder) -> None:
    async for event in events:
        recorder.take(event)


def test_a_session_with_something_missing_proves_nothing() -> None:
    with pytest.raises(RecordingError, match=r"not complete.*: 8 samples were lost"):
        verify_session(a_session(lost=("8 samples were lost",)), small_bundle())


def test_a_session_of_another_model_is_refused() -> None:
    other = small_bundle(seed=1)
    with pytest.raises(RecordingError, match=f"{small_bundle().model_id}.*{other.model_id}"):
        verify_session(a_session(), other)


# --- the command -----------------------------------------------------------------------------


def call(*words: str) -> Result:
    # As main() has it: click keeps the help option that a command is first called with.
    return CliRunner().invoke(verify, list(words), help_option_names=["-h", "--help"])


def test_the_command_over_a_recording(tmp_path: Path, uri: str) -> None:
    write_recording(STREAM, tmp_path / "a.csv")
    result = call(str(tmp_path / "a.csv"), "-d", uri, "--fine-tune", "80")
    assert result.exit_code == 0, result.output
    expected = verdict_on(uri, small_bundle())
    assert result.stdout == (
        f"identical: recording, {expected.windows} windows, {expected.updates} updates,"
        f" state CRC 0x{expected.state_crc:08x}\n"
    )
    result = call(
        str(tmp_path / "a.csv"), "-d", uri, "--no-learn", "--fine-tune", "0", "--json",
        "--set", "statistics.horizon=50",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["identical"], told["what"]) == (True, "recording")
    assert told["device"] == uri
    assert told["updates"] == 0
    assert told["windows"] == expected.windows


def test_the_command_builds_the_board_with_the_model_given(tmp_path: Path) -> None:
    write_recording(STREAM, tmp_path / "a.csv")
    small_bundle().save(tmp_path / "m.tinyol")
    model = str(tmp_path / "m.tinyol")
    result = call(str(tmp_path / "a.csv"), "-m", model, "-d", "sim:?source=none&state=none")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("can_emulate", "rate_hz", "scheme"), [(False, 100.0, "sim"), (True, 119.0, "emu")]
)
def test_without_a_device_it_is_the_emulated_board_if_that_can_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_emulate: bool, rate_hz: float, scheme: str
) -> None:
    seen: list[str] = []

    async def not_this_one(uri: str, **_: Any) -> Board:
        seen.append(uri)
        raise LinkError("not in this test")

    monkeypatch.setattr("tinyol_host.board.connect", not_this_one)
    monkeypatch.setattr("tinyol_host.cli.verify._can_emulate", lambda: can_emulate)
    write_recording(replace(STREAM, rate_hz=rate_hz), tmp_path / "a.csv")
    call(str(tmp_path / "a.csv"))
    monkeypatch.setenv("TINYOL_DEVICE", "serial:/dev/mine")
    call(str(tmp_path / "a.csv"))
    assert seen[0].startswith(f"{scheme}:?model=")
    assert seen[0].endswith(f"fan-{rate_hz:g}hz.tinyol")
    assert seen[1] == "serial:/dev/mine"


def test_the_command_says_what_differs_and_exits_1(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def different(*_: Any, **__: Any) -> Verdict:
        return Verdict(False, 7, 3, 0, "state, device against twin: x: 1 against \x1b[2J2")

    monkeypatch.setattr(verify_module, "verify_recording", different)
    write_recording(STREAM, tmp_path / "a.csv")
    result = call(str(tmp_path / "a.csv"), "-d", uri)
    assert result.exit_code == 1
    assert result.stdout == (
        "different: recording, after 7 windows: state, device against twin: x: 1 against"
        " \\x1b[2J2\n"
    )


def test_the_command_over_a_session_needs_no_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYOL_DEVICE", "serial:/dev/there-is-none")
    small_bundle().save(tmp_path / "m.tinyol")
    model = str(tmp_path / "m.tinyol")
    a_session().save(tmp_path / "s")
    result = call(str(tmp_path / "s"), "-m", model)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("identical: session, ")
    a_session(end=one_bit_off(a_session().end, b"RECO", 0)).save(tmp_path / "t")
    result = call(str(tmp_path / "t"), "-m", model, "--json")
    assert result.exit_code == 1
    assert "reconstruction.weights[0, 0]" in json.loads(result.stdout)["difference"]
    assert "is none of those that ship" in str(call(str(tmp_path / "s")).exception)
    assert call(str(tmp_path / "s"), str(tmp_path / "t")).exit_code == 2
    result = call(str(tmp_path / "s"), "-m", model, "-d", "sim:")
    assert result.exit_code == 2
    assert "leave --device out" in result.output


@pytest.mark.parametrize("left", ["start.state", "end.state"])
def test_a_session_without_its_manifest_is_no_recording(
    tmp_path: Path, uri: str, left: str
) -> None:
    a_session().save(tmp_path / "s")
    (tmp_path / "s" / "session.json").unlink()
    other = {"start.state": "end.state", "end.state": "start.state"}[left]
    (tmp_path / "s" / other).unlink()
    result = call(str(tmp_path / "s"))
    assert isinstance(result.exception, RecordingError)
    assert "s: a broken session: session.json" in str(result.exception)
    assert result.stdout == ""


def test_a_recording_of_another_rate_is_refused(tmp_path: Path, uri: str) -> None:
    write_recording(replace(STREAM, rate_hz=60.0), tmp_path / "a.csv")
    result = call(str(tmp_path / "a.csv"), "-d", uri)
    assert isinstance(result.exception, RecordingError)
    assert "60 Hz" in str(result.exception)
    assert "50 Hz" in str(result.exception)
