"""`tinyol scan`: the boards that there are."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.device_options import json_option, run
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.scan import Found


@click.command()
@json_option
def scan(as_json: bool) -> None:
    """Find boards: at serial ports, in radio range, in this process, emulated.

    What is in the first column is what `-d` takes. Ports with a board's USB id are asked who is
    there; this takes 5 seconds at most.
    """
    found = run(_scan)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tinyol_host.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    table.add_column("device", no_wrap=True)
    table.add_column("ready", no_wrap=True)
    table.add_column("what", overflow="fold")
    for one in found:
        table.add_row(
            escape(printable(one.uri)), "yes" if one.ready else "no", escape(printable(one.what))
        )
    print_table(Console(highlight=False), table)


async def _scan() -> list[Found]:
    from tinyol_host.scan import scan as scan_all

    return await scan_all()
