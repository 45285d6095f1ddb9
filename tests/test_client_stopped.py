"""Told to end while the link is dead, commands do not wait for it, and tell how the board is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cli_runner import PROGRAM, Tinyol
from client_boards import WatchedLink, connect_over, watched
from faulty_link import QUICK, Fault
from pty_board import PtyBoard
from small_replay import small_bundle

from tinyol_host import clean_up, reply_or_stop
from tinyol_host.cli.countdown import count_down
from tinyol_host.device import Device
from tinyol_host.errors import LinkError, RefusedError
from tinyol_host.protocol import Opcode
from tinyol_host.reply_or_stop import StoppedError

needs_pty = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")

COMMANDS = {
    ("calibrate", "--fine-tune", "200"): (
        "goes on by itself until it has seen 400 windows, unless told `tinyol calibrate --stop`",
        signal.SIGTERM,
    ),
    ("fine-tune", "100"): (
        "goes on fine-tuning until it has taken 100 steps, or is told `tinyol fine-tune off`",
        signal.SIGTERM,
    ),
    ("label", "a", "--add", "--windows", "7"): (
        "goes on labelling until it has labelled 7 windows, or is told `tinyol label -`",
        signal.SIGINT,
    ),
    ("label", "a", "--add", "--wait"): (
        "goes on labelling until told `tinyol label -`",
        signal.SIGINT,
    ),
}


@needs_pty
def test_the_port_has_vanished(tmp_path: Path) -> None:
    """All commands at once, since each takes its seconds."""
    # Links, since another program may get the same pseudo-terminal as soon as it is free.
    ports = [tmp_path / str(number) for number in range(len(COMMANDS))]
    boards = [PtyBoard(small_bundle()) for _ in COMMANDS]
    running = []
    try:
        for words, board, port in zip(COMMANDS, boards, ports, strict=True):
            port.symlink_to(board.plug_in())
            running.append(
                subprocess.Popen(
                    [*PROGRAM, *words, "-d", f"serial:{port}"],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline()  # what has begun
        time.sleep(0.5)
        for board, port in zip(boards, ports, strict=True):
            port.unlink()
            board.unplug()
        time.sleep(0.5)
        began = time.monotonic()
        for process, (_, number) in zip(running, COMMANDS.values(), strict=True):
            process.send_signal(number)
        for process, (says, number) in zip(running, COMMANDS.values(), strict=True):
            out, err = process.communicate(timeout=25)
            assert (process.returncode, out) == (128 + number, ""), err
            left, ended = err.splitlines()
            assert left.startswith("stopped, while the board does not answer; ")
            assert left.endswith(says)
            assert ended in ("interrupted", "terminated")
        assert time.monotonic() - began < 12  # a request waits 15 s for its reply
    finally:
        for process in running:
            process.kill()
            process.communicate()
        for board in boards:
            board.unplug()


def test_a_board_that_blinks_and_cannot_be_told(
    tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    async def locate(self: Device, seconds: int) -> None:
        asked.append(seconds)
        if seconds:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            await asyncio.sleep(15)

    monkeypatch.setattr(Device, "locate", locate)
    monkeypatch.setattr(clean_up, "LIMIT_S", 0.1)
    began = time.monotonic()
    status, out, err = tinyol("locate", "--seconds", "30", "-d", "sim:?state=none")
    assert time.monotonic() - began < 10
    assert asked == [30, 0]
    assert status == 130
    assert out.endswith("blinks white for 30 s; Ctrl-C ends it\n")
    assert err.startswith("stopped, while the board does not answer; it blinks until the 30 s are")


def test_a_board_that_answers_again_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply_or_stop, "GRACE_S", 0.1)

    async def main(link: WatchedLink) -> None:
        async with await connect_over(link, timing=QUICK) as board:

            async def deaf() -> None:
                """Ctrl-C, while the board does not hear what is asked."""
                link.fault_of = lambda request: Fault.LOSE
                await asyncio.sleep(0.2)
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.5)
                link.fault_of = lambda request: Fault.NONE

            task: asyncio.Task[None] | None = None

            def begun(effect: object) -> None:
                nonlocal task
                task = asyncio.create_task(deaf())

            outcome = await count_down(
                board,
                lambda: board.fine_tune(100),
                lambda: board.fine_tune(0),
                running=lambda info: info.fine_tune_left != 0,
                counts=lambda window: window.fine_tuned,
                begun=begun,
                show=lambda windows: None,
            )
            assert task is not None
            await task
            assert outcome.stopped is not None
            assert (await board.info()).fine_tune_left == 0
            assert len(set(link.payloads(Opcode.FINE_TUNE))) == 2

    asyncio.run(main(watched()))


# --- the wait itself ----------------------------------------------------------------------


async def say(words: str, after_s: float = 0.0) -> str:
    await asyncio.sleep(after_s)
    return words


async def fail(error: Exception) -> str:
    raise error


def test_replies_and_errors_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply_or_stop, "GRACE_S", 0.2)

    async def main() -> None:
        stop = asyncio.Event()
        assert await reply_or_stop.reply_or_stop(say("yes"), stop) == "yes"
        with pytest.raises(LinkError, match="cut"):
            await reply_or_stop.reply_or_stop(fail(LinkError("cut")), stop)
        stop.set()
        assert await reply_or_stop.reply_or_stop(say("yes", 0.01), stop) == "yes"
        with pytest.raises(RefusedError):
            await reply_or_stop.reply_or_stop(fail(RefusedError(-3, "")), stop)
        with pytest.raises(StoppedError, match="does not answer"):
            await reply_or_stop.reply_or_stop(fail(LinkError("cut")), stop)
        with pytest.raises(StoppedError, match="does not answer"):
            await reply_or_stop.reply_or_stop(say("too late", 30), stop)
        with pytest.raises(StoppedError, match="does not answer"):
            await reply_or_stop.last_reply(say("too late", 30), 0.01)

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 5


def test_cancelled_it_takes_the_request_with_it() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def request() -> None:
            try:
                await asyncio.sleep(30)
            finally:
                ended.set()

        task = asyncio.create_task(reply_or_stop.reply_or_stop(request(), asyncio.Event()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(main())


@pytest.fixture
def tinyol(capsys: pytest.CaptureFixture[str]) -> Tinyol:
    return Tinyol(capsys)
