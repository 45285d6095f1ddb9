"""Rough handling: ports that flood or vanish, signals, kills, and files that are no state."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_runner import PROGRAM, Tinyol
from client_boards import connect_over, free, teach, watched
from small_replay import small_bundle

from tinyol_host import agreement, keeping
from tinyol_host.board import connect
from tinyol_host.cli import waiting
from tinyol_host.errors import LinkError, RebootedError
from tinyol_host.framing import FrameParser, encode_frame
from tinyol_host.kept_state import KeptState
from tinyol_host.timing import Timing
from tinyol_host.transports.stream import MOST_BYTES_A_TURN, StreamTransport
from tinyol_sim.errors import DeviceError
from tinyol_sim.state_image import StateImage

LIMIT_S = 20.0


@pytest.fixture
def tinyol(tmp_path, monkeypatch, capsys) -> Tinyol:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TINYOL_DEVICE", "sim:?model=small.tinyol&speed=50&state=kept.state")
    small_bundle().save("small.tinyol")
    return Tinyol(capsys)


@contextmanager
def started(*words: str, **how) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*PROGRAM, *words], **{"stdout": pipe, "stderr": pipe, "text": True, **how}
    )
    late = threading.Timer(LIMIT_S, process.kill)
    late.start()
    try:
        yield process
    finally:
        late.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


# --- floods -------------------------------------------------------------------------------


class Flood:
    """A byte stream that says the same for ever, at once."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0
        self.closed = False

    def read(self, timeout: float) -> bytes:
        self.reads += 1
        return b"" if self.closed else self.data

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("data", [bytes(4096), b"\1\0" * 2048, b"junk\0" * 20_000])
def test_a_flood_leaves_the_loop_its_turns(data: bytes) -> None:
    async def main() -> None:
        flood = Flood(data)
        transport = StreamTransport(lambda: flood, "flood")
        await transport.open()
        for _ in range(5):
            await asyncio.sleep(0.01)
        turns, before = 50, flood.reads
        for _ in range(turns):
            await asyncio.sleep(0)
        # One hand-over a turn, so nothing piles up behind the loop.
        assert flood.reads - before <= turns + 2
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(transport.receive(), 0.1)
        await asyncio.wait_for(transport.close(), LIMIT_S)
        assert flood.closed

    asyncio.run(main())


def test_a_large_read_is_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    push = FrameParser.push

    def measured(self: FrameParser, data: bytes) -> list[bytes]:
        sizes.append(len(data))
        return push(self, data)

    monkeypatch.setattr(FrameParser, "push", measured)

    async def main() -> None:
        messages = [bytes([i]) * 100 for i in range(200)]
        flood = Flood(b"".join(map(encode_frame, messages)))
        transport = StreamTransport(lambda: flood, "flood")
        await transport.open()
        assert [await transport.receive() for _ in messages] == messages
        await transport.close()

    asyncio.run(main())
    assert max(sizes) == MOST_BYTES_A_TURN


def test_a_loop_that_ends_without_close_ends_the_reader() -> None:
    flood = Flood(bytes(10))
    before = set(threading.enumerate())
    asyncio.run(StreamTransport(lambda: flood, "flood").open())
    for thread in set(threading.enumerate()) - before:
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def test_zeros_between_frames_are_nothing() -> None:
    messages = [b"one", b"two" * 50, b"three"]
    stream = bytes(1000).join([b"", *map(encode_frame, messages), b""])
    for step in (1, 7, 4096):
        parser = FrameParser()
        found = []
        for start in range(0, len(stream), step):
            found += parser.push(stream[start : start + step])
        assert (found, parser.bad_frames) == (messages, 0)


@contextmanager
def flooding_port() -> Iterator[str]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.set_blocking(master, False)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            try:
                os.write(master, bytes(4096))
            except BlockingIOError:
                stop.wait(0.0005)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield path
    finally:
        stop.set()
        thread.join()
        os.close(slave)
        os.close(master)


def test_nobody_answers_behind_a_port_that_floods_zeros() -> None:
    async def main(path: str) -> None:
        with pytest.raises(LinkError, match=r"no reply in 0\.5 s"):
            await connect(f"serial:{path}", timing=Timing(reply_s=0.1, give_up_s=0.5))

    with flooding_port() as path:
        asyncio.run(asyncio.wait_for(main(path), LIMIT_S))


def test_ctrl_c_ends_the_wait_for_a_port_that_floods_zeros() -> None:
    with flooding_port() as path, started("info", "-d", f"serial:{path}") as process:
        while not reads(process.pid, path):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "interrupted\n")
        assert process.returncode == 130


def reads(pid: int, path: str) -> bool:
    """Whether a process has the port open."""
    folder = Path(f"/proc/{pid}/fd")
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(entry) == path:
                    return True
    return False


# --- signals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "word", "words"),
    [
        (signal.SIGTERM, "terminated", ["fine-tune", "100000"]),
        (signal.SIGHUP, "hung up", ["fine-tune", "on"]),
        (signal.SIGTERM, "terminated", ["monitor"]),
    ],
)
def test_told_to_end_it_saves_what_was_learned(tinyol, number, word, words) -> None:
    with started(*words) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)  # for samples
        process.send_signal(number)
        process.send_signal(number)  # as timeout(1) does
        _, err = process.communicate()
        assert (process.returncode, err) == (128 + number, f"{word}\n")
    assert samples_kept() > 0


def samples_kept() -> int:
    return int(StateImage.from_bytes(Path("kept.state").read_bytes()).fields["counters.samples"])


def test_a_hang_up_that_is_ignored_stays_ignored(tinyol) -> None:
    ignore = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
    command = [sys.executable, "-c", ignore + PROGRAM[-1], "fine-tune", "on"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, err) == (0, "")
    assert "off from sample" in out


def test_a_terminal_that_closes_loses_nothing(tinyol) -> None:
    master, slave = pty.openpty()
    how = {"stdin": slave, "stdout": slave, "stderr": slave, "start_new_session": True}
    with started("fine-tune", "100000", **how) as process:
        os.close(slave)
        assert b"fine-tuning" in os.read(master, 1000)
        time.sleep(0.3)  # for samples
        os.close(master)  # whatever is printed from here on fails
        process.send_signal(signal.SIGHUP)
        assert process.wait() == 128 + signal.SIGHUP
    assert samples_kept() > 0


def test_a_recording_is_saved_and_that_is_success(tinyol) -> None:
    with started("record", "-o", "a.csv", "-i", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("class add a\n")
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.2)  # for samples
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate()
        assert (process.returncode, err) == (0, "")
    assert Path("a.csv").exists()


# --- saved on the way ---------------------------------------------------------------------


async def until(is_so: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not is_so():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), LIMIT_S)


@pytest.fixture
def kept(tmp_path, monkeypatch) -> KeptState:
    monkeypatch.setattr(keeping, "SAVE_EVERY_S", 0.01)
    return KeptState(tmp_path / "kept.state")


def test_what_is_learned_is_saved_on_the_way_if_it_changed(kept, monkeypatch) -> None:
    saved: list[bytes] = []
    save = KeptState.save
    monkeypatch.setattr(KeptState, "save", lambda self, i: (saved.append(i), save(self, i))[0])
    link = watched()

    async def main() -> None:
        async with await connect_over(link, kept=kept) as board:
            await teach(board)
            await until(lambda: link.device.state() in saved)
            assert kept.path.read_bytes() == link.device.state()
            count, asked = len(saved), len(link.sent)
            await until(lambda: len(link.sent) > asked + 20)
            assert len(saved) == count

    asyncio.run(main())
    free(kept)


def test_nothing_is_saved_while_it_is_not_meant_to_last(kept) -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link, kept=kept) as board:
            with board.state_not_kept():
                await teach(board)
                await asyncio.sleep(0.1)
                assert not kept.path.exists()
            await until(kept.path.exists)

    asyncio.run(main())


def test_a_restart_on_the_way_is_told_and_does_not_overwrite(kept) -> None:
    link = watched()

    async def main() -> None:
        board = await connect_over(link, kept=kept)
        await teach(board)
        image = link.device.state()
        await until(lambda: kept.path.exists() and kept.path.read_bytes() == image)
        link.reboots_when_cut = True
        link.cut()
        await until(lambda: board.health.reboots == 1)
        link.reboots_when_cut = False
        await asyncio.sleep(0.1)
        with pytest.raises(RebootedError):
            await board.ping()
        await asyncio.sleep(0.1)
        assert kept.path.read_bytes() == image
        with pytest.raises(DeviceError, match="it has restarted"):
            await board.close()

    asyncio.run(main())


def test_a_failure_to_save_is_told_at_the_end(kept, monkeypatch) -> None:
    tries = 0

    def fail(self: KeptState, image: bytes) -> None:
        nonlocal tries
        tries += 1
        raise DeviceError("the disk is full")

    monkeypatch.setattr(KeptState, "save", fail)

    async def main() -> None:
        board = await connect_over(watched(), kept=kept)
        await teach(board)
        await until(lambda: tries > 1)
        await board.ping()
        with pytest.raises(DeviceError, match="the disk is full"):
            await board.close()

    asyncio.run(main())
    free(kept)


def test_a_killed_program_has_saved(tinyol) -> None:
    quick = "from tinyol_host import keeping; keeping.SAVE_EVERY_S = 0.05;"
    command = [sys.executable, "-c", quick + PROGRAM[-1], "fine-tune", "on"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        asyncio.run(until(lambda: Path("kept.state").exists() and samples_kept() > 0))
        process.kill()
    tinyol.done("info")  # and it is taken over


# --- files that are no state --------------------------------------------------------------


@pytest.fixture
def odd_file(tmp_path, request) -> str:
    path = tmp_path / "odd"
    if request.param == "fifo":
        os.mkfifo(path)
    elif request.param == "large":
        with path.open("wb") as file:
            file.truncate(1 << 30)
    else:
        path.symlink_to("/dev/zero")
    return request.param


@pytest.mark.parametrize("odd_file", ["fifo", "large", "device"], indirect=True)
def test_a_file_that_cannot_be_a_state_is_refused(tinyol, odd_file) -> None:
    what = "too large" if odd_file == "large" else "no regular file"
    for words in (
        ["info", "-d", "sim:?model=small.tinyol&state=odd"],
        ["reset", "-y", "-d", "sim:?model=small.tinyol&state=odd"],
        ["state", "show", "odd"],
        ["state", "diff", "odd", "odd"],
        ["state", "push", "-y", "odd"],
    ):
        assert re.match(rf"error: odd: .*{what}", tinyol.refused(*words))


def test_reset_moves_a_damaged_state_aside(tinyol) -> None:
    path = Path("kept.state")
    for name in ("kept.state.bad", "kept.state.bad.2"):
        path.write_bytes(damage := f"no state, for {name}".encode() * 3)
        assert "tinyol reset" in tinyol.refused("info")
        status, out, err = tinyol("reset", "-y")
        assert (status, out) == (0, "reset: nothing learned from sample 0 on\n")
        assert re.match(rf"warning: kept.state: .*refused.* now {name}, ", err)
        assert Path(name).read_bytes() == damage
        tinyol.done("info")


def test_reset_leaves_the_state_of_another_model_alone(tinyol) -> None:
    small_bundle(seed=1).save("other.tinyol")
    tinyol.done("reset", "-y", "-d", "sim:?model=other.tinyol&state=kept.state")
    before = Path("kept.state").read_bytes()
    assert "another model" in tinyol.refused("reset", "-y")
    assert Path("kept.state").read_bytes() == before


def test_reset_asks_before_it_moves_a_damaged_state(tinyol, monkeypatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("tinyol_host.cli.asking.can_ask", lambda: True)
    monkeypatch.setattr("click.confirm", lambda text, err: asked.append(text))
    Path("kept.state").write_bytes(b"damaged" * 10)
    assert tinyol("reset")[0] == 1
    assert "keep that file as .bad?" in asked[0]
    assert Path("kept.state").read_bytes() == b"damaged" * 10


# --- ports without a board ----------------------------------------------------------------


def test_a_port_that_vanishes_at_once_is_named(monkeypatch) -> None:
    monkeypatch.setattr(agreement, "_GONE_S", 0.2)
    master, slave = pty.openpty()
    path = os.ttyname(slave)

    async def main() -> None:
        connecting = asyncio.ensure_future(connect(f"serial:{path}"))
        await asyncio.to_thread(os.read, master, 1)  # the first request: it is open
        os.close(slave)
        os.close(master)
        with pytest.raises(LinkError, match=f"the port has disappeared: {path}"):
            await asyncio.wait_for(connecting, 5)

    asyncio.run(main())


def test_at_a_terminal_it_says_what_it_waits_for(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "AFTER_S", 0.05)
    monkeypatch.setattr(waiting, "is_terminal", lambda stream: True)

    async def main(seconds: float) -> None:
        with waiting.waiting_for("serial:/dev/[red]"):
            await asyncio.sleep(seconds)

    for seconds, told in ((0.3, True), (0, False)):
        shown = io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", shown)
            patch.setenv("FORCE_COLOR", "1")
            asyncio.run(main(seconds))
        assert ("waiting for serial:/dev/[red]" in shown.getvalue()) == told


def test_a_pipe_hears_nothing_of_it(tinyol, monkeypatch) -> None:
    monkeypatch.setattr(waiting, "AFTER_S", 0.0)
    tinyol.done("info")
