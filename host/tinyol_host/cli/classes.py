"""`tinyol classes`: the classes that a board knows; more, other names and weights, fewer."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.asking import ask_unless, yes_option
from tinyol_host.cli.device_options import (
    device_above,
    device_options,
    json_option,
    run_on_board,
)
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board


@click.group(invoke_without_command=True)
@device_options
@json_option
@click.pass_context
def classes(context: click.Context, device: str | None, as_json: bool) -> None:
    """List the classes that a board knows; add, rename, remove, weigh one.

    The limit is how far a window may lie from the class, as a squared distance, before the class
    does not explain it; a class is young until it has had 10 lessons. F1 is since the state began.
    """
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

    run_on_board(device_above(context, device), work)
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
    effect = run_on_board(device_above(context, device), lambda board: board.rename_class(old, new))
    text = f"{old}: {new} from sample {effect.at:,} on; what it learned stays"
    click.echo(json.dumps({"old": old, "new": new, "at": effect.at}) if as_json else text)


@classes.command()
@click.argument("name")
@click.argument("weight", type=click.FloatRange(1e-6, 1e6))
@device_options
@json_option
@click.pass_context
def weight(
    context: click.Context, name: str, weight: float, device: str | None, as_json: bool
) -> None:
    """How likely NAME is before anything is seen, relative to the others: 1e-6 to 1e6, 1 at first.

    A state that is rare is guessed less often with a smaller WEIGHT.
    """
    if math.isnan(weight):
        raise click.BadParameter("not a number", param_hint="WEIGHT")
    where = device_above(context, device)
    effect = run_on_board(where, lambda board: board.set_class_weight(name, weight))
    text = f"{name}: weight {weight:g} from sample {effect.at:,} on"
    facts = {"name": name, "weight": weight, "at": effect.at}
    click.echo(json.dumps(facts) if as_json else text)


@classes.command()
@click.argument("name")
@device_options
@yes_option
@json_option
@click.pass_context
def remove(context: click.Context, name: str, device: str | None, yes: bool, as_json: bool) -> None:
    """Forget the class NAME; those behind it move up by one index."""
    where = device_above(context, device)
    ask_unless(yes, lambda: run_on_board(where, lambda board: _what_is_lost(board, name)))
    effect = run_on_board(where, lambda board: board.remove_class(name))
    text = f"{name}: gone from sample {effect.at:,} on"
    click.echo(json.dumps({"removed": name, "at": effect.at}) if as_json else text)


def _list(device: str | None, as_json: bool) -> None:
    most, rows = run_on_board(device, _rows)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(f"no class yet, of {most} at most: `tinyol label NAME --add` makes one")
        return

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tinyol_host.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    table.add_column("class", overflow="fold")
    for title in ("index", "lessons", "weight", "limit", "F1"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        limit = "young" if row["lessons"] else "-"
        table.add_row(
            escape(printable(row["name"])),
            str(row["index"]),
            f"{row['lessons']:,}",
            f"{row['weight']:.6g}",
            limit if row["limit"] is None else f"{row['limit']:.4g}",
            "-" if row["f1"] is None else f"{row['f1']:.3f}",
        )
    print_table(Console(highlight=False), table)


async def _rows(board: Board) -> tuple[int, list[dict[str, Any]]]:
    """The most classes that there may be, and JSON's facts of those that there are."""
    names, metrics = await board.classes(), await board.metrics()
    scores = [*metrics.f1, *[0.0] * len(names)]
    rows = [
        {
            "index": i,
            "name": name,
            "lessons": one.lessons,
            "weight": one.weight,
            "limit": one.limit or None,
            "f1": scores[i] if metrics.labelled else None,
        }
        for i, (name, one) in enumerate(zip(names, await board.class_status(), strict=False))
    ]
    return board.identity.max_classes, rows


async def _what_is_lost(board: Board, name: str) -> str:
    names = await board.classes()
    metrics = await board.metrics()
    score = ""
    if name in names and metrics.labelled and names.index(name) < len(metrics.f1):
        score = f", F1 {metrics.f1[names.index(name)]:.3f},"
    return f"Remove {name!r}? What it learned{score} is lost."
