"""Where a simulated board's samples come from, how they are fed, and what is kept of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from small_models import int8_bundle

from tinyol_host.errors import LinkError, RefusedError
from tinyol_host.kept_state import KeptState, default_path
from tinyol_host.sample_source import SampleSource, open_source
from tinyol_host.source_feeder import SourceFeeder
from tinyol_host.transports.opening import transport_for
from tinyol_host.uri import parse_uri
from tinyol_sim.bundle import default_bundle
from tinyol_sim.errors import BundleError, DeviceError, RecordingError, TinyOLError
from tinyol_sim.recordings import Recording, write_recording
from tinyol_sim.synth import MODES, synthesize

Samples = NDArray[np.float32]


def recording(n: int = 10, rate_hz: float = 119.0, gaps: tuple[int, ...] = ()) -> Recording:
    return Recording(
        samples=np.arange(3 * n, dtype=np.float32).reshape(n, 3) / 64,
        rate_hz=rate_hz,
        labels=np.full(n, -1, np.int16),
        label_names=(),
        gaps=np.array(gaps, np.int64),
        name="counting",
    )


def opened(spec: str, rate_hz: float | None = None) -> SampleSource:
    source = open_source(spec, rate_hz=rate_hz)
    assert source is not None
    return source


def counting_source(rate_hz: float) -> SampleSource:
    """Rising numbers, a new stretch every 50."""
    numbers = np.arange(150_000, dtype=np.float32)
    stretches = np.stack([numbers] * 3, axis=1).reshape(-1, 50, 3)
    return SampleSource("counting", rate_hz, stretches.__getitem__, [50])


# --- sources ------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["synth:normal+stuck", "recording"])
@pytest.mark.parametrize("index", [0, 3, 9, 10, 23, 2 * 2380 + 7])
def test_a_source_goes_on_where_it_would_be(tmp_path: Path, spec: str, index: int) -> None:
    if spec == "recording":
        spec = str(tmp_path / "a.npz")
        write_recording(recording(10, gaps=(4,)), spec)
    whole, later = opened(spec), opened(spec)
    samples = np.empty((0, 3), np.float32)
    while len(samples) < index + 20:
        samples = np.concatenate([samples, whole.take(100)[0]])
    later.begin_at(index)
    first, gap = later.take(1)
    second, _ = later.take(1)
    assert gap
    assert np.array_equal(np.concatenate([first, second]), samples[index : index + 2])


def test_a_recording_is_repeated_with_a_gap_at_each_turn_and_at_its_own(tmp_path: Path) -> None:
    original = recording(10, gaps=(4,))
    write_recording(original, tmp_path / "a.npz")
    source = opened(str(tmp_path / "a.npz"))
    assert source.rate_hz == 119.0
    taken = [source.take(3) for _ in range(8)]
    assert [(len(samples), gap) for samples, gap in taken] == [
        (3, True), (1, False), (3, True), (3, False),
    ] * 2  # fmt: skip
    joined = np.concatenate([samples for samples, _ in taken])
    np.testing.assert_array_equal(joined, np.tile(original.samples, (2, 1)))


def test_a_fan_goes_through_all_modes_and_then_on() -> None:
    source = opened("synth")
    assert source.rate_hz == 119.0
    for turn in range(2):
        for i, mode in enumerate(MODES):
            parts = [source.take(2000), source.take(2000)]
            assert [gap for _, gap in parts] == [True, False]
            expected = synthesize(mode, 20.0, seed=3 * turn + i).samples
            np.testing.assert_array_equal(np.concatenate([s for s, _ in parts]), expected)


def test_the_modes_of_a_fan_can_be_chosen() -> None:
    source = opened("synth:tilted+normal", rate_hz=100.0)
    for seed, mode in enumerate(("tilted", "normal", "tilted")):
        expected = synthesize(mode, 20.0, rate_hz=100.0, seed=seed).samples
        np.testing.assert_array_equal(source.take(10_000)[0], expected)
    with pytest.raises(DeviceError, match=r"no mode 'bent', but normal, stuck, tilted"):
        open_source("synth:normal+bent", rate_hz=None)
    with pytest.raises(DeviceError, match=r"no mode ''"):
        open_source("synth:", rate_hz=None)


def test_a_recording_of_another_rate_or_without_samples_is_refused(tmp_path: Path) -> None:
    write_recording(recording(rate_hz=100.0), tmp_path / "slow.npz")
    with pytest.raises(RecordingError, match=r"slow.npz has 100 Hz, but the model is for 119 Hz"):
        open_source(str(tmp_path / "slow.npz"), rate_hz=119.0)
    (tmp_path / "empty.csv").write_text("# rate_hz=119\nx,y,z\n")
    with pytest.raises(RecordingError, match=r"empty.csv.* no sample"):
        open_source(str(tmp_path / "empty.csv"), rate_hz=119.0)
    with pytest.raises(RecordingError, match=r"absent.csv"):
        open_source(str(tmp_path / "absent.csv"), rate_hz=119.0)


def test_a_recording_that_states_no_rate_has_the_models(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("x,y,z\n0.1,0.2,0.9\n0.1,0.3,0.8\n")
    assert opened(str(tmp_path / "bare.csv"), rate_hz=200.0).rate_hz == 200.0
    with pytest.raises(RecordingError, match="rate"):
        open_source(str(tmp_path / "bare.csv"), rate_hz=None)


# --- the way to a device ------------------------------------------------------------------


def test_the_model_is_the_one_that_ships_for_the_sources_rate(tmp_path: Path) -> None:
    write_recording(recording(rate_hz=100.0), tmp_path / "slow.npz")
    way = transport_for(parse_uri(f"emu:?source={tmp_path}/slow.npz&speed=4"))
    assert way.bundle is not None
    assert way.source is not None
    assert way.kept_state is not None
    assert way.bundle.model_id == default_bundle(100.0).model_id
    assert (way.source.rate_hz, way.source.speed) == (100.0, 4.0)
    assert way.kept_state.path.name == f"emu-{way.bundle.model_id}.state"
    assert way.ends_with_link
    write_recording(recording(rate_hz=250.0), tmp_path / "fast.npz")
    with pytest.raises(BundleError, match=r"fast.npz has 250 Hz.*119 and 100 Hz.*model=PATH"):
        transport_for(parse_uri(f"emu:?source={tmp_path}/fast.npz"))


def test_a_model_of_ones_own_sets_the_fans_rate(tmp_path: Path) -> None:
    bundle = int8_bundle(rate_hz=64.0)
    bundle.save(tmp_path / "own.tinyol")
    way = transport_for(parse_uri(f"emu:?model={tmp_path}/own.tinyol&state={tmp_path}/a.state"))
    assert way.bundle is not None
    assert way.source is not None
    assert way.kept_state is not None
    assert way.bundle.model_id == bundle.model_id
    assert (way.source.rate_hz, way.source.speed) == (64.0, 1.0)
    assert way.kept_state.path == tmp_path / "a.state"
    with pytest.raises(BundleError, match=r"absent.tinyol: cannot be read"):
        transport_for(parse_uri(f"emu:?model={tmp_path}/absent.tinyol"))


def test_source_and_state_can_be_left_out() -> None:
    way = transport_for(parse_uri("emu:?source=none&state=none"))
    assert (way.source, way.kept_state) == (None, None)
    assert way.bundle is not None
    assert way.bundle.model_id == default_bundle(119.0).model_id
    assert transport_for(parse_uri("emu:"), source=False).source is None
    way = transport_for(parse_uri("serial:/dev/ttyACM0"))
    assert (way.source, way.kept_state, way.bundle) == (None, None, None)
    assert not way.ends_with_link
    assert way.transport.name == "serial:/dev/ttyACM0"


# --- what is kept -------------------------------------------------------------------------


def test_what_was_saved_is_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "a.state"
    kept = KeptState(path)
    assert not path.parent.exists()
    assert kept.load() is None
    kept.save(b"first")
    kept.save(b"second")
    kept.release()
    kept.release()
    again = KeptState(path)
    assert again.load() == b"second"
    again.release()


def test_one_process_has_it_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    kept = KeptState(path)
    kept.save(b"mine")
    script = (
        "import sys\nfrom tinyol_host.kept_state import KeptState\n"
        "from tinyol_sim.errors import DeviceError\n"
        "try: KeptState(sys.argv[1]).lock()\n"
        "except DeviceError as error: sys.exit(str(error))\n"
    )

    def other() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(path)]
        return subprocess.run(command, capture_output=True, text=True)

    refused = other()
    assert refused.returncode == 1
    assert "a.state: another process is running this board" in refused.stderr
    assert "state=none" in refused.stderr
    with pytest.raises(DeviceError, match="another process"):
        KeptState(path).save(b"theirs")
    kept.release()
    assert other().returncode == 0
    assert path.read_bytes() == b"mine"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DeviceError, match=r"a.state: .*cannot be kept there.*state=none"):
        KeptState(tmp_path / "file" / "a.state").load()
    (tmp_path / "folder.state").mkdir()
    kept = KeptState(tmp_path / "folder.state")
    with pytest.raises(DeviceError, match=r"folder.state: cannot be read"):
        kept.load()
    kept.release()


def test_the_default_place_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path("sim", "0123") == tmp_path / "tinyol" / "sim-0123.state"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_path("emu", "0123") == Path("/home/somebody/.local/state/tinyol/emu-0123.state")


# --- feeding ------------------------------------------------------------------------------


class Board:
    """Counts what it is fed, and that nobody feeds outside of a feeding."""

    def __init__(self) -> None:
        self.fed: list[float] = []
        self.gaps: list[int] = []
        self.feedings = 0
        self.open = False
        self.error: TinyOLError | None = None  # of the next feed
        self.slow = asyncio.Event()
        self.slow.set()
        self.busy = False

    @asynccontextmanager
    async def feeding(self) -> AsyncIterator[Board]:
        assert not self.open
        self.open = True
        self.feedings += 1
        try:
            yield self
        finally:
            self.open = False

    async def feed(self, samples: Samples, gap: bool = False) -> int:
        assert self.open
        self.busy = True
        await self.slow.wait()
        self.busy = False
        error, self.error = self.error, None
        if error is not None:
            raise error
        if gap:
            self.gaps.append(len(self.fed))
        self.fed += samples[:, 0].tolist()
        return 0


class Clock:
    """The event loop's, which can be made to jump."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        original, self._ahead_s = loop.time, 0.0
        self.now = lambda: original() + self._ahead_s
        loop.time = self.now  # type: ignore[method-assign]

    def jump(self, seconds: float) -> None:
        self._ahead_s += seconds


async def until(condition: Callable[[], bool], limit_s: float = 8.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        await asyncio.sleep(0.002)


def test_samples_arrive_in_order_without_a_hole() -> None:
    async def scenario() -> None:
        board = Board()
        feeder = SourceFeeder(board.feeding, counting_source(5000.0))
        feeder.start()
        feeder.start()
        await until(lambda: len(board.fed) > 1000)
        await feeder.stop()
        await feeder.stop()
        assert board.feedings == 1
        assert not board.open
        n = len(board.fed)
        assert board.fed == list(range(n))
        assert board.gaps == list(range(0, n, 50))
        assert feeder.error is None
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


def test_the_pace_is_the_sources_times_its_speed() -> None:
    async def scenario() -> None:
        clock = Clock()
        board = Board()
        source = counting_source(500.0)
        source.speed = 4.0
        feeder = SourceFeeder(board.feeding, source)
        began = clock.now()
        feeder.start()
        await until(lambda: board.open)
        clock.jump(0.4)
        await until(lambda: len(board.fed) >= 800)
        elapsed_s = clock.now() - began
        assert len(board.fed) <= elapsed_s * 2000
        assert elapsed_s < 1.5  # at another speed it is 1.6 s, or the line above fails
        await feeder.stop()

    asyncio.run(scenario())


def test_a_pause_waits_for_what_is_under_way_and_leaves_the_board_alone() -> None:
    async def scenario() -> None:
        board = Board()
        feeder = SourceFeeder(board.feeding, counting_source(5000.0))
        feeder.start()
        await until(lambda: len(board.fed) > 100)
        board.slow.clear()
        await until(lambda: board.busy)
        pausing = asyncio.ensure_future(feeder.pause())
        await asyncio.sleep(0.02)
        assert not pausing.done()
        board.slow.set()
        await pausing
        assert not board.open
        await feeder.pause()  # a second one
        n = len(board.fed)
        feeder.resume()
        await asyncio.sleep(0.15)
        assert len(board.fed) == n
        feeder.resume()
        await until(lambda: len(board.fed) > n + 100)
        await feeder.stop()
        assert board.feedings == 2

    asyncio.run(scenario())


def test_a_pause_before_the_start_holds() -> None:
    async def scenario() -> None:
        board = Board()
        feeder = SourceFeeder(board.feeding, counting_source(5000.0))
        feeder.start()
        await feeder.pause()
        await asyncio.sleep(0.1)
        assert board.fed == []
        await feeder.stop()
        assert board.feedings == 0

    asyncio.run(scenario())


def test_a_cancelled_pause_is_no_pause() -> None:
    async def scenario() -> None:
        board = Board()
        feeder = SourceFeeder(board.feeding, counting_source(5000.0))
        board.slow.clear()
        feeder.start()
        await until(lambda: board.busy)
        pausing = asyncio.ensure_future(feeder.pause())
        await asyncio.sleep(0.01)
        pausing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pausing
        board.slow.set()
        await until(lambda: len(board.fed) > 100)
        await feeder.stop()

    asyncio.run(scenario())


def test_a_board_that_was_slow_is_not_chased() -> None:
    async def scenario() -> None:
        clock = Clock()
        board = Board()
        feeder = SourceFeeder(board.feeding, counting_source(1000.0))
        board.slow.clear()
        feeder.start()
        await until(lambda: board.busy)
        clock.jump(60.0)
        released = clock.now()
        board.slow.set()
        await asyncio.sleep(0.3)
        # Half a second's worth is made up for, and the piece that it had in hand.
        assert len(board.fed) <= 500 + 100 + (clock.now() - released) * 1000
        await until(lambda: len(board.fed) > 700)
        assert board.fed == list(range(len(board.fed)))
        await feeder.stop()

    asyncio.run(scenario())


def test_after_a_refusal_it_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyol_host.source_feeder.RETRY_S", 0.01)

    async def scenario() -> None:
        board = Board()
        board.error = RefusedError(-3, "feeding")
        feeder = SourceFeeder(board.feeding, counting_source(5000.0))
        feeder.start()
        await until(lambda: len(board.fed) > 10)
        await feeder.stop()
        assert board.feedings == 2

    asyncio.run(scenario())


def test_a_lost_link_ends_it_and_is_remembered() -> None:
    async def scenario() -> None:
        board = Board()
        board.error = LinkError("cut")
        feeder = SourceFeeder(board.feeding, counting_source(5000.0))
        feeder.start()
        await until(lambda: feeder.error is not None)
        assert str(feeder.error) == "cut"
        await asyncio.wait_for(feeder.pause(), 1.0)  # nothing to wait for
        await feeder.stop()

    asyncio.run(scenario())


def test_stop_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyol_host.source_feeder.STOP_S", 0.05)

    async def scenario() -> None:
        board = Board()
        feeder = SourceFeeder(board.feeding, counting_source(5000.0))
        board.slow.clear()
        feeder.start()
        await until(lambda: board.busy)
        await asyncio.wait_for(feeder.stop(), 5.0)
        assert not board.open

    asyncio.run(scenario())


def test_an_error_in_the_feeder_itself_is_not_hidden() -> None:
    async def scenario() -> None:
        def broken() -> AbstractAsyncContextManager[Board]:
            raise ZeroDivisionError

        feeder = SourceFeeder(broken, counting_source(100.0))
        feeder.start()
        await asyncio.sleep(0.01)
        with pytest.raises(ZeroDivisionError):
            await feeder.stop()

    asyncio.run(scenario())
