"""What every command that talks to a board shares: `-d`, `--json`, and a Ctrl-C that closes it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tinyol_host.cli.device_completion import complete_device
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board

T = TypeVar("T")
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def device_options(command: _Decorated) -> _Decorated:
    """Adds `-d/--device URI`; the command gets it as `device`, None where neither it nor
    $TINYOL_DEVICE is given: then connect() takes sim:.
    """
    option = click.option(
        "-d",
        "--device",
        metavar="URI",
        envvar="TINYOL_DEVICE",
        show_envvar=True,
        shell_complete=complete_device,
        help="The board: sim: (in this process), emu: (emulated Cortex-M4F), a serial port as"
        " /dev/ttyACM0, or ble:NAME over Bluetooth. Options follow a `?`, as"
        " sim:?source=synth:stuck&speed=10.  [default: sim:]",
    )
    return option(command)


def run(work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
    """Runs `work(*arguments)` in an event loop of its own and returns what it returns.

    Ctrl-C cancels it, so that what it has open is closed in order, and then leaves as
    KeyboardInterrupt (exit 130); a second one does not wait for that.
    """
    interrupted = False

    async def main() -> T:
        nonlocal interrupted
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            task.cancel()

        with _on_ctrl_c(lambda: loop.call_soon_threadsafe(interrupt), signal.default_int_handler):
            return await work(*arguments)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if interrupted:
            raise KeyboardInterrupt from None
        raise


def run_on_board(
    device: str | None, work: Callable[[Board], Awaitable[T]], *, source: bool = False
) -> T:
    """Connects, runs `work(board)` as run() does, and closes the board whatever happens.

    source: samples are fed to a board without a sensor meanwhile; only commands that wait for
    windows want that.
    """

    async def connected() -> T:
        from tinyol_host.board import connect  # numpy and more, which `--help` does not need

        async with await connect(device, source=source) as board:
            for warning in board.warnings:
                click.echo(f"warning: {printable(warning)}", err=True)
            return await work(board)

    return run(connected)


@contextmanager
def ctrl_c_sets(event: asyncio.Event) -> Iterator[None]:
    """Meanwhile, the first Ctrl-C sets the event and interrupts nothing: for a command that is
    meant to be ended so. A second one interrupts. Within run() only.
    """
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    with _on_ctrl_c(lambda: loop.call_soon_threadsafe(event.set), before):
        yield


@contextmanager
def _on_ctrl_c(first: Callable[[], object], then: Any) -> Iterator[None]:
    """The first SIGINT calls `first`; from then on the handler `then` has them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, then)
        first()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
