"""`tinyol classes`: the classes that a board knows; more, other names, fewer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tinyol_host.cli.asking import ask_unless, yes_option
from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.replies import BoardMetrics


@click.group(invoke_without_command=True)
@device_options
@json_option
@click.pass_context
def classes(context: click.Context, device: str | None, as_json: bool) -> None:
    """List the classes that a board knows, with the F1 score of each; add, rename, remove one."""
    if context.invoked_subcommand is None:
        _list(device, as_json)
    elif as_json:
        raise click.UsageError("--json is for the list; put it behind the subcommand")


@classes.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@device_options
@json_option
@click.pass_context
def add(context: click.Context, names: tuple[str, ...], device: str | None, as_json: bool) -> None:
    """Add classes: names of 1 to 15 bytes. They know nothing yet."""
    done = []

    async def work(board: Board) -> None:
        for name in names:
            effect = await board.add_class(name)
            done.append({"name": name, "index": effect.value, "at": effect.at})
            if not as_json:
                click.echo(f"{name}: class {effect.value}, from sample {effect.at:,} on")

    run_on_board(_device(context, device), work)
    if as_json:
        click.echo(json.dumps(done, indent=2))


@classes.command()
@click.argument("old")
@click.argument("new")
@device_options
@json_option
@click.pass_context
def rename(context: click.Context, old: str, new: str, device: str | None, as_json: bool) -> None:
    """Call the class OLD by the name NEW from now on; what it learned stays."""
    effect = run_on_board(_device(context, device), lambda board: board.rename_class(old, new))
    text = f"{old}: {new} from sample {effect.at:,} on; what it learned stays"
    click.echo(json.dumps({"old": old, "new": new, "at": effect.at}) if as_json else text)


@classes.command()
@click.argument("name")
@device_options
@yes_option
@json_option
@click.pass_context
def remove(context: click.Context, name: str, device: str | None, yes: bool, as_json: bool) -> None:
    """Forget the class NAME; those behind it move up by one index."""
    where = _device(context, device)
    ask_unless(yes, lambda: run_on_board(where, lambda board: _what_is_lost(board, name)))
    effect = run_on_board(where, lambda board: board.remove_class(name))
    text = f"{name}: gone from sample {effect.at:,} on"
    click.echo(json.dumps({"removed": name, "at": effect.at}) if as_json else text)


def _device(context: click.Context, device: str | None) -> str | None:
    """`-d` before the subcommand counts as well, and more than the environment."""
    parent = context.parent
    if parent is None or context.get_parameter_source("device") is ParameterSource.COMMANDLINE:
        return device
    above: str | None = parent.params["device"]
    return above


def _list(device: str | None, as_json: bool) -> None:
    async def work(board: Board) -> tuple[list[str], BoardMetrics, int]:
        return await board.classes(), await board.metrics(), board.identity.max_classes

    names, metrics, most = run_on_board(device, work)
    scores = [*metrics.f1, *[0.0] * len(names)]
    if as_json:
        rows = [
            {"index": i, "name": name, "f1": scores[i] if metrics.labelled else None}
            for i, name in enumerate(names)
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    if not names:
        click.echo(f"no class yet, of {most} at most: `tinyol label NAME --add` makes one")
        return

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tinyol_host.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    table.add_column("class", overflow="fold")
    for title in ("index", "F1"):
        table.add_column(title, justify="right", no_wrap=True)
    for i, name in enumerate(names):
        f1 = f"{scores[i]:.3f}" if metrics.labelled else "-"
        table.add_row(escape(printable(name)), str(i), f1)
    print_table(Console(highlight=False), table)


async def _what_is_lost(board: Board, name: str) -> str:
    names = await board.classes()
    metrics = await board.metrics()
    score = ""
    if name in names and metrics.labelled and names.index(name) < len(metrics.f1):
        score = f", F1 {metrics.f1[names.index(name)]:.3f},"
    return f"Remove {name!r}? What it learned{score} is lost."
