"""A board without a model, and one whose sensor fails: what the client makes of them."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_runner import Tinyol, with_small_model
from small_replay import small_bundle

import tinyol_host.board
from tinyol_host.board import Board, connect
from tinyol_host.errors import NEEDS_MODEL
from tinyol_host.events import Samples
from tinyol_host.hardware import SensorState
from tinyol_host.live_recording import LiveRecording
from tinyol_host.transports.opening import Way
from tinyol_host.transports.sim import SimTransport, _now_ms
from tinyol_sim._core import lib
from tinyol_sim.commands import Label
from tinyol_sim.errors import DeviceError
from tinyol_sim.recordings import read_recording
from tinyol_sim.synth import synthesize

BARE = "sim:?model=none&speed=20"


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    with_small_model(tmp_path, monkeypatch, BARE)
    return Tinyol(capsys)


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimTransport]:
    """Every address then leads to this device, which goes on when nobody is connected."""

    def plug(device: SimTransport) -> SimTransport:
        way = Way(device, None, None, None, ends_with_link=False)
        monkeypatch.setattr(tinyol_host.board, "transport_for", lambda *_, **__: way)
        return device

    return plug


def fail(device: SimTransport, sensor: int, dropped: int = 0) -> None:
    lib.tinyol_board_set_hardware(device._board, sensor, dropped, 0, 0)


# --- without a model ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "monitor --seconds 1",
        "label a --add",
        "label a --back 5",
        "label -",
        "classes",
        "classes weight a 2",
        "relearn a",
        "unknown",
        "unknown name last a",
        "calibrate",
        "calibrate --stop",
        "set --preset paper",
        "fine-tune 5",
        "metrics",
        "set",
        "reset --yes",
        "state pull a.state",
        "verify",
    ],
)
def test_what_needs_a_model_says_so_in_one_sentence(tinyol: Tinyol, words: str) -> None:
    assert tinyol.refused(*words.split()) == f"error: {NEEDS_MODEL}\n"
    assert not Path("a.state").exists()


def test_info_tells_that_there_is_no_model_and_what_to_do(tinyol: Tinyol) -> None:
    assert "tinyol flash --model" in tinyol.done("info")
    facts = json.loads(tinyol.done("info", "--json"))
    assert facts["model"] is None
    assert facts["board"]["sensor"] == "running"
    assert facts["board"]["sensor_hz"] == 119
    assert facts["learned"]["classes"] == []


def test_its_arithmetic_is_tested_all_the_same(tinyol: Tinyol) -> None:
    said = tinyol.done("self-test")
    assert "passed" in said
    assert "the board has no model" in said


def test_its_samples_are_recorded_as_they_are(tinyol: Tinyol) -> None:
    status, _, err = tinyol("record", "-o", "a.npz", "--seconds", "3", "--label", "normal")
    assert status == 0
    assert "no model" in err
    found = read_recording("a.npz")
    assert (found.rate_hz, found.n_samples, found.label_names) == (119.0, 357, ("normal",))
    assert (found.labels == 0).all()
    assert not len(found.gaps)
    source = synthesize("normal", 20.0, rate_hz=119.0).samples
    starts = np.flatnonzero((source == found.samples[0]).all(axis=1))
    assert any(np.array_equal(source[at : at + 357], found.samples) for at in starts)


def test_a_session_of_it_is_refused_and_nothing_written(tinyol: Tinyol) -> None:
    assert "no model" in tinyol.refused("record", "--session", "-o", "ses", "--seconds", "1")
    assert not Path("ses").exists()


def test_without_a_source_it_has_no_sensor_and_nothing_to_record(tinyol: Tinyol) -> None:
    bare = "sim:?model=none&source=none"
    assert "nothing to record" in tinyol.refused("record", "-o", "a.csv", "-d", bare)
    assert not Path("a.csv").exists()
    assert "no sensor" in tinyol.done("info", "-d", bare)


def test_it_keeps_no_state_and_the_emulated_board_always_has_a_model(
    tinyol: Tinyol, tmp_path: Path
) -> None:
    tinyol.done("info")
    assert not (tmp_path / "home").exists()
    status, _, err = tinyol("info", "-d", "emu:?model=none")
    assert (status, "sim:?model=none" in err) == (2, True)


def test_a_program_cannot_feed_it_but_hears_its_samples() -> None:
    async def main() -> None:
        async with await connect(BARE) as board:
            assert not board.identity.has_model
            with pytest.raises(DeviceError, match="no model"):
                async with board.feeding():
                    pass
            async with board.stream(samples=True) as events:
                async for event in events:
                    if isinstance(event, Samples):
                        return

    asyncio.run(asyncio.wait_for(main(), 10.0))


def test_a_label_that_is_typed_is_refused_and_the_recording_goes_on() -> None:
    async def main() -> None:
        async with await connect(BARE) as board, LiveRecording(board) as live:
            with pytest.raises(DeviceError, match="no model"):
                await live.execute(Label("a"))
            while live.recorder.n_samples < 20:
                await asyncio.sleep(0.01)
            await live.finish()
            assert live.error is None
            assert live.recorder.to_recording("a").label_names == ()

    asyncio.run(asyncio.wait_for(main(), 10.0))


# --- a sensor that fails --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sensor", "says"),
    [
        (SensorState.MISSING, "missing"),
        (SensorState.SILENT, "silent"),
        (SensorState.STUCK, "stuck"),
        (SensorState.WRONG_RATE, "104 samples a second, and its model is for"),
    ],
)
def test_a_failing_sensor_is_told_at_once(
    tinyol: Tinyol, plugged_in: Callable[..., SimTransport], sensor: int, says: str
) -> None:
    fail(plugged_in(SimTransport(small_bundle(), sensor_hz=104.0)), sensor)
    for words in (("monitor", "--seconds", "0.1"), ("label", "a", "--add", "--no-wait")):
        status, _, err = tinyol(*words)
        assert status == 0
        assert err.startswith("warning: the board's sensor ")
        assert says in err


def test_record_tells_it_before_it_waits(
    tinyol: Tinyol,
    plugged_in: Callable[..., SimTransport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tinyol_host.cli.record._SILENCE_S", 0.2)
    fail(plugged_in(SimTransport(small_bundle(), sensor_hz=100.0)), SensorState.SILENT)
    status, _, err = tinyol("record", "-o", "a.csv", "--seconds", "1")
    first, last = err.splitlines()
    assert first.startswith("warning: the board's sensor is silent")
    assert status == 1
    assert "no samples" in last


@pytest.mark.parametrize("sensor", [SensorState.NONE, SensorState.RUNNING])
def test_a_healthy_sensor_is_no_news(
    tinyol: Tinyol, plugged_in: Callable[..., SimTransport], sensor: int
) -> None:
    fail(plugged_in(SimTransport(small_bundle(), sensor_hz=100.0)), sensor)
    assert tinyol.done("monitor", "--seconds", "0.1") == ""


def test_info_shows_what_stands_and_what_the_sensor_dropped(
    tinyol: Tinyol, plugged_in: Callable[..., SimTransport]
) -> None:
    device = plugged_in(SimTransport(small_bundle(), sensor_hz=100.0))
    fail(device, SensorState.RUNNING, dropped=17)
    lib.tinyol_board_set_condition(device._board, 1, 3, b"the last run ended in a fault")
    lib.tinyol_board_set_condition(device._board, 0, 2, b"the model was refused")
    facts = json.loads(tinyol.done("info", "--json"))["board"]
    assert facts["dropped_samples"] == 17
    assert facts["conditions"] == [
        {"level": 2, "text": "the model was refused"},
        {"level": 3, "text": "the last run ended in a fault"},
    ]
    assert "17 samples dropped" in " ".join(tinyol.done("info").split())


def test_what_stands_is_shown_by_monitor_and_record(
    tinyol: Tinyol,
    plugged_in: Callable[..., SimTransport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tinyol_host.cli.record._SILENCE_S", 0.2)
    device = plugged_in(SimTransport(small_bundle(), sensor_hz=100.0))
    lib.tinyol_board_set_condition(device._board, 0, 3, b"the last run ended in a fault")
    told = "the board: error: the last run ended in a fault"
    assert told in tinyol("monitor", "--seconds", "0.3")[2].splitlines()
    assert told in tinyol("record", "-o", "a.csv", "--seconds", "1")[2].splitlines()


# --- found by its LED -----------------------------------------------------------------------


def locating(device: SimTransport) -> bool:
    return bool(lib.tinyol_board_locating(device._board, _now_ms()))


def test_a_board_blinks_until_it_is_told_to_stop(plugged_in: Callable[..., SimTransport]) -> None:
    device = plugged_in(SimTransport(small_bundle(), has_led=True))

    async def main() -> None:
        async with await connect("serial:x") as board:
            assert board.identity.has_led
            await board.locate(5)
            assert locating(device)
            await board.locate(0)
            assert not locating(device)
            with pytest.raises(DeviceError, match="0 to 255"):
                await board.locate(256)

    asyncio.run(main())


def test_locate_returns_when_the_time_is_over(
    tinyol: Tinyol, plugged_in: Callable[..., SimTransport]
) -> None:
    device = plugged_in(SimTransport(small_bundle(), has_led=True))
    assert "1 s" in tinyol.done("locate", "--seconds", "1")
    assert not locating(device)


def test_ctrl_c_stops_the_blinking(
    tinyol: Tinyol, plugged_in: Callable[..., SimTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = plugged_in(SimTransport(small_bundle(), has_led=True))
    asked: list[int] = []
    locate = Board.locate

    async def located(self: Board, seconds: int) -> None:
        await locate(self, seconds)
        asked.append(seconds)
        if seconds:
            asyncio.get_running_loop().call_later(0.2, signal.raise_signal, signal.SIGINT)

    monkeypatch.setattr(Board, "locate", located)
    status, _, err = tinyol("locate", "--seconds", "60")
    assert (status, err) == (0, "")
    assert asked == [60, 0]
    assert not locating(device)
