"""`tinyol monitor`: a board's predictions as they come, as a picture or as JSON lines."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import ctrl_c_sets, device_options, run
from tinyol_host.cli.log_lines import echo_log
from tinyol_host.cli.terminal import is_terminal
from tinyol_host.cli.waiting import waiting_for
from tinyol_sim.errors import DeviceError, TinyOLError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.cli.monitor_model import MonitorModel
    from tinyol_host.events import Event, Notice, Prediction

_ASK_S = 0.5  # between two questions how the board is doing
_FRAME_S = 0.1


@click.command()
@device_options
@click.option(
    "--seconds",
    metavar="S",
    type=click.FloatRange(0, 1e9, min_open=True),
    help="End after S seconds.  [default: with Ctrl-C]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a line of JSON for each prediction, and for what begins or ends.  [in a pipe]",
)
def monitor(device: str | None, seconds: float | None, as_json: bool) -> None:
    """Watch a board: how far from normal its machine is, its class, what could be done, the link.

    In a pipe, each prediction is a line of JSON, and so is what begins or ends: an alarm, something
    unknown, a sensor that was moved (`"notice"` in place of `"error"`). Ctrl-C ends it.
    """
    if seconds is not None and math.isnan(seconds):
        raise click.BadParameter("not a number", param_hint="--seconds")
    run(_monitor, device, seconds, as_json or not is_terminal(sys.stdout))


async def _monitor(device: str | None, seconds: float | None, as_json: bool) -> None:
    from tinyol_host.board import connect
    from tinyol_host.cli.monitor_model import MonitorModel
    from tinyol_host.errors import NEEDS_MODEL

    with waiting_for(device or "sim:"):
        board = await connect(device)
    async with board:
        for warning in board.warnings:
            click.echo(f"warning: {printable(warning)}", err=True)
        if not board.identity.has_model:
            raise DeviceError(NEEDS_MODEL)
        model = MonitorModel(str(board.uri), board.identity, board.health)
        stop = asyncio.Event()
        async with board.stream(predictions=True, changes=True, log=True, notices=True) as events:
            await _ask(board, model)
            with ctrl_c_sets(stop):
                if as_json:
                    await _until_end(board, model, stop, seconds, _lines(events, model, board))
                else:
                    await _until_end(board, model, stop, seconds, _picture(events, model))


async def _until_end(
    board: Board,
    model: MonitorModel,
    stop: asyncio.Event,
    seconds: float | None,
    work: Awaitable[None],
) -> None:
    """Runs `work` until Ctrl-C or the time is over. DeviceError if the board is gone before."""
    tasks = [
        asyncio.ensure_future(work),
        asyncio.ensure_future(_keep_asking(board, model)),
        asyncio.ensure_future(stop.wait()),
    ]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks[:2]:
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, TinyOLError):
                raise DeviceError(f"{board.uri}: the board is gone: {error}") from None
            raise error


async def _ask(board: Board, model: MonitorModel) -> None:
    info, watch = await board.info(), await board.watch()
    if not model.stale:
        model.asked(info, watch=watch)
        return
    model.stale = False  # what changes from here on makes it so again
    try:
        model.asked(info, await board.classes(), await board.settings(), watch)
    except TinyOLError:
        model.stale = True
        raise


async def _keep_asking(board: Board, model: MonitorModel) -> None:
    from tinyol_host.errors import RebootedError

    while True:
        await asyncio.sleep(_ASK_S)
        try:
            await _ask(board, model)
        except RebootedError:
            model.news.append("the board has restarted")
            model.stale = True


async def _lines(events: AsyncIterator[Event], model: MonitorModel, board: Board) -> None:
    from tinyol_host.errors import RebootedError
    from tinyol_host.events import Log, Notice, Prediction

    async for event in events:
        model.take(event)
        if model.stale:  # before the next prediction, whose class may have another name
            with suppress(RebootedError):
                await _ask(board, model)
        if isinstance(event, Prediction):
            click.echo(json.dumps(_facts(event, model), allow_nan=False))
        elif isinstance(event, Notice):
            click.echo(json.dumps(_notice_facts(event, model), allow_nan=False))
        elif isinstance(event, Log):
            echo_log(event)


async def _picture(events: AsyncIterator[Event], model: MonitorModel) -> None:
    from rich.console import Console
    from rich.live import Live

    from tinyol_host.cli.monitor_view import draw

    async def take_all() -> None:
        async for event in events:
            model.take(event)

    reader = asyncio.create_task(take_all())
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        try:
            while not reader.done():
                model.pace.saw(model.seen)
                live.update(draw(model), refresh=True)
                await asyncio.wait({reader}, timeout=_FRAME_S)
            reader.result()
        finally:
            live.update(draw(model), refresh=True)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


def _facts(window: Prediction, model: MonitorModel) -> dict[str, Any]:
    return {
        "sample": window.sample_index,
        "window": window.window_index,
        "error": _number(window.error),
        "tuned_error": _number(window.tuned_error),
        "threshold": None if model.threshold is None else _number(model.threshold),
        "anomaly": window.anomaly,
        "score": _number(window.score),
        "alarm": window.alarm,
        "novelty": _number(window.novelty),
        "unknown": window.unknown,
        "predicted": model.class_name(window.predicted),
        "confidence": _number(window.confidence),
        "label": model.class_name(window.label),
        "loss": _number(window.loss),
        "log_variance": _number(window.log_variance),
        "learned": window.learned,
        "fine_tuned": window.fine_tuned,
    }


def _notice_facts(notice: Notice, model: MonitorModel) -> dict[str, Any]:
    return {
        "notice": notice.kind.name.lower(),
        "began": notice.began,
        "number": notice.number or None,
        "class": model.class_name(notice.class_index),
        "first_sample": notice.first_sample,
        "sample": notice.last_sample,
        "windows": notice.windows,
        "size": _number(notice.size),
    }


def _number(value: float) -> float | None:
    """The float32 in its fewest digits; JSON has no word for what is not finite."""
    import numpy as np

    return float(str(np.float32(value))) if math.isfinite(value) else None
