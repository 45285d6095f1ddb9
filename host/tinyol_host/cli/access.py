"""`tinyol access`: who may ask a board for what, and who tried without a key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.counted import counted
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board


@click.command()
@click.argument("reading", type=click.Choice(["open", "closed"]), required=False)
@device_options
@json_option
def access(reading: str | None, device: str | None, as_json: bool) -> None:
    """Show who may read from and teach the board, and what it refused.

    With `closed`, reading over the radio needs the board's key as well; with `open`, as it is at
    first, anybody in range may read what it predicts. Teaching needs the key either way.
    """

    async def work(board: Board) -> dict[str, Any]:
        if reading is not None:
            await board.set_reading(open=reading == "open")
        return await _facts(board)

    facts = run_on_board(device, work)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return

    from rich.console import Console

    from tinyol_host.cli.tables import pairs_table, print_table

    rows = [(name, printable(value)) for name, value in _rows(facts)]
    print_table(Console(highlight=False), pairs_table(rows))


async def _facts(board: Board) -> dict[str, Any]:
    found = await board.access()
    return {
        "board": str(board.uri),
        "paired": found.paired,
        "key_id": found.key_id if found.paired else None,
        "authenticated": found.authenticated,
        "at_its_own_port": found.physical,
        "reading_by_radio": "closed" if found.reading_needs_key else "open",
        "random_numbers": found.random_source.name.lower(),
        "random_numbers_from": found.random_source.words,
        "pairings": found.pairings,
        "wrong_macs": found.wrong_macs,
        "refused_without_key": found.refused,
        "locked_ms": found.locked_ms,
    }


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    if not facts["paired"]:
        key = "none: `tinyol pair` at its USB port makes one"
        teach = "who is at its own port; nobody over the radio"
    else:
        made = "its first" if facts["pairings"] == 1 else f"number {facts['pairings']} that it made"
        key = f"{facts['key_id']}, {made}"
        here = "has" if facts["authenticated"] else "does not have"
        teach = f"who has its key; this computer {here} it"
    read = "anybody" if facts["reading_by_radio"] == "open" else "who has its key"
    refused = (
        f"{counted(facts['refused_without_key'], 'request')} without the key,"
        f" {counted(facts['wrong_macs'], 'message')} with a wrong MAC"
    )
    if facts["locked_ms"]:
        refused += f"; locked for {facts['locked_ms'] / 1000:.0f} s"
    session = (
        "authenticated: every message has a MAC" if facts["authenticated"] else "not authenticated"
    )
    return [
        ("key", key),
        ("may teach", teach),
        ("may read over the radio", read),
        ("this session", session),
        ("random numbers", facts["random_numbers_from"]),
        ("refused since boot", refused),
    ]
