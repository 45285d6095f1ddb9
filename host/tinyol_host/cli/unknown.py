"""`tinyol unknown`: what the board saw that none of its classes explains; gives it a name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import (
    device_above,
    device_options,
    json_option,
    run_on_board,
)
from tinyol_host.cli.learned import YOUNG, young_note
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.watch_replies import UnknownEvent, Unknowns

LAST = "last"
_ABOUT_A_DAY_S = 20 * 3600.0  # longer ago than this, the time of day does not say which day


@click.group(invoke_without_command=True)
@device_options
@json_option
@click.pass_context
def unknown(context: click.Context, device: str | None, as_json: bool) -> None:
    """Show what the board saw that none of its classes explains; `unknown name` makes it a class.

    Windows in a row that no class explains are one event; the board keeps the last two, with what
    it takes to learn them afterwards. Labelled windows are never unknown.
    """
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json is for the list; put it behind the subcommand")
        return
    found = run_on_board(device, _look)
    if as_json:
        click.echo(json.dumps(found["json"], indent=2))
        return
    click.echo(found["headline"])
    if found["rows"]:
        _print(found["rows"])
    for note in found["notes"]:
        click.echo(f"note: {note}")


def _number(context: click.Context, parameter: click.Parameter, text: str) -> int | None:
    if text == LAST:
        return None
    short = (
        text.isascii() and text.isdigit() and len(text) <= 10
    )  # int() refuses thousands of digits
    if not (short and 1 <= int(text) <= 0xFFFFFFFF):
        raise click.BadParameter(f"{text!r} is neither an event's number nor {LAST!r}")
    return int(text)


@unknown.command("name")
@click.argument("number", metavar="NUMBER|last", callback=_number)
@click.argument("name", metavar="NAME")
@device_options
@json_option
@click.pass_context
def name_(
    context: click.Context, number: int | None, name: str, device: str | None, as_json: bool
) -> None:
    """Say what the event NUMBER was: the class NAME learns it, and is added if it is new."""

    async def work(board: Board) -> dict[str, Any]:
        event = number or await _last(board)
        new = name not in await board.classes()
        effect = await board.name_unknown(event, name)
        return {
            "event": event,
            "class": name,
            "index": effect.index,
            "new": new,
            "lessons": effect.value,
            "at": effect.at,
            "note": await young_note(board, name),
        }

    done = run_on_board(device_above(context, device), work)
    note = done.pop("note")
    if as_json:
        click.echo(json.dumps(done, indent=2))
        return
    kind = "a new class" if done["new"] else "which was there"
    click.echo(
        f"{name}: class {done['index']}, {kind}, {counted(done['lessons'], 'lesson')} from event"
        f" {done['event']}{note}"
    )


async def _last(board: Board) -> int:
    latest = (await board.unknowns()).latest
    if not latest:
        raise DeviceError(
            "there has been nothing unknown, so there is nothing to name: `tinyol label NAME --add`"
            " teaches what is there now"
        )
    return latest[0].number


async def _look(board: Board) -> dict[str, Any]:
    from tinyol_host.errors import NEEDS_MODEL

    if not board.identity.has_model:
        raise DeviceError(NEEDS_MODEL)
    found = await board.unknowns()
    rate_hz = board.identity.rate_hz

    def ago_s(sample: int) -> float:
        return max(0, found.at - sample) / rate_hz

    def when(sample: int) -> str:
        # One that ends with its link stands still in between: no clock tells when that was.
        return _by_samples(ago_s(sample)) if board.ends_with_link else _by_clock(ago_s(sample))

    notes = await _notes(board, found)
    return {
        "headline": _headline(found, when),
        "rows": [_row(event, when) for event in found.latest],
        "notes": notes,
        "json": {
            "at": found.at,
            "events": found.count,
            "goes_on": bool(found.latest and found.latest[0].open),
            "latest": [
                {**asdict(event), "began_s_ago": ago_s(event.first_sample)}
                for event in found.latest
            ],
            "notes": notes,
        },
    }


def _by_samples(ago_s: float) -> str:
    return f"{ago_s:,.0f} s ago"


def _by_clock(ago_s: float) -> str:
    then = datetime.now() - timedelta(seconds=ago_s)
    return then.strftime("%H:%M" if ago_s < _ABOUT_A_DAY_S else "%Y-%m-%d %H:%M")


def _headline(found: Unknowns, when: Any) -> str:
    if not found.latest:
        return "nothing unknown so far"
    latest = found.latest[0]
    windows = counted(latest.windows, "window")
    since, until = when(latest.first_sample), when(latest.last_sample)
    if latest.open:
        text = f"something new since {since} ({windows}, goes on)"
    else:
        text = f"nothing unknown now; the last, event {latest.number}, from {since} to {until}"
        text += f" ({windows})"
    if latest.named:
        return f"{text}; it has been named"
    return f"{text}: `tinyol unknown name {LAST} NAME` makes it a class"


def _row(event: UnknownEvent, when: Any) -> Sequence[str]:
    return (
        str(event.number),
        when(event.first_sample),
        "goes on" if event.open else when(event.last_sample),
        f"{event.windows:,}",
        f"{event.peak_novelty:.3g}",
        str(event.kept),
        "yes" if event.named else "no",
    )


def _print(rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from tinyol_host.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    for title in ("event", "since", "until"):
        table.add_column(title, no_wrap=True)
    for title in ("windows", "novelty", "lessons kept", "named"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    print_table(Console(highlight=False), table)


async def _notes(board: Board, found: Unknowns) -> list[str]:
    """Why there may be none, and what the times mean."""
    names, status = await board.classes(), await board.class_status()
    notes = []
    young = [
        f"{printable(name)} ({counted(one.lessons, 'lesson')})"
        for name, one in zip(names, status, strict=False)
        if one.lessons and not one.limit
    ]
    if not any(one.lessons for one in status):
        notes.append(
            "no class has had a lesson yet: until then nothing is unknown (`tinyol label NAME"
            " --add --windows 30`)"
        )
    elif young:
        notes.append(
            f"nothing is unknown while a class is as young as {', '.join(young)}:"
            f" {YOUNG} lessons make it old enough"
        )
    if board.ends_with_link and not found.latest:
        notes.append(
            f"{board.uri} senses nothing but while a command feeds it, as `tinyol monitor` does"
        )
    elif board.ends_with_link:
        notes.append("seconds are those of its samples: it stands still between commands")
    elif found.latest:
        notes.append("times are by its samples: hours without power are not in them")
    return notes
