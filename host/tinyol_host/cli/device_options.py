"""What every command that talks to a board shares: `-d`, `--json`, and an end in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from tinyol_host.cli.device_completion import complete_device
from tinyol_host.cli.signals import ENDS, EndedBySignal, told_to_end
from tinyol_host.cli.waiting import waiting_for
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board

T = TypeVar("T")
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


@dataclass
class _Ending:
    number: int | None = None  # of the signal that told the command to end
    handled: bool = False  # the command does what SIGTERM or SIGHUP wants, by itself


_ending: ContextVar[_Ending] = ContextVar("_ending")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def device_options(command: _Decorated, default: str = "sim:") -> _Decorated:
    """Adds `-d/--device URI`; the command gets it as `device`, None where neither it nor
    $TINYOL_DEVICE is given: then connect() takes sim:, unless the command takes another, which
    `default` says in the help.
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
        " sim:?source=synth:stuck&speed=10, or emu:?flash=FILE for a board with a flash that"
        f" lasts.  [default: {default}]",
    )
    return option(command)


def device_above(context: click.Context, device: str | None) -> str | None:
    """`-d` before the subcommand counts as well, and more than the environment."""
    parent = context.parent
    if parent is None or context.get_parameter_source("device") is ParameterSource.COMMANDLINE:
        return device
    above: str | None = parent.params["device"]
    return above


def run(work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
    """Runs `work(*arguments)` in an event loop of its own and returns what it returns.

    Ctrl-C cancels it, so that what it has open is closed in order, and then leaves as
    KeyboardInterrupt (exit 130); a second one does not wait for that. SIGTERM and SIGHUP do the
    same, and leave as EndedBySignal (exit 128 + signal).
    """
    ending = _Ending()

    async def main() -> T:
        _ending.set(ending)
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def end(number: int) -> None:
            # SIGTERM may come twice.
            if ending.number is None and not (ending.handled and number in ENDS):
                ending.number = number
                task.cancel()

        with told_to_end(
            lambda number: loop.call_soon_threadsafe(end, number), signal.default_int_handler
        ):
            return await work(*arguments)

    try:
        result = asyncio.run(main())
    except (asyncio.CancelledError, OSError):  # OSError: the terminal that was closed
        if ending.number is None:
            raise
        raise EndedBySignal(ending.number) from None
    if ending.number in ENDS:
        raise EndedBySignal(ending.number)
    return result


def run_on_board(
    device: str | None,
    work: Callable[[Board], Awaitable[T]],
    *,
    source: bool = False,
    set_aside: bool = False,
) -> T:
    """Connects, runs `work(board)` as run() does, and closes the board whatever happens.

    source: samples are fed to a board without a sensor meanwhile; only commands that wait for
    windows want that.
    set_aside: see connect().
    """

    async def connected() -> T:
        from tinyol_host.board import connect  # numpy and more, which `--help` does not need

        with waiting_for(device or "sim:"):
            board = await connect(device, source=source, set_aside=set_aside)
        async with board:
            for warning in board.warnings:
                click.echo(f"warning: {printable(warning)}", err=True)
            return await work(board)

    return run(connected)


@contextmanager
def ctrl_c_sets(event: asyncio.Event, *, any_signal: bool = False) -> Iterator[None]:
    """Meanwhile, the first Ctrl-C sets the event and interrupts nothing: for a command that is
    meant to be ended so. A second one interrupts. Within run() only.

    SIGTERM and SIGHUP set it too, and the command leaves as run() says when it has come to its
    end; with any_signal they are nothing but another Ctrl-C.
    """
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    ending = _ending.get(_Ending())

    def end(number: int) -> None:
        if number in ENDS:
            ending.handled = True
            ending.number = ending.number if any_signal else number
        event.set()

    with told_to_end(lambda number: loop.call_soon_threadsafe(end, number), before):
        yield
